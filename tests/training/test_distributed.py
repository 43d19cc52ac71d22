# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two processes train as one, and go on after one of them was killed."""

import csv
import os
import subprocess
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from training.build import build_model
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.distributed import DeviceError, Processes, choose_device, joined_processes
from training.recipe.reading import recipe_from_dict
from training.recipe.recipe import Recipe
from training.train import main, prepare
from upsnet_ros.core.errors import ModelError

ROOT = Path(__file__).parents[2]
STEPS = 6
# Sums of float32 in another order; measured: 3e-6 relative in the losses, 1e-8 in the weights.
LOSS_TOLERANCE = 1e-4
WEIGHT_TOLERANCE = 1e-6

# Kills the second process once, in the middle of the run, after a checkpoint was written; before
# that, the first process decides over values that each process has its own of.
SCRIPT = """
import os, signal, sys
from pathlib import Path
import torch
from training.train import main
from training.trainer import Trainer
original = Trainer.step
def step(self, parts):
    rank = self.processes.rank
    mark = Path(os.environ['KILL_MARK'])
    if self.step_count == 0:
        mean, count = torch.full((2,), rank + 0.5), torch.tensor(rank + 7)
        self.processes.follow_first([mean, count])
        assert (mean.tolist(), count.item()) == ([0.5, 0.5], 7)
    if self.step_count == 3 and rank == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, parts)
Trainer.step = step
sys.exit(main())
"""


@pytest.fixture(scope='module')
def recipe(small_recipe: Recipe) -> Recipe:
    """Frozen normalisation, plain SGD, four images per step."""
    values = small_recipe.to_dict()
    values['model'] |= {'normalisation': 'frozen'}
    values['initial'] = {'weights': 'checkpoint', 'head_rows': 'same'}
    values['optimisation'] |= {
        'optimiser': 'sgd',
        'momentum_form': 'caffe',
        # At ten times this rate rounding alone grows to a thousandth within six steps.
        'learning_rate': 0.0002,
        'batch_size': 4,
        'reference_batch_size': 4,
        'iterations': STEPS,
        'warmup_iterations': 3,
        'average_decay': 0.0,
        'schedule': 'step',
        'decay_at': [4],
    }
    values['monitoring'] |= {'save_every': 2, 'validate_every': 3}
    return recipe_from_dict(values)


@pytest.fixture(scope='module')
def start(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(5)
    path = tmp_path_factory.mktemp('start') / 'start.pt'
    save_checkpoint(Checkpoint.from_weights(recipe, build_model(recipe).state_dict()), path)
    return path


def arguments(recipe: Recipe, start: Path, data: Path, output: Path) -> list[str]:
    output.mkdir()
    config = output / 'recipe.yaml'
    config.write_text(yaml.safe_dump(recipe.to_dict()))
    found = ['--config', str(config), '--data', str(data), '--output', str(output)]
    return [*found, '--initial', str(start), '--workers', '0', '--device', 'cpu']


def read_losses(output: Path) -> list[dict[str, float]]:
    with (output / 'losses.csv').open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def assert_same_run(first: Path, second: Path) -> None:
    losses, others = read_losses(first), read_losses(second)
    assert len(losses) == len(others) == STEPS
    for row, other in zip(losses, others, strict=True):
        assert row.keys() == other.keys()
        for name, value in row.items():
            assert value == pytest.approx(other[name], rel=LOSS_TOLERANCE, abs=1e-6), name
    weights = [load_checkpoint(path / 'final.pt').model for path in (first, second)]
    for name, value in weights[0].items():
        torch.testing.assert_close(
            value, weights[1][name], rtol=WEIGHT_TOLERANCE, atol=WEIGHT_TOLERANCE
        )


@pytest.fixture(scope='module')
def alone(
    recipe: Recipe, start: Path, town: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """One process that computes every step whole."""
    output = tmp_path_factory.mktemp('alone') / 'run'
    assert main(arguments(recipe, start, town, output)) == 0
    return output


def read_validations(output: Path) -> list[dict[str, float]]:
    with (output / 'validation.csv').open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_the_weights_move(alone: Path, start: Path) -> None:
    before, after = load_checkpoint(start).model, load_checkpoint(alone / 'final.pt').model
    for name in ('semantic_head.score.weight', 'mask_head.logits.weight'):
        moved = (before[name] - after[name]).abs().max()
        assert moved > 50 * WEIGHT_TOLERANCE, (name, moved)


def test_parts_one_after_another_equal_the_whole(
    recipe: Recipe, start: Path, town: Path, tmp_path: Path, alone: Path
) -> None:
    parts = replace(recipe, optimisation=replace(recipe.optimisation, accumulation_steps=4))
    assert main(arguments(parts, start, town, tmp_path / 'run')) == 0
    assert_same_run(tmp_path / 'run', alone)


def test_two_processes_equal_one_although_one_of_them_is_killed_on_the_way(
    recipe: Recipe, start: Path, town: Path, tmp_path: Path, alone: Path
) -> None:
    halves = replace(recipe, optimisation=replace(recipe.optimisation, accumulation_steps=2))
    output, script = tmp_path / 'run', tmp_path / 'script.py'
    script.write_text(SCRIPT)
    command = [sys.executable, '-m', 'torch.distributed.run', '--standalone']
    command += ['--nproc-per-node=2', '--max-restarts=1', '--monitor-interval=0.1', str(script)]
    variables = dict(os.environ, OMP_NUM_THREADS='1', PYTHONPATH=str(ROOT))
    variables['KILL_MARK'] = str(output / 'killed')
    done = subprocess.run(
        [*command, *arguments(halves, start, town, output)],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert (output / 'killed').exists()
    assert_same_run(output, alone)
    rows, others = read_validations(output), read_validations(alone)
    assert [row['step'] for row in rows] == [3, 6]
    for row, other in zip(rows, others, strict=True):
        assert row == pytest.approx(other, abs=0.1)  # [%]; a pixel may fall on the other side


def test_processes_that_find_different_checkpoints_are_refused(
    small_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Processes, 'mean', lambda _, values: (values + 40) / 2)
    with pytest.raises(ModelError, match=r'step 0 and others at another.*all machines share'):
        prepare(small_recipe, tmp_path, Processes(0, 1, torch.device('cpu')))


@pytest.mark.parametrize('error', [None, ModelError('told')])
def test_processes_are_left_when_all_is_done_and_not_after_an_error(
    monkeypatch: pytest.MonkeyPatch, error: ModelError | None
) -> None:
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.setattr('training.distributed._meeting_place', lambda: None)
    monkeypatch.setattr('torch.distributed.init_process_group', lambda *_, **__: None)
    left = []
    monkeypatch.setattr('torch.distributed.destroy_process_group', lambda: left.append(True))
    with nullcontext() if error is None else pytest.raises(ModelError, match='told'):
        with joined_processes('cpu'):
            if error is not None:
                raise error
    assert left == ([True] if error is None else [])


def test_a_process_without_a_gpu_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: 1)
    assert choose_device('auto', local_rank=0) == torch.device('cuda', 0)
    with pytest.raises(DeviceError, match='process 1 of this machine has no GPU'):
        choose_device('auto', local_rank=1)
    assert choose_device('cpu', local_rank=3).type == 'cpu'


def test_processes_that_cannot_meet_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('RANK', '0')
    monkeypatch.setenv('WORLD_SIZE', '2')
    monkeypatch.delenv('MASTER_ADDR', raising=False)
    with pytest.raises(DeviceError, match='start them with torchrun'):
        with joined_processes('cpu'):
            pass
