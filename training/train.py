# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Train a UPSNet from a recipe: ``python -m training.train --config ... --data ... --output ...``.

The output folder receives ``last.pt`` (everything to resume), ``losses.csv`` and, at the end,
``final.pt``. A run that was stopped goes on from ``last.pt`` with the same command.
"""

import argparse
import logging
import math
import sys
import time
from pathlib import Path

import torch
from tqdm import tqdm

from training.build import (
    build_criterion,
    build_label_set,
    build_model,
    build_recipe_optimiser,
    build_schedule,
)
from training.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from training.recipe.reading import load_recipe
from training.recipe.recipe import Recipe
from training.data.cityscapes import find_frames
from training.data.loader import EndlessBatches, TrainingSet, make_loader
from training.data.sample import Sample
from training.divergence import TrainingDiverged
from training.loss_log import LossLog
from training.losses.criterion import Criterion
from training.models.upsnet import UPSNet
from training.optimisation import AveragedWeights, set_rate
from upsnet_ros.core.errors import UpsnetError

LOGGER = logging.getLogger(__name__)
SAVE_EVERY = 200  # iterations between checkpoints


class Trainer:
    """State of a run: model, optimiser, averages and where it stands.

    Args:
        recipe: What to train.
        output: Folder of checkpoints and logs.
        initial: Weights to start from instead of random ones.
    """

    def __init__(
        self, recipe: Recipe, output: Path, *, initial: dict[str, torch.Tensor] | None = None
    ) -> None:
        self.recipe = recipe
        self.output = output
        self.generator = torch.Generator().manual_seed(recipe.optimisation.seed)
        torch.manual_seed(recipe.optimisation.seed)
        self.model: UPSNet = build_model(recipe).to(memory_format=torch.channels_last).train()
        if initial is not None:
            load_weights(self.model, initial)
        self.criterion: Criterion = build_criterion(recipe, self.generator)
        self.optimiser = build_recipe_optimiser(recipe, self.model)
        self.schedule = build_schedule(recipe)
        decay = recipe.optimisation.average_decay
        self.averaged = AveragedWeights(self.model, decay=decay) if decay else None
        self.iteration = 0
        self.seconds = 0.0

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint of the same recipe.

        Raises:
            UpsnetError: If the checkpoint belongs to another recipe.
        """
        if checkpoint.recipe != self.recipe:
            raise UpsnetError(
                f'{self.output / "last.pt"} was written with another recipe; give the recipe it '
                'was started with, or another --output folder'
            )
        load_weights(self.model, checkpoint.model)
        self.optimiser.load_state_dict(checkpoint.optimiser)
        self.generator.set_state(checkpoint.generator)
        if self.averaged is not None:
            self.averaged.state = checkpoint.averaged
        self.iteration, self.seconds = checkpoint.iteration, checkpoint.seconds

    def save(self, name: str) -> None:
        """Write a checkpoint into the output folder."""
        checkpoint = Checkpoint(
            recipe=self.recipe,
            iteration=self.iteration,
            model=self.model.state_dict(),
            averaged=self.averaged.state if self.averaged else None,
            optimiser=self.optimiser.state_dict(),
            generator=self.generator.get_state(),
            seconds=self.seconds,
        )
        save_checkpoint(checkpoint, self.output / name)

    def step(self, batch: list[Sample]) -> dict[str, float]:
        """One update; returns the weighted losses.

        Raises:
            TrainingDiverged: If features, a loss or a gradient are not finite; the weights and
                their average are then as they were.
        """
        values = self.recipe.optimisation
        images = [sample.name for sample in batch]
        rate = self.schedule.rate_at(self.iteration)
        set_rate(self.optimiser, rate)
        with torch.autocast('cpu', torch.bfloat16, enabled=values.precision == 'bfloat16'):
            losses = self.criterion(self.model, batch)
        report = {name: loss.item() for name, loss in losses.items()}
        for name, value in report.items():
            if not math.isfinite(value):
                raise TrainingDiverged(
                    f'loss {name} is {value} at iteration {self.iteration}', images
                )
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        limit = values.clip_gradient_norm or math.inf
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), limit).item()
        if not math.isfinite(norm):
            raise TrainingDiverged(f'the gradient is {norm} at iteration {self.iteration}', images)
        self.optimiser.step()
        self.iteration += 1
        if self.averaged is not None:
            self.averaged.update(self.model, self.iteration)
        return report | {'total': sum(report.values()), 'rate': rate}


def run(trainer: Trainer, data: Path, *, workers: int) -> None:
    """Train until the recipe's last iteration, with a progress bar and a log.

    Args:
        trainer: A fresh or restored trainer.
        data: Folder in Cityscapes layout.
        workers: Processes that read images.
    """
    values = trainer.recipe.optimisation
    dataset = TrainingSet(
        find_frames(data, 'train'),
        build_label_set(trainer.recipe),
        short_sides=trainer.recipe.data.train_short_sides,
        max_long_side=trainer.recipe.data.max_long_side,
        seed=values.seed,
    )
    batches = EndlessBatches(
        len(dataset),
        batch_size=values.batch_size,
        seed=values.seed,
        start=trainer.iteration,
        count=values.iterations,
    )
    loader = make_loader(dataset, batches, workers=workers)
    bar = tqdm(total=values.iterations, initial=trainer.iteration, unit='it', dynamic_ncols=True)
    with bar, LossLog(trainer.output / 'losses.csv', start=trainer.iteration) as log:
        smooth: dict[str, float] = {}
        for batch in loader:
            started = time.monotonic()
            report = trainer.step(batch)
            trainer.seconds += time.monotonic() - started
            for name, value in report.items():
                smooth[name] = 0.95 * smooth.get(name, value) + 0.05 * value
            log.write(trainer.iteration, report)
            bar.set_postfix({'loss': f'{smooth["total"]:.3f}', 'rate': f'{report["rate"]:.1e}'})
            bar.update()
            if trainer.iteration % SAVE_EVERY == 0:
                log.flush()
                trainer.save('last.pt')
    trainer.save('last.pt')
    trainer.save('final.pt')


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the training command."""
    parser = argparse.ArgumentParser(prog='python -m training.train', description=__doc__)
    parser.add_argument('--config', type=Path, required=True, help='recipe (YAML)')
    parser.add_argument('--data', type=Path, required=True, help='folder in Cityscapes layout')
    parser.add_argument('--output', type=Path, required=True, help='checkpoints and logs')
    parser.add_argument('--workers', type=int, default=1, help='processes that read images')
    parser.add_argument(
        '--initial', type=Path, help='checkpoint whose weights to start from, of the same model'
    )
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        trainer = prepare(load_recipe(options.config), options.output, initial=options.initial)
        run(trainer, options.data, workers=options.workers)
    except UpsnetError as error:
        LOGGER.error('training stopped: %s', error)
        return 1
    except KeyboardInterrupt:
        LOGGER.info('interrupted; the same command goes on from %s/last.pt', options.output)
        return 130
    return 0


def prepare(recipe: Recipe, output: Path, *, initial: Path | None) -> Trainer:
    """A trainer that goes on from the output folder's last checkpoint where there is one.

    Raises:
        UpsnetError: If a checkpoint is damaged or of another recipe or network.
    """
    last = output / 'last.pt'
    if last.exists():
        trainer = Trainer(recipe, output)
        trainer.restore(load_checkpoint(last))
        LOGGER.info('resuming %s at iteration %d', last, trainer.iteration)
        return trainer
    weights = load_checkpoint(initial).best_weights if initial else None
    return Trainer(recipe, output, initial=weights)


if __name__ == '__main__':
    sys.exit(main())
