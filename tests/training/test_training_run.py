# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loop: learning, resuming exactly, guarding against bad numbers and bad files."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from training.checkpoint import load_checkpoint
from training.recipe.recipe import Recipe
from training.divergence import TrainingDiverged
from training.evaluate import main as evaluate
from training.train import Trainer, main, prepare, run
from upsnet_ros.core.errors import ModelError, UpsnetError

LOSSES = {
    'rpn_objectness',
    'rpn_box',
    'box_class',
    'box_regression',
    'mask',
    'semantic',
    'semantic_roi',
    'panoptic',
}


def train(recipe: Recipe, data: Path, output: Path) -> Trainer:
    output.mkdir(exist_ok=True)
    trainer = Trainer(recipe, output)
    if (output / 'last.pt').exists():
        trainer.restore(load_checkpoint(output / 'last.pt'))
    run(trainer, data, workers=0)
    return trainer


def with_iterations(recipe: Recipe, count: int) -> Recipe:
    return replace(recipe, optimisation=replace(recipe.optimisation, iterations=count))


def read_losses(output: Path) -> list[dict[str, float]]:
    with (output / 'losses.csv').open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_all_eight_losses_are_logged_and_fall(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    train(with_iterations(small_recipe, 25), town, tmp_path / 'run')
    rows = read_losses(tmp_path / 'run')
    assert set(rows[0]) == LOSSES | {'iteration', 'total', 'rate'}
    assert len(rows) == 25
    first = sum(row['total'] for row in rows[:3]) / 3
    last = sum(row['total'] for row in rows[-3:]) / 3
    assert last < 0.8 * first


def test_a_resumed_run_equals_an_uninterrupted_one(
    small_recipe: Recipe, town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('training.train.SAVE_EVERY', 2)
    whole = train(small_recipe, town, tmp_path / 'whole')
    original = Trainer.step

    def stop_after_two(self: Trainer, batch: list) -> dict[str, float]:
        if self.iteration == 3:  # one step after the last checkpoint
            raise KeyboardInterrupt
        return original(self, batch)

    monkeypatch.setattr(Trainer, 'step', stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        train(small_recipe, town, tmp_path / 'parts')
    monkeypatch.setattr(Trainer, 'step', original)
    resumed = train(small_recipe, town, tmp_path / 'parts')
    for key, value in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[key], value, rtol=0, atol=0)
        torch.testing.assert_close(
            resumed.averaged.state[key], whole.averaged.state[key], rtol=0, atol=0
        )
    assert read_losses(tmp_path / 'parts') == read_losses(tmp_path / 'whole')


def test_a_checkpoint_of_another_recipe_is_refused(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    train(with_iterations(small_recipe, 2), town, tmp_path / 'run')
    with pytest.raises(UpsnetError, match='another recipe'):
        train(small_recipe, town, tmp_path / 'run')


def test_a_loss_that_is_not_finite_stops_the_run_by_name(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    trainer = Trainer(small_recipe, tmp_path)
    with torch.no_grad():
        trainer.model.semantic_head.score.bias.fill_(float('nan'))
    with pytest.raises(TrainingDiverged, match=r'loss semantic is nan .*town_00000'):
        run(trainer, town, workers=0)


def test_features_that_are_not_finite_stop_the_run(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    trainer = Trainer(small_recipe, tmp_path)
    with torch.no_grad():
        trainer.model.backbone.stem[0].weight[0, 0, 0, 0] = float('nan')
    with pytest.raises(TrainingDiverged, match=r'features are not finite .*town_00000'):
        run(trainer, town, workers=0)


def test_a_gradient_that_is_not_finite_leaves_the_weights_alone(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    trainer = Trainer(small_recipe, tmp_path)
    bias = trainer.model.rpn.conv.bias
    bias.register_hook(lambda gradient: gradient * float('inf'))
    with pytest.raises(TrainingDiverged, match='the gradient is'):
        run(trainer, town, workers=0)
    assert all(torch.isfinite(v).all() for v in trainer.model.state_dict().values())
    assert all(torch.isfinite(v).all() for v in trainer.averaged.state.values())


def test_a_run_may_start_from_the_weights_of_another(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    first = train(with_iterations(small_recipe, 2), town, tmp_path / 'first')
    second = prepare(small_recipe, tmp_path / 'second', initial=tmp_path / 'first' / 'final.pt')
    for key, value in first.averaged.state.items():
        assert torch.equal(second.model.state_dict()[key], value)
        assert torch.equal(second.averaged.state[key], value)
    other = replace(small_recipe, model=replace(small_recipe.model, width=4))
    with pytest.raises(ModelError, match='another network'):
        prepare(other, tmp_path / 'third', initial=tmp_path / 'first' / 'final.pt')


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='no checkpoint'):
        load_checkpoint(tmp_path / 'absent.pt')
    damaged = tmp_path / 'damaged.pt'
    damaged.write_bytes(b'not a checkpoint')
    with pytest.raises(ModelError, match='not a readable checkpoint'):
        load_checkpoint(damaged)
    torch.save({'version': 99}, damaged)
    with pytest.raises(ModelError, match='version 99'):
        load_checkpoint(damaged)
    torch.save({'version': 1, 'model': {}}, damaged)
    with pytest.raises(ModelError, match='checkpoint holds'):
        load_checkpoint(damaged)


class Payload:
    """Pickles to a call, as a malicious file would."""

    def __reduce__(self) -> tuple:
        return (print, ('executed',))


def test_a_checkpoint_never_executes_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'evil.pt'
    torch.save({'version': 1, 'model': Payload()}, path)
    with pytest.raises(ModelError):
        load_checkpoint(path)
    assert 'executed' not in capsys.readouterr().out


def test_command_reports_what_is_wrong(
    small_recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump(small_recipe.to_dict()))
    arguments = ['--config', str(path), '--data', str(tmp_path), '--output', str(tmp_path / 'o')]
    assert main(arguments) == 1
    assert 'no images' in caplog.text


def test_command_trains_and_its_checkpoint_can_be_evaluated(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    path = tmp_path / 'recipe.yaml'
    path.write_text(yaml.safe_dump(with_iterations(small_recipe, 2).to_dict()))
    output = tmp_path / 'run'
    arguments = ['--config', str(path), '--data', str(town), '--output', str(output)]
    assert main([*arguments, '--workers', '1']) == 0
    assert main(arguments) == 0  # nothing is left to do
    assert len(read_losses(output)) == 2
    report = tmp_path / 'evaluation'
    model = str(output / 'final.pt')
    assert evaluate(['--model', model, '--data', str(town), '--output', str(report)]) == 0
    metrics = json.loads((report / 'metrics.json').read_text())
    assert metrics['frames'] == 2
    assert 0 <= metrics['pq']['all']['pq'] <= 100
    assert len(metrics['pq']['per_class']) == 19
