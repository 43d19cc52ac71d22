#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates a model on a rosbag2 without ROS: how good, how fast, how steady.

python -m upsnet_ros.evaluation.replay BAG --model model.onnx --output out/drive
ros2 run upsnet_ros replay_evaluation BAG --model model.onnx --output out/drive
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tqdm import tqdm

from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.errors import EvaluationError, UpsnetError
from upsnet_ros.evaluation.compared_labels import write_compared_pictures
from upsnet_ros.evaluation.comparison import compare_reports
from upsnet_ros.evaluation.comparison_data import COMPARISON_FILE, write_comparison
from upsnet_ros.evaluation.comparison_text import comparison_text
from upsnet_ros.evaluation.models_page import write_models_page
from upsnet_ros.evaluation.paired_bootstrap import BootstrapOptions
from upsnet_ros.evaluation.replay_arguments import (
    FAILED,
    INTERRUPTED,
    REQUIREMENT_MISSED,
    add_bag,
    add_gate,
    add_images,
    camera_list,
    epilog,
    read_baseline,
)
from upsnet_ros.evaluation.replay_evaluation import Progress, ReplayOptions, evaluate_replay
from upsnet_ros.evaluation.replay_page import write_replay_page
from upsnet_ros.evaluation.replay_places import (
    ModelPlace,
    model_places,
    refuse_unlike_models,
)
from upsnet_ros.evaluation.replay_report import ReplayReport
from upsnet_ros.evaluation.replay_summary import summary_text
from upsnet_ros.evaluation.requirements import OF_FRAMES, OF_RUN, Requirement, failures
from upsnet_ros.installed_files import default_model_path
from upsnet_ros.pipeline import PanopticPipeline

EXAMPLES = """\
examples:
  replay_evaluation drive --model model.onnx --output out/drive
  replay_evaluation drive --output out/drive --require "pq>=50" --require "latency_p95_ms<=80"
  replay_evaluation drive --model old.onnx --model new.onnx --output out/both

"""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='replay_evaluation',
        description='Evaluate a model on a rosbag2: how good, how fast, how steady.',
        epilog=EXAMPLES + epilog(OF_FRAMES),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_bag(parser)
    add_images(parser)
    add = parser.add_argument
    add(
        '--model',
        action='append',
        type=Path,
        help='model.onnx or .engine (default: the demo model); given again, each is evaluated in '
        'a folder of its own below OUTPUT and compared with the first',
    )
    add(
        '--regions-of-interest',
        action='append',
        default=[],
        metavar='X,Y,W,H',
        help='part of the images that is looked at [px], for all cameras or as CAMERA=X,Y,W,H',
    )
    add(
        '--rotations',
        action='append',
        default=[],
        metavar='DEGREES',
        help='turn them clockwise before, for all cameras or as CAMERA=DEGREES',
    )
    add('--stride', type=int, default=1, metavar='N', help='every N-th image of each camera')
    add('--limit', type=int, metavar='N', help='at most N images of each camera')
    add('--write-png', action='store_true', help='write label images to OUTPUT/labels')
    add('--write-panoptic', action='store_true', help='write labels in COCO panoptic format')
    add('--write-bag', type=Path, metavar='BAG', help='write labels and instances as a rosbag2')
    add_gate(parser)
    return parser.parse_args(arguments)


def options_of(options: argparse.Namespace, place: ModelPlace, *, command: str) -> ReplayOptions:
    """The evaluation of one model that a command line asks for.

    Raises:
        EvaluationError: a number is impossible.
    """
    return ReplayOptions(
        bag=options.bag,
        model=place.model,
        output=place.output,
        cameras=camera_list(options.cameras),
        truths=tuple(options.ground_truth),
        truth_format=options.truth_format,
        regions_of_interest=tuple(options.regions_of_interest),
        rotations=tuple(options.rotations),
        part=BagPart(options.start, options.duration, options.stride, options.limit),
        write_png=options.write_png,
        write_panoptic=options.write_panoptic,
        write_bag=place.write_bag,
        restart=options.restart,
        command=command,
    )


