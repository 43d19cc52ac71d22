#!/usr/bin/env python3
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels own pictures, folders and films.

ros2 run upsnet_ros label IMAGE|FOLDER|FILM... --output DIR
python -m upsnet_ros.label IMAGE|FOLDER|FILM... --output DIR
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upsnet_ros.backends.backend import AUTOMATIC
from upsnet_ros.backends.select import BACKENDS, PRECISIONS
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.own_process import keep_memory
from upsnet_ros.installed_files import default_model_path
from upsnet_ros.label.command import LabellingModel, argument_parser, run_command
from upsnet_ros.pipeline import PanopticPipeline

EXAMPLES = """\
examples:
  label street.jpg --output out/street
  label photos drive.mp4 --model model.onnx --output out/labels --film --write-panoptic
"""


def read_arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argument_parser(
        'label',
        'Label pictures and films: class and object of each pixel, as files to look at and use.',
        examples=EXAMPLES,
    )
    add = parser.add_argument
    add('--model', type=Path, help='model.onnx or .engine (default: the demo model)')
    add('--score-threshold', type=float, metavar='S', help="of objects (default: the model's)")
    add('--backend', choices=BACKENDS, default=AUTOMATIC, help='inference library')
    add('--device', default=AUTOMATIC, help='where the network runs: auto, cpu, gpu, npu, cuda')
    add('--precision', choices=PRECISIONS, default=AUTOMATIC, help='of its products')
    add('--threads', type=int, default=0, help='CPU threads of the network, 0: one per core')
    return parser.parse_args(words)


@contextmanager
def open_model(given: argparse.Namespace) -> Iterator[LabellingModel]:
    """The model that a command line names.

    Raises:
        UpsnetError: it cannot be used.
    """
    path = given.model or default_model_path()
    if path.suffix == '.pt':
        raise ParameterError(
            f'{path} is a training checkpoint by its name, expected a model.onnx or .engine; use '
            'python -m training.label for it'
        )
    with PanopticPipeline.load(
        path,
        backend=given.backend,
        device=given.device,
        precision=given.precision,
        num_threads=given.threads,
    ) as pipeline:
        pipeline.set_thresholds(score_threshold=given.score_threshold)
        manifest, backend = pipeline.manifest, pipeline.backend
        yield LabellingModel(
            label=lambda image: pipeline.process(image).panoptic,
            label_set=pipeline.label_set,
            identity={
                'sha256': manifest.sha256,
                'backend': backend.name,
                'device': backend.device,
                'precision': backend.precision,
                'thresholds': pipeline.thresholds,
            },
            told=f'{manifest.name} ({backend.name}, {backend.device}, {backend.precision})',
        )


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status."""
    keep_memory()
    given = read_arguments(arguments)
    return run_command(given, lambda: open_model(given))


if __name__ == '__main__':
    sys.exit(main())
