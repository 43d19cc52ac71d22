# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training works: eight images are learned by heart, and the published recipe's losses fall."""

import csv
from pathlib import Path

import pytest
import torch
import yaml

from tests.fakes.town import write_frame
from training.distributed import Processes
from training.recipe.reading import load_recipe
from training.run import run
from training.train import main
from training.trainer import Trainer
from training.validation import Validation

RECIPES = Path(__file__).parents[2] / 'config' / 'training'
SMALL_IMAGES = (
    'data.train_short_sides=[96]',
    'data.max_long_side=160',
    'data.test_short_side=96',
    'data.test_max_long_side=160',
)


@pytest.fixture(scope='module')
def eight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight frames of 160x96 pixels, to be learned and to be asked for."""
    root = tmp_path_factory.mktemp('eight')
    for index in range(8):
        for split in ('train', 'val'):
            write_frame(root, split, index, size=(96, 160))
    return root


def read_losses(output: Path) -> list[dict[str, float]]:
    with (output / 'losses.csv').open() as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


def test_eight_images_are_learned_by_heart(eight: Path, tmp_path: Path) -> None:
    recipe = load_recipe(
        RECIPES / 'ablation_upsnet.yaml',
        overrides=[
            *SMALL_IMAGES,
            'optimisation.iterations=150',
            'optimisation.warmup_iterations=20',
            'optimisation.learning_rate=2e-3',
            'optimisation.weight_decay=0.0',
            'optimisation.average_decay=0.95',
            'optimisation.precision=float32',
        ],
    )
    trainer = Trainer(recipe)
    run(trainer, eight, tmp_path, workers=0)
    rows = read_losses(tmp_path)
    names = set(rows[0]) - {'step', 'total', 'rate', 'gradient'}
    assert len(names) == 8
    for name in names:
        # The boxes of a network that calls everything background cost nothing, so the start of
        # a loss is its highest point.
        first = max(row[name] for row in rows[:40])
        last = sum(row[name] for row in rows[-5:]) / 5
        assert last < 0.35 * first, name
    validation = Validation(recipe, eight, Processes(0, 1, torch.device('cpu')))
    with trainer.evaluated_weights() as model:
        figures = validation.figures(model)
    assert figures['pq'] > 90  # 92 to 93 where it was measured


def test_losses_of_the_published_recipe_fall(eight: Path, tmp_path: Path) -> None:
    """The full UPSNet-50 from random weights on small images, a few steps."""
    values = yaml.safe_load((RECIPES / 'upsnet_r50_cityscapes.yaml').read_text())
    values['model'] |= {'normalisation': 'batch', 'frozen_stages': 0}
    values['initial']['weights'] = 'none'
    values['monitoring'] |= {'validate_every': 0, 'picture_every': 0}
    recipe = tmp_path / 'recipe.yaml'
    recipe.write_text(yaml.safe_dump(values))
    changes = [
        *SMALL_IMAGES,
        'optimisation.batch_size=2',
        'optimisation.reference_batch_size=2',
        'optimisation.iterations=8',
        'optimisation.warmup_iterations=2',
        'optimisation.decay_at=[7]',
        'optimisation.learning_rate=0.002',
        'losses.train_pre_nms=200',
        'losses.rois_per_image=64',
        'losses.foreground_rois=16',
    ]
    command = ['--config', str(recipe), '--data', str(eight), '--output', str(tmp_path / 'run')]
    command += ['--workers', '0', '--device', 'cpu', *(f'--set={text}' for text in changes)]
    assert main(command) == 0
    rows = read_losses(tmp_path / 'run')
    first = sum(row['total'] for row in rows[:2]) / 2
    last = sum(row['total'] for row in rows[-2:]) / 2
    assert last < 0.8 * first
