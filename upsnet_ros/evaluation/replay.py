#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Evaluates a model on a rosbag2 without ROS: how good, how fast, how steady.

python -m upsnet_ros.evaluation.replay BAG --model model.onnx --output out/drive
ros2 run upsnet_ros replay_evaluation BAG --model model.onnx --output out/drive
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.own_process import keep_memory
from upsnet_ros.evaluation.command import (
    argument_parser,
    common_options,
    present,
    progress_bar,
    run_command,
)
from upsnet_ros.evaluation.comparison_sections import write_models_page
from upsnet_ros.evaluation.figures import OF_FRAMES
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, PAGE_FILE, REPORT_FILE
from upsnet_ros.evaluation.offline import OfflineOptions, evaluate_offline
from upsnet_ros.installed_files import default_model_path
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

EXAMPLES = """\
examples:
  replay_evaluation drive --model model.onnx --output out/drive
  replay_evaluation drive --output out/drive --require "pq>=50" --require "latency_p95_ms<=80"
  replay_evaluation drive --model old.onnx --model new.onnx --output out/both
"""


def read_options(words: Sequence[str], *, command: str) -> tuple[OfflineOptions, ...]:
    """The evaluations that a command line asks for, one for each model.

    Args:
        words: the command line without the program.
        command: what the report says that it was.

    Raises:
        EvaluationError: a value is impossible, or the outputs are those of something else.
        ModelError: no model is named, and the package's own is missing.
    """
    parser = argument_parser(
        'replay_evaluation',
        'Evaluate a model on a rosbag2: how good, how fast, how steady.',
        examples=EXAMPLES,
        figures=OF_FRAMES,
    )
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
    add(
        '--reduce-jpeg',
        action='store_true',
        help="decode JPEG no larger than the network needs, as the node's parameter has it",
    )
    add('--stride', type=int, default=1, metavar='N', help='every N-th image of each camera')
    add('--limit', type=int, metavar='N', help='at most N images of each camera')
    add('--write-png', action='store_true', help='write label images to OUTPUT/labels')
    add('--write-panoptic', action='store_true', help='write labels in COCO panoptic format')
    add('--write-bag', type=Path, metavar='BAG', help='write labels and instances as a rosbag2')
    given = parser.parse_args(words)
    models = given.model or [default_model_path()]
    first = OfflineOptions(
        **common_options(given),
        model=models[0],
        part=BagPart(given.start, given.duration, given.stride, given.limit),
        write_png=given.write_png,
        regions_of_interest=tuple(given.regions_of_interest),
        rotations=tuple(given.rotations),
        write_panoptic=given.write_panoptic,
        write_bag=given.write_bag,
        reduce_jpeg=given.reduce_jpeg,
        backend=given.backend,
        device=given.device,
        precision=given.precision,
        threads=given.threads,
        command=command,
    )
    return (first,) if len(models) == 1 else _for_each_model(first, models)


def _for_each_model(options: OfflineOptions, models: Sequence[Path]) -> tuple[OfflineOptions, ...]:
    """The options of each model, with a folder below that of all reports as its output."""
    output, bag = options.output, options.write_bag
    for name in (REPORT_FILE, FRAMES_FILE):
        if (output / name).exists():
            raise EvaluationError(
                f'{output} holds {name} of a single model, expected a folder for the reports of '
                f'{len(models)}; give another --output'
            )
    return tuple(
        replace(
            options,
            model=model,
            output=output / name,
            write_bag=None if bag is None else bag / name,
        )
        for model, name in zip(models, model_names(models), strict=True)
    )


def model_names(models: Sequence[Path]) -> list[str]:
    """A name for each of several files, all different, also where letter case does not count.

    It is the last parts of the path, as few as tell the files apart: `a/model.onnx` and
    `b/model.onnx` are `a_model` and `b_model`; the suffix stays where only it differs.

    Raises:
        EvaluationError: the same file is given twice, or no names tell the files apart.
    """
    paths = [model.resolve() for model in models]
    if len(set(paths)) < len(paths):
        raise EvaluationError(
            f'--model names the same file twice: {", ".join(map(str, models))}; expected '
            'different ones'
        )
    for depth in range(1, max(len(path.parts) for path in paths)):
        for keep_suffix in (False, True):
            names = [_last_parts(path, depth, keep_suffix=keep_suffix) for path in paths]
            lowered = {name.casefold() for name in names}
            if len(lowered) == len(names) and PAGE_FILE not in lowered:
                return names
    raise EvaluationError(
        f'no names tell the models {", ".join(map(str, models))} apart; rename one of them'
    )


def _last_parts(path: Path, depth: int, *, keep_suffix: bool) -> str:
    last = path.name if keep_suffix else path.stem
    return '_'.join([*path.parts[1:-1], last][-depth:])


def evaluate(runs: Sequence[OfflineOptions]) -> list[str]:
    """Evaluate each model and print; returns why they miss what is required of them.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    if len(runs) == 1:
        return evaluate_model(runs[0])
    _refuse_unlike_models(runs)
    missed = []
    for options in runs:
        name = options.output.name
        print(f'\n{name} ({options.model})')
        if options is not runs[0] and options.against is None:
            options = replace(options, against=runs[0].output)
        missed += [f'{name}: {reason}' for reason in evaluate_model(options, name=name)]
    names = [options.output.name for options in runs]
    page = write_models_page(
        runs[0].output.parent,
        names,
        baseline=str(runs[0].against or names[0]),
        command=runs[0].command,
    )
    print(f'\n  all models: {page}')
    return missed


def _refuse_unlike_models(runs: Sequence[OfflineOptions]) -> None:
    """Refuse models that cannot be compared, before any of them is evaluated."""
    first = ModelManifest.load(runs[0].model).label_set
    for options in runs[1:]:
        if ModelManifest.load(options.model).label_set != first:
            raise EvaluationError(
                f'the classes of {options.model} are others than those of {runs[0].model}; only '
                'models with the same label set can be compared'
            )
    for options in runs:
        if options.write_bag is not None and options.write_bag.exists():
            raise EvaluationError(
                f'{options.write_bag} exists already; give another --write-bag, or remove it'
            )


def evaluate_model(options: OfflineOptions, *, name: str = '') -> list[str]:
    """Evaluate one model, write its pages and print; returns why it misses what is required.

    Raises:
        UpsnetError: whatever kept it from being done.
    """
    with PanopticPipeline.load(
        options.model,
        backend=options.backend,
        device=options.device,
        precision=options.precision,
        num_threads=options.threads,
    ) as pipeline:
        with progress_bar(f'Evaluating {name}'.strip()) as progress:
            report = evaluate_offline(options, pipeline, progress)
    return present(report, options)


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    keep_memory()
    words = sys.argv[1:] if arguments is None else arguments
    goes_on = 'The same command goes on from here.'
    anew = 'A bag of labels is whole or worthless: remove it and begin anew.'
    has_bag = any(word.startswith('--write-bag') for word in words)
    command = shlex.join(['python', '-m', 'upsnet_ros.evaluation.replay', *words])
    return run_command(
        lambda: evaluate(read_options(words, command=command)),
        stopped=anew if has_bag else goes_on,
    )


if __name__ == '__main__':
    sys.exit(main())
