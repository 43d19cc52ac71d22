# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
r"""Train from a recipe, on one device or on many.

One device:   python -m training.train --config RECIPE --data DIR --output DIR
Eight GPUs:   torchrun --nproc-per-node=8 -m training.train --config ... (same arguments)
Machines:     torchrun --nnodes=4 --nproc-per-node=8 --rdzv-backend=c10d \
                  --rdzv-endpoint=HOST:29500 --max-restarts=3 -m training.train ...

The output folder receives last.pt (everything to resume), best.pt (of the best validation),
final.pt, losses.csv, validation.csv and tensorboard/. A run that was stopped or killed goes on
from last.pt with the same command, on any number of devices.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import json
import logging
import sys
from pathlib import Path

import torch

from training.checkpoint import load_checkpoint
from training.distributed import Processes, joined_processes
from training.initial_weights import initialise
from training.interruption import interruptible
from training.recipe.errors import RecipeError
from training.recipe.reading import load_recipe
from training.recipe.recipe import Recipe
from training.run import run
from training.trainer import Trainer
from upsnet_ros.core.errors import ModelError, UpsnetError
from upsnet_ros.core.json_lines import differences

LOGGER = logging.getLogger(__name__)
# Keys that change how a run is computed or told, not what it learns.
FREE_OPTIMISATION_KEYS = ('accumulation_steps', 'gradient_checkpointing')


def whole_number(text: str) -> int:
    """A number from 0 up, for argparse."""
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{text}: expected 0 or more')
    return value


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the training command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.train',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--config', type=Path, required=True, help='recipe (YAML)')
    parser.add_argument('--data', type=Path, required=True, help='folder of the data set')
    parser.add_argument(
        '--output',
        type=Path,
        required=True,
        help='folder of checkpoints and logs, the same for all machines',
    )
    parser.add_argument(
        '--initial',
        type=Path,
        help="file of the recipe's initial.weights: a Caffe/MSRA or torchvision ResNet (.pth), or "
        'a checkpoint of ours (.pt) or a model exported from one (.onnx)',
    )
    parser.add_argument(
        '--set',
        action='append',
        default=[],
        dest='overrides',
        metavar='SECTION.KEY=VALUE',
        help='replace a value of the recipe, for example optimisation.batch_size=4; repeatable',
    )
    parser.add_argument(
        '--workers',
        type=whole_number,
        default=2,
        help='processes that read images, per device (default: 2)',
    )
    parser.add_argument('--device', choices=('auto', 'cpu', 'cuda'), default='auto')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    try:
        recipe = load_recipe(options.config, overrides=options.overrides)
        options.output.mkdir(parents=True, exist_ok=True)
        with joined_processes(options.device) as processes:
            trainer = prepare(recipe, options.output, processes, initial=options.initial)
            run(trainer, options.data, options.output, workers=options.workers)
    except (UpsnetError, OSError) as error:
        LOGGER.error('training stopped: %s', error)
        return 1
    return 0


def prepare(
    recipe: Recipe, output: Path, processes: Processes, *, initial: Path | None = None
) -> Trainer:
    """A trainer that goes on from the output folder's last checkpoint where there is one.

    Raises:
        UpsnetError: If a checkpoint is damaged or of another recipe or network, the initial
            weights do not fit, or the processes do not find the same checkpoint.
    """
    last = output / 'last.pt'
    if last.exists():
        checkpoint = load_checkpoint(last)
        refuse_other_recipe(recipe, checkpoint.recipe, last)
        trainer = Trainer(recipe, processes)
        trainer.restore(checkpoint)
        if processes.is_first:
            LOGGER.info('going on from %s at step %d', last, checkpoint.step)
    else:
        reports = []
        trainer = Trainer(
            recipe,
            processes,
            initialise=lambda model: reports.append(initialise(model, recipe, initial)),
        )
        if processes.is_first and reports[0]:
            (output / 'initial_weights.txt').write_text(f'{initial}\n{reports[0]}\n')
    refuse_other_starts(trainer, last)
    return trainer


def refuse_other_starts(trainer: Trainer, path: Path) -> None:
    """Raise a ModelError unless all processes stand at the same step.

    Where each machine has an output folder of its own, only the first one's holds a checkpoint.
    """
    step = trainer.step_count
    if trainer.processes.mean(torch.tensor([step], dtype=torch.float64)).item() != step:
        raise ModelError(
            f'process {trainer.processes.rank} would start at step {step} and others at another; '
            f'expected {path} to be the same file for all of them: give an --output that all '
            'machines share'
        )


def refuse_other_recipe(wanted: Recipe, found: Recipe, path: Path) -> None:
    """Raise a RecipeError that names the first key in which two recipes differ.

    Keys that change how a run is computed or told may differ.
    """
    values, others = wanted.to_dict(), found.to_dict()
    for recipe in (values, others):
        recipe.pop('monitoring')
        for key in FREE_OPTIMISATION_KEYS:
            recipe['optimisation'].pop(key)
    for name, (theirs, mine) in differences(json.loads(json.dumps(others)), values).items():
        raise RecipeError(
            f'{path} was written with another recipe: {name} is {theirs!r} there and {mine!r} '
            'here; give the recipe it was started with, or another --output'
        )


if __name__ == '__main__':
    sys.exit(interruptible(main, 'interrupted; the same command goes on from the last checkpoint'))
