# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loop: learning, resuming exactly, guarding against bad numbers and bad files."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from training.checkpoint import load_checkpoint
from training.data.errors import DataError
from training.distributed import Processes
from training.divergence import TrainingDiverged
from training.evaluate import main as evaluate
from training.memory import MemoryExhausted
from training.recipe.errors import RecipeError
from training.recipe.recipe import Recipe
from training.run import run
from training.train import main, prepare
from training.trainer import Trainer

ROOT = Path(__file__).parents[2]
ALONE = Processes(0, 1, torch.device('cpu'))
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
    trainer = prepare(recipe, output, ALONE)
    run(trainer, data, output, workers=0)
    return trainer


def with_optimisation(recipe: Recipe, **changes: object) -> Recipe:
    return replace(recipe, optimisation=replace(recipe.optimisation, **changes))


def with_monitoring(recipe: Recipe, **changes: int) -> Recipe:
    return replace(recipe, monitoring=replace(recipe.monitoring, **changes))


def read_losses(output: Path) -> list[dict[str, float]]:
    with (output / 'losses.csv').open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def write_recipe(recipe: Recipe, path: Path) -> str:
    path.write_text(yaml.safe_dump(recipe.to_dict()))
    return str(path)


@pytest.mark.parametrize('precision', ['float32', 'float16', 'bfloat16'])
def test_a_resumed_run_equals_an_uninterrupted_one(
    small_recipe: Recipe,
    town: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
) -> None:
    recipe = with_monitoring(with_optimisation(small_recipe, precision=precision), save_every=2)
    whole = train(recipe, town, tmp_path / 'whole')
    original = Trainer.step

    def stop_after_three(self: Trainer, parts: list) -> dict[str, float]:
        if self.step_count == 3:  # one step after the last checkpoint
            raise KeyboardInterrupt
        return original(self, parts)

    monkeypatch.setattr(Trainer, 'step', stop_after_three)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, town, tmp_path / 'parts')
    monkeypatch.setattr(Trainer, 'step', original)
    resumed = train(recipe, town, tmp_path / 'parts')
    for key, value in whole.model.state_dict().items():
        assert torch.equal(resumed.model.state_dict()[key], value), key
        assert torch.equal(resumed.averaged.state[key], whole.averaged.state[key]), key
    losses = [(tmp_path / run / 'losses.csv').read_text() for run in ('parts', 'whole')]
    assert losses[0] == losses[1]


