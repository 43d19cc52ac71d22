# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Does a network of 8 classes help to learn 19? Fine-tuned by name, beside random weights.

A light UPSNet learns 8 classes of synthetic streets. Then the same recipe learns all 19 on other,
fewer streets twice: from that checkpoint (``initial.head_rows: by_name``) and from nothing, with
the same images in the same order. Both are measured on the same frames of unseen streets.
"""

import argparse
import csv
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.results import write_results  # noqa: E402
from training.distributed import Processes  # noqa: E402 - after the path of this checkout
from training.recipe.initial import InitialRecipe  # noqa: E402
from training.recipe.reading import load_recipe  # noqa: E402
from training.recipe.recipe import Recipe  # noqa: E402
from training.run import run  # noqa: E402
from training.synthetic.__main__ import main as make_drives  # noqa: E402
from training.train import prepare  # noqa: E402

RECIPE = ROOT / 'config' / 'training' / 'ablation_upsnet.yaml'
KNOWN = ('road', 'sidewalk', 'building', 'vegetation', 'sky', 'person', 'car', 'bicycle')
SIZE = (256, 128)  # width and height of the images
FIRST_IMAGES, IMAGES, UNSEEN_IMAGES = 48, 24, 16
FIGURES = ('pq', 'miou')


def make_recipe(steps: int, *, measure_every: int = 0) -> Recipe:
    """The light UPSNet for all 19 classes and small images."""
    width, height = SIZE
    values = {
        'data.train_short_sides': [height],
        'data.max_long_side': width,
        'data.test_short_side': height,
        'data.test_max_long_side': width,
        'data.input_height': height,
        'data.input_width': width,
        'optimisation.iterations': steps,
        'optimisation.warmup_iterations': max(steps // 10, 1),
        'optimisation.average_decay': 0,
        'optimisation.precision': 'float32',
        'monitoring.save_every': steps,
        'monitoring.validate_every': measure_every,
        'monitoring.validation_images': 0,
        'panoptic_head.stuff_area_limit': 128,
    }
    return load_recipe(RECIPE, overrides=[f'{key}={value}' for key, value in values.items()])


def of_known_classes(recipe: Recipe) -> Recipe:
    """The recipe for 8 of its classes; pixels of the others are void."""
    labels = recipe.data.label_set
    kept = [entry for entry in labels.classes if entry.name in KNOWN]
    classes = tuple(replace(entry, train_id=index) for index, entry in enumerate(kept))
    label_set = replace(labels, name='eight', classes=classes)
    return replace(recipe, data=replace(recipe.data, label_set=label_set))


def train(recipe: Recipe, data: Path, output: Path, initial: Path | None = None) -> None:
    """A whole run."""
    output.mkdir()
    trainer = prepare(recipe, output, Processes(0, 1, torch.device('cpu')), initial=initial)
    run(trainer, data, output, workers=0)


def read_figures(output: Path, every: int) -> list[dict[str, float]]:
    """The validations of a run, each with the mean loss since the one before."""
    rows: list[list[dict[str, str]]] = []
    for name in ('losses.csv', 'validation.csv'):
        with (output / name).open() as file:
            rows.append(list(csv.DictReader(file)))
    losses = [float(row['total']) for row in rows[0]]
    return [
        {'step': (index + 1) * every, 'loss': sum(losses[index * every :][:every]) / every}
        | {name: float(row[name]) for name in FIGURES}
        for index, row in enumerate(rows[1])
    ]


def measure(first_steps: int, steps: int, points: int) -> dict[str, Any]:
    """Train three times; returns the figures of the two runs that learn 19 classes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = ['--size', 'x'.join(map(str, SIZE))]
        for drives, seed, counts in (
            ('first', '11', ['--train', str(FIRST_IMAGES)]),
            ('second', '12', ['--train', str(IMAGES), '--val', str(UNSEEN_IMAGES)]),
        ):
            make_drives(['--output', str(folder / drives), '--seed', seed, *counts, *size])
        every = steps // points
        first, recipe = make_recipe(first_steps), make_recipe(steps, measure_every=every)
        train(of_known_classes(first), folder / 'first', folder / 'eight')
        by_name = InitialRecipe(weights='checkpoint', head_rows='by_name')
        tuned = replace(recipe, initial=by_name)
        train(tuned, folder / 'second', folder / 'by_name', folder / 'eight' / 'final.pt')
        train(recipe, folder / 'second', folder / 'none')
        return {run: read_figures(folder / run, every) for run in ('by_name', 'none')}


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    parser.add_argument('--first-steps', type=int, default=100, help='on 8 classes')
    parser.add_argument('--steps', type=int, default=40, help='on 19 classes, of each run')
    parser.add_argument('--points', type=int, default=4, help='measurements of each run')
    options = parser.parse_args()
    torch.set_num_threads(1)
    runs = measure(options.first_steps, options.steps, options.points)
    print('steps on 19 classes: by name / from nothing')
    for tuned, plain in zip(runs['by_name'], runs['none'], strict=True):
        figures = ', '.join(
            f'{name} {tuned[name]:.2f} / {plain[name]:.2f}' for name in ('loss', *FIGURES)
        )
        print(f'{tuned["step"]:4.0f}: {figures}')
    values = {'first_steps': options.first_steps, 'size': SIZE, **runs}
    write_results(options.output, 'fine_tuning', (torch,), values)
    return 0


if __name__ == '__main__':
    sys.exit(main())
