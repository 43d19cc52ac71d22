# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run the paper's ablation study: ``python -m training.ablation --data DIR --output DIR``.

Trains every network of tables 6 and 8 of the paper once per seed, evaluates every row, and writes
results.json and ablation.md. Seeds come one after the other, so that what is there after a stop
is complete; the same command goes on where it stopped.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import json
import logging
import sys
from pathlib import Path

from training.ablation.report import format_report
from training.ablation.study import ABLATION, COMPARISON, PSPNET, TRAININGS, Row
from training.evaluate import main as evaluate
from training.interruption import interruptible
from training.train import main as train
from upsnet_ros.core.errors import UpsnetError

LOGGER = logging.getLogger(__name__)
RECIPES = Path(__file__).parents[2] / 'config' / 'training'


class StudyError(UpsnetError):
    """A training or an evaluation of the study that failed."""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the study."""
    parser = argparse.ArgumentParser(
        prog='python -m training.ablation',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--data', type=Path, required=True, help='folder of the data set')
    parser.add_argument('--output', type=Path, required=True, help='runs and results')
    parser.add_argument(
        '--config', type=Path, default=RECIPES / 'ablation_upsnet.yaml', help='base recipe'
    )
    parser.add_argument(
        '--pspnet', type=Path, default=RECIPES / 'ablation_pspnet.yaml', help='recipe of PSPNet'
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[1, 2, 3])
    parser.add_argument('--limit', type=int, help='evaluate only the first N images')
    parser.add_argument(
        '--set', action='append', default=[], dest='overrides', metavar='SECTION.KEY=VALUE',
        help='replace a value in every recipe, for a shorter study; repeatable',
    )  # fmt: skip
    parser.add_argument('--workers', type=int, default=1, help='processes that read images')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    results: dict[str, dict[str, dict]] = {}
    try:
        for seed in options.seeds:
            for name in (*TRAININGS, PSPNET):
                train_once(name, seed, options)
                for row in rows_ready(options.output, seed):
                    metrics = evaluate_once(row, seed, options)
                    results.setdefault(row.key, {})[str(seed)] = metrics
                write_results(results, options.output)
    except UpsnetError as error:
        LOGGER.error('study stopped: %s', error)
        return 1
    LOGGER.info('written to %s', options.output / 'ablation.md')
    return 0


def run_folder(output: Path, name: str, seed: int) -> Path:
    """Where a training writes."""
    return output / f'{name}_seed{seed}'


def train_once(name: str, seed: int, options: argparse.Namespace) -> None:
    """Train one network unless it is there."""
    folder = run_folder(options.output, name, seed)
    if (folder / 'final.pt').exists():
        return
    LOGGER.info('training %s, seed %d', name, seed)
    config = options.pspnet if name == PSPNET else options.config
    overrides = [*TRAININGS.get(name, ()), f'optimisation.seed={seed}', *options.overrides]
    command = ['--config', str(config), '--data', str(options.data), '--output', str(folder)]
    command += ['--workers', str(options.workers)]
    if train([*command, *(f'--set={text}' for text in overrides)]) != 0:
        raise StudyError(f'training {name} with seed {seed} failed; see the messages above')


def rows_ready(output: Path, seed: int) -> list[Row]:
    """The rows whose networks are trained."""
    return [
        row
        for row in (*ABLATION, *COMPARISON)
        if all((run_folder(output, n, seed) / 'final.pt').exists() for n in networks_of(row))
    ]


def networks_of(row: Row) -> tuple[str, ...]:
    """Names of the trainings that a row needs."""
    return (row.training, PSPNET) if row.training == 'mask_rcnn' else (row.training,)


def evaluate_once(row: Row, seed: int, options: argparse.Namespace) -> dict:
    """Metrics of one row, measured unless they are there."""
    folder = options.output / 'rows' / f'{row.key}_seed{seed}'
    path = folder / 'metrics.json'
    if not path.exists():
        LOGGER.info('evaluating %s, seed %d', row.title, seed)
        model = run_folder(options.output, row.training, seed) / 'final.pt'
        command = ['--model', str(model), '--data', str(options.data), '--output', str(folder)]
        if row.training == 'mask_rcnn':
            second = run_folder(options.output, PSPNET, seed) / 'final.pt'
            command += ['--semantic-model', str(second)]
        if options.limit:
            command += ['--limit', str(options.limit)]
        command += ['--no-ap', '--no-predictions']
        if evaluate([*command, *row.options]) != 0:
            raise StudyError(f'evaluating {row.title} with seed {seed} failed; see above')
    return json.loads(path.read_text())


def write_results(results: dict[str, dict[str, dict]], output: Path) -> None:
    """Write the figures of all rows and the tables made of them."""
    figures = {
        key: {
            seed: {group: metrics['pq'][group]['pq'] for group in ('all', 'things', 'stuff')}
            for seed, metrics in seeds.items()
        }
        for key, seeds in results.items()
    }
    (output / 'results.json').write_text(json.dumps(figures, indent=2) + '\n')
    (output / 'ablation.md').write_text(format_report(figures))


if __name__ == '__main__':
    sys.exit(interruptible(main, 'interrupted; the same command goes on from the last checkpoint'))