def test_a_checkpoint_of_another_recipe_is_refused_by_key(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    train(with_optimisation(small_recipe, iterations=2), town, tmp_path / 'run')
    with pytest.raises(RecipeError, match='optimisation.iterations is 2 there and 4 here'):
        train(small_recipe, town, tmp_path / 'run')


def test_how_a_run_is_computed_and_told_may_change_on_the_way(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    train(small_recipe, town, tmp_path / 'run')
    changed = with_optimisation(
        with_monitoring(small_recipe, save_every=3),
        accumulation_steps=2,
        gradient_checkpointing=True,
    )
    assert train(changed, town, tmp_path / 'run').step_count == 4


def test_a_loss_that_is_not_finite_stops_the_run_by_name(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    trainer = Trainer(small_recipe)
    with torch.no_grad():
        trainer.model.semantic_head.score.bias.fill_(float('nan'))
    with pytest.raises(TrainingDiverged, match=r'loss semantic is nan .*town_00000'):
        run(trainer, town, tmp_path, workers=0)
    assert not (tmp_path / 'last.pt').exists()


def test_features_that_are_not_finite_stop_the_run(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    trainer = Trainer(small_recipe)
    with torch.no_grad():
        trainer.model.backbone.stem[0].weight[0, 0, 0, 0] = float('nan')
    with pytest.raises(TrainingDiverged, match=r'features are not finite .*town_00000'):
        run(trainer, town, tmp_path, workers=0)


def test_a_gradient_that_is_not_finite_leaves_the_weights_alone(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    trainer = Trainer(small_recipe)
    trainer.model.rpn.conv.bias.register_hook(lambda gradient: gradient * float('inf'))
    with pytest.raises(TrainingDiverged, match='the gradient is'):
        run(trainer, town, tmp_path, workers=0)
    assert all(torch.isfinite(v).all() for v in trainer.model.state_dict().values())
    assert all(torch.isfinite(v).all() for v in trainer.averaged.state.values())


def test_half_precision_that_overflows_lowers_the_scale_and_leaves_the_step_out(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    trainer = Trainer(with_optimisation(small_recipe, precision='float16', iterations=2))
    before = trainer.model.rpn.conv.weight.detach().clone()
    overflows = [True, False]
    trainer.model.rpn.conv.bias.register_hook(
        lambda gradient: gradient * (float('inf') if overflows.pop(0) else 1.0)
    )
    trainer.scaler = torch.amp.GradScaler('cpu', init_scale=8.0)
    steps = []
    original = trainer._update
    trainer._update = lambda images: (
        original(images),
        steps.append(trainer.model.rpn.conv.weight.detach().clone()),
    )[0]
    run(trainer, town, tmp_path, workers=0)
    assert trainer.scaler.get_scale() == 4.0
    assert torch.equal(steps[0], before)
    assert not torch.equal(steps[1], before)


def test_memory_that_runs_out_names_what_to_lower(
    small_recipe: Recipe, town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')

    trainer = Trainer(small_recipe)
    monkeypatch.setattr(trainer.network, 'criterion', exhausted)
    with pytest.raises(MemoryExhausted) as error:
        run(trainer, town, tmp_path, workers=0)
    text = str(error.value)
    assert 'a step with 2 images at once' in text
    for key in ('accumulation_steps=2', 'gradient_checkpointing', 'bfloat16', 'short_sides'):
        assert key in text


def test_memory_that_runs_out_in_a_validation_names_it(
    small_recipe: Recipe, town: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise torch.OutOfMemoryError('CUDA out of memory')

    monkeypatch.setattr('training.validation.Validation.figures', exhausted)
    trainer = Trainer(with_monitoring(small_recipe, validate_every=1))
    with pytest.raises(MemoryExhausted, match='monitoring.validate_every=0'):
        run(trainer, town, tmp_path, workers=0)


def test_validation_keeps_the_best_and_pictures_come_to_the_log(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    recipe = with_monitoring(small_recipe, validate_every=2, picture_every=2)
    trainer = train(recipe, town, tmp_path / 'run')
    with (tmp_path / 'run' / 'validation.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert [row['step'] for row in rows] == ['2', '4']
    assert {'pq', 'pq_things', 'pq_stuff', 'miou'} <= set(rows[0])
    best = load_checkpoint(tmp_path / 'run' / 'best.pt')
    assert best.best_quality == trainer.best_quality >= 0
    board = EventAccumulator(str(tmp_path / 'run' / 'tensorboard')).Reload()
    assert {f'training/{name}' for name in LOSSES} <= set(board.Tags()['scalars'])
    assert 'validation/pq' in board.Tags()['scalars']
    assert len(board.Tags()['images']) > 0
    assert trainer.model.training


def test_command_reports_what_is_wrong(
    small_recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = write_recipe(small_recipe, tmp_path / 'recipe.yaml')
    arguments = ['--config', config, '--data', str(tmp_path), '--output', str(tmp_path / 'o')]
    assert main(arguments) == 1
    assert 'no images' in caplog.text
    assert main([*arguments, '--set', 'model.widht=3']) == 1
    assert 'model.widht' in caplog.text


def test_command_trains_and_its_checkpoint_can_be_evaluated(
    small_recipe: Recipe, town: Path, tmp_path: Path
) -> None:
    config = write_recipe(small_recipe, tmp_path / 'recipe.yaml')
    output = tmp_path / 'run'
    arguments = ['--config', config, '--data', str(town), '--output', str(output)]
    arguments += ['--set', 'optimisation.iterations=2', '--device', 'cpu']
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


def test_a_split_for_validation_is_needed_only_where_something_asks_for_it(
    small_recipe: Recipe, data: Path, tmp_path: Path
) -> None:
    recipe = with_optimisation(small_recipe, iterations=1, warmup_iterations=0)
    shutil.rmtree(data / 'leftImg8bit' / 'val')
    asking = with_monitoring(recipe, validate_every=0, picture_every=2)
    with pytest.raises(DataError, match=r'needed for monitoring.picture_every=2: give data.val'):
        train(asking, data, tmp_path / 'asking')
    silent = with_monitoring(recipe, validate_every=0, picture_every=0)
    assert train(silent, data, tmp_path / 'silent').step_count == 1


def test_splits_and_folders_of_any_name_are_trained_on(
    small_recipe: Recipe, data: Path, tmp_path: Path
) -> None:
    (data / 'leftImg8bit').rename(data / 'pictures')
    for kind in ('pictures', 'gtFine'):
        (data / kind / 'train').rename(data / kind / 'night')
        (data / kind / 'val').rename(data / kind / 'day')
        for path in (data / 'pictures').rglob('*_leftImg8bit.png'):
            path.rename(path.with_name(path.name.replace('leftImg8bit', 'pictures')))
    recipe = with_monitoring(
        with_optimisation(small_recipe, iterations=1, warmup_iterations=0), validate_every=1
    )
    own = {'images': 'pictures/SPLIT', 'train_split': 'night', 'validation_split': 'day'}
    recipe = replace(recipe, data=replace(recipe.data, **own))
    assert train(recipe, data, tmp_path / 'run').best_quality >= 0


def test_fine_tuning_onto_other_classes_from_the_command_line(
    small_recipe: Recipe, checkpoint: Path, town: Path, tmp_path: Path
) -> None:
    """Its table is kept beside the logs, and a second call goes on as any run does."""
    values = small_recipe.to_dict()
    for entry in values['data']['label_set']['classes']:
        entry['name'] = {'car': 'auto', 'sky': 'himmel'}.get(entry['name'], entry['name'])
    values['initial'] = {'weights': 'checkpoint', 'head_rows': 'by_name'}
    recipe, output = tmp_path / 'recipe.yaml', tmp_path / 'out'
    recipe.write_text(yaml.safe_dump(values))
    command = [
        *('--config', str(recipe), '--data', str(town), '--output', str(output)),
        *('--initial', str(checkpoint), '--workers', '0', '--device', 'cpu'),
        *('--set', 'initial.renamed={auto: car}', '--set', 'optimisation.iterations=2'),
    ]
    assert main(command) == 0
    table = (output / 'initial_weights.txt').read_text()
    assert table.startswith(f'{checkpoint}\nclass ')
    assert 'auto           car' in table
    assert 'moved: 18\nnew, drawn: 1 (himmel)\ndropped: 1 (sky)\n' in table
    assert main(command) == 0
    assert len(read_losses(output)) == 2
    assert main([*command, '--set', 'initial.renamed={auto: bus}']) == 1