@contextmanager
def progress_bar(name: str) -> Iterator[Progress]:
    """A bar on the terminal with the time that is left, and the function that moves it."""
    with tqdm(unit='frame', desc=f'Evaluating {name}'.strip(), disable=None) as bar:
        is_first = True

        def move(done: int, total: int) -> None:
            nonlocal is_first
            bar.total = max(total, done)
            if is_first:  # what an earlier run did is no part of this one's pace
                bar.initial, is_first = done, False
            bar.update(done - bar.n)

        yield move


def run(options: argparse.Namespace, *, command: str) -> list[str]:
    """Evaluate each model and print; returns why they miss what is required of them.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    requirements = [Requirement.parse(text) for text in options.require]
    for requirement in requirements:
        if requirement.name in OF_RUN:
            raise EvaluationError(
                f'the requirement of {requirement.name} is for live evaluations only; expected '
                f'one of {", ".join(OF_FRAMES)}'
            )
    places = model_places(
        options.model or [default_model_path()], output=options.output, write_bag=options.write_bag
    )
    read_baseline(options.against, outputs=[place.output for place in places])
    if len(places) == 1:
        report = evaluate_model(options, places[0], against=options.against, command=command)
        return failures(requirements, report.total)
    refuse_unlike_models(places)
    missed = []
    for place in places:
        print(f'\n{place.name} ({place.model})')
        is_first = place is places[0]
        against = options.against or (None if is_first else places[0].output)
        report = evaluate_model(options, place, against=against, command=command)
        missed += [f'{place.name}: {reason}' for reason in failures(requirements, report.total)]
    baseline = str(options.against or places[0].name)
    names = [place.name for place in places]
    page = write_models_page(options.output, names, baseline=baseline, command=command)
    print(f'\n  all models: {page}')
    return missed


def evaluate_model(
    options: argparse.Namespace, place: ModelPlace, *, against: Path | None, command: str
) -> ReplayReport:
    """Evaluate one model, write its pages and print its figures.

    Raises:
        UpsnetError: whatever kept it from being done.
    """
    asked = options_of(options, place, command=command)
    with PanopticPipeline.load(
        place.model, backend=options.backend, num_threads=options.threads
    ) as pipeline:
        with progress_bar(place.name) as progress:
            report = evaluate_replay(asked, pipeline, progress)
    print(summary_text(report, place.output))
    write_pages(place.output, against=against)
    return report


def write_pages(folder: Path, *, against: Path | None) -> None:
    """Write the report's page, and before it the comparison with another report.

    Raises:
        UpsnetError: the two reports cannot be compared.
    """
    (folder / COMPARISON_FILE).unlink(missing_ok=True)  # it was of the report before this one
    if against is not None:
        comparison = compare_reports(folder, against, options=BootstrapOptions())
        write_comparison(comparison, folder)
        print(f'\n{comparison_text(comparison)}')
        for reason in write_compared_pictures(comparison, folder):
            print(f'Note: {reason}')
    print(f'  page:   {write_replay_page(folder)}')


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    options = parse_arguments(arguments)
    words = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(['python', '-m', 'upsnet_ros.evaluation.replay', *words])
    # A run that is ended closes what it writes, as one that is interrupted does.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        missed = run(options, command=command)
    except UpsnetError as error:
        print(f'The evaluation failed: {error}', file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        goes_on = 'The same command goes on from here.'
        anew = 'A bag of labels is whole or worthless: remove it and begin anew.'
        print(f'Stopped. {anew if options.write_bag else goes_on}', file=sys.stderr)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    for reason in missed:
        print(f'Requirement missed: {reason}', file=sys.stderr)
    return REQUIREMENT_MISSED if missed else 0


if __name__ == '__main__':
    sys.exit(main())
