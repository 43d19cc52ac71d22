# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Options that evaluations of a bag have in common, whether offline or live."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

from upsnet_ros.backends.select import AUTOMATIC, BACKENDS
from upsnet_ros.bags.truth import PANOPTIC, TRUTH_FORMATS
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.replay_report import read_report

FAILED, REQUIREMENT_MISSED, INTERRUPTED = 1, 2, 130
WIDTH = 79


def epilog(figures: Sequence[str]) -> str:
    """The end of the help: exit status, and the names that `--require` takes."""
    texts = (
        f'Exit status: 0 done, {FAILED} failed, {REQUIREMENT_MISSED} a requirement was missed, '
        f'{INTERRUPTED} interrupted.',
        f'Figures for --require: {", ".join(figures)}.',
    )
    return '\n'.join(textwrap.fill(text, WIDTH) for text in texts)


def read_baseline(against: Path | None, *, outputs: Sequence[Path]) -> None:
    """Refuse what nothing can be compared with, before the work begins.

    Args:
        against: the folder of `--against`, or None.
        outputs: where reports will be written.

    Raises:
        EvaluationError: there is no report, or this run would replace it.
    """
    if against is None:
        return
    read_report(against)
    if against.resolve() in {output.resolve() for output in outputs}:
        raise EvaluationError(
            f'--against {against} is the output of this run, which replaces it; give another '
            '--output'
        )


def add_bag(parser: argparse.ArgumentParser) -> None:
    """The bag, what runs the model, and where the report goes."""
    add = parser.add_argument
    add('bag', type=Path, help='rosbag2: its folder, or one .mcap or .db3 file')
    add(
        '--backend',
        choices=BACKENDS,
        default=AUTOMATIC,
        help='inference library; auto: TensorRT for an engine, else ONNX Runtime (default: auto)',
    )
    add('--threads', type=int, default=0, help='CPU threads of the network, 0: one per core')
    add('--output', type=Path, required=True, help='folder of the report')


def add_images(parser: argparse.ArgumentParser) -> None:
    """Which images, and their ground truth."""
    add = parser.add_argument
    add('--cameras', default='', metavar='A,B', help='names or image topics (default: all)')
    add(
        '--ground-truth',
        action='append',
        default=[],
        metavar='TOPIC',
        help='label images: TOPIC, CAMERA=TOPIC, a TOPIC with {camera} in it, or none '
        '(default: CAMERA/ground_truth/panoptic/image where there is one)',
    )
    add(
        '--truth-format',
        choices=TRUTH_FORMATS,
        default=PANOPTIC,
        help='panoptic: class << 8 | instance, as the node publishes; instance_ids: instanceIds '
        'of Cityscapes (default: panoptic)',
    )
    add('--start', type=float, default=0.0, metavar='S', help='seconds to leave out at first')
    add('--duration', type=float, metavar='S', help='seconds to evaluate from there')


def add_gate(parser: argparse.ArgumentParser) -> None:
    """What is asked of the result."""
    add = parser.add_argument
    add(
        '--require',
        action='append',
        default=[],
        metavar='FIGURE>=VALUE',
        help='exit with status 2 unless this holds; may be given again',
    )
    add('--against', type=Path, metavar='FOLDER', help='compare with the report in this folder')
    add(
        '--restart',
        action='store_true',
        help='throw away what an earlier run left in OUTPUT: its report, frames and pictures',
    )


def camera_list(text: str) -> tuple[str, ...]:
    """The cameras of `--cameras`."""
    return tuple(name for name in text.split(',') if name)
