# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A whole run: data checked, steps, checkpoints, validations, pictures."""

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from training.checkpoint import save_checkpoint
from training.data.checked import check_data_set
from training.data.errors import DataError
from training.data.formats import open_data_set
from training.data.frames import FrameReader
from training.data.loader import SampleLoader
from training.data.sample import Sample
from training.data.sharded_batches import ShardedBatches
from training.data.training_set import TrainingSet
from training.memory import validation_memory_guard
from training.recipe.monitoring import MonitoringRecipe
from training.run_log import RunLog
from training.trainer import Trainer
from training.validation import Validation

LOGGER = logging.getLogger(__name__)


def run(trainer: Trainer, data: Path, output: Path, *, workers: int) -> float:
    """Train until the recipe's last step, with a progress bar and a log.

    Args:
        trainer: A fresh or restored trainer.
        data: Folder of the data set in the recipe's format.
        output: Folder of checkpoints and logs.
        workers: Processes that read images, per device.

    Returns:
        Share of the time that was spent waiting for images, 0 to 1.

    Raises:
        UpsnetError: If the data cannot be used, the numbers are not finite or memory is short.
    """
    recipe, processes = trainer.recipe, trainer.processes
    total = recipe.optimisation.steps
    loader = open_loader(trainer, data, output, workers=workers)
    validation = Validation(recipe, data, processes) if needs_validation(trainer) else None
    started = trainer.step_count
    log = RunLog(output, start=started, total=total, is_first=processes.is_first)
    with log, loader.deaths_named():
        for parts, waited, begun in timed_steps(loader, recipe.optimisation.accumulation_steps):
            report = trainer.step(parts)
            passed = time.monotonic() - begun
            trainer.seconds += passed
            log.step(trainer.step_count, report, waited=waited, passed=passed)
            if validation is not None:
                with validation_memory_guard(recipe, device=processes.device):
                    watch(trainer, validation, log, output)
            if trainer.step_count % recipe.monitoring.save_every == 0:
                log.flush()
                save(trainer, output / 'last.pt')
        share = log.waiting_share
    save(trainer, output / 'last.pt')
    save(trainer, output / 'final.pt')
    if processes.is_first and trainer.step_count > started:
        LOGGER.info('done; %.1f %% of the time was spent waiting for images', 100 * share)
    return share


def open_loader(trainer: Trainer, data: Path, output: Path, *, workers: int) -> SampleLoader:
    """Check the data and open a loader of this process's parts of all steps still to do."""
    recipe, processes = trainer.recipe, trainer.processes
    values, labels = recipe.optimisation, recipe.data.label_set
    reader = open_data_set(data, recipe.data.format, labels, recipe.data.places)
    train, validation = recipe.data.train_split, recipe.data.validation_split
    if needs_validation(trainer):
        require_validation_split(reader, validation, recipe.monitoring)
    splits = dict.fromkeys((train, validation) if needs_validation(trainer) else (train,))
    if not processes.is_first:
        processes.wait()  # for the first one's check, which the others then read
    found = {
        split: check_data_set(
            reader, split, labels, cache=output / 'data_check.json', workers=max(workers, 1)
        )
        for split in splits
    }
    if processes.is_first:
        processes.wait()
        for summary in found.values():
            LOGGER.info('%s', summary)
    drop = recipe.data.images_without_things == 'drop'
    dataset = TrainingSet(
        reader,
        found[train].usable_frames(drop_without_things=drop),
        labels,
        recipe=recipe.data,
        draw_polygons=recipe.losses.mask_targets == 'polygon',
        seed=values.seed,
    )
    batches = ShardedBatches(
        len(dataset),
        batch_size=values.batch_size,
        seed=values.seed,
        start=trainer.step_count,
        count=values.steps,
        rank=processes.rank,
        world=processes.world,
        accumulation=values.accumulation_steps,
    )
    pinned = processes.device.type == 'cuda'
    return SampleLoader(dataset, batches, workers=workers, pin_memory=pinned)


def require_validation_split(
    reader: FrameReader, split: str, monitoring: MonitoringRecipe
) -> None:
    """Refuse a data set without the split that validations and pictures are of.

    Raises:
        DataError: If it is not there; names the keys that ask for it.
    """
    try:
        reader.frames(split)
    except DataError as error:
        keys = ('validate_every', 'picture_every')
        asking = [
            f'monitoring.{key}={value}' for key in keys if (value := getattr(monitoring, key))
        ]
        raise DataError(
            f'{error}. It is needed for {" and ".join(asking)}: give data.validation_split, or '
            'set these keys to 0'
        ) from error


def timed_steps(
    loader: Iterable[list[Sample]], parts: int
) -> Iterator[tuple[list[list[Sample]], float, float]]:
    """The parts of each step, the seconds waited for them, and when the waiting began."""
    batches = iter(loader)
    while True:
        begun = time.monotonic()
        step = []
        for _ in range(parts):
            batch = next(batches, None)
            if batch is None:
                return
            step.append(batch)
        yield step, time.monotonic() - begun, begun


def needs_validation(trainer: Trainer) -> bool:
    """Whether the recipe asks for validations or pictures while training."""
    values = trainer.recipe.monitoring
    return bool(values.validate_every or values.picture_every)


def watch(trainer: Trainer, validation: Validation, log: RunLog, output: Path) -> None:
    """Validate and draw where the recipe says so; keep the best checkpoint."""
    values, step = trainer.recipe.monitoring, trainer.step_count
    if values.picture_every and step % values.picture_every == 0 and trainer.processes.is_first:
        with trainer.evaluated_weights() as model:
            for name, picture in validation.pictures(model):
                log.picture(step, name, picture)
    if values.validate_every and step % values.validate_every == 0:
        with trainer.evaluated_weights() as model:
            # Statistics that each process gathers by itself: the first one's are saved.
            trainer.processes.follow_first(model.buffers())
            figures = validation.figures(model)
        log.validation(step, figures)
        if figures[validation.decisive] > trainer.best_quality:
            trainer.best_quality = figures[validation.decisive]
            save(trainer, output / 'best.pt')


def save(trainer: Trainer, path: Path) -> None:
    """Write the state; the first process does, the others wait for it."""
    if trainer.processes.is_first:
        save_checkpoint(trainer.checkpoint(), path)
    trainer.processes.wait()
