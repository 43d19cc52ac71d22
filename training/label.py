# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels own pictures, folders and films with a training checkpoint.

``python -m training.label IMAGE|FOLDER|FILM... --model CHECKPOINT.pt --output DIR`` writes what
``python -m upsnet_ros.label`` writes for an exported model.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from training.data.frames import Frame
from training.inference.options import HEADS, InferenceOptions
from training.labellers import EXPORTED, open_model
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.label.command import LabellingModel, argument_parser, run_command

EXAMPLES = """\
examples:
  python -m training.label photos --model out/training/final.pt --output out/labels
  python -m training.label drive.mp4 --model final.pt --output out/labels --film --fixed-input
"""


def read_arguments(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argument_parser(
        'python -m training.label',
        'Label pictures and films with a training checkpoint.',
        examples=EXAMPLES,
    )
    add = parser.add_argument
    add('--model', type=Path, required=True, help='checkpoint (.pt)')
    add('--short-side', type=int, metavar='N', help="pixels (default: the recipe's)")
    add('--max-long-side', type=int, metavar='M', help="pixels (default: the recipe's)")
    add('--fixed-input', action='store_true', help="label on the exported network's one size")
    add('--multi-scale', action='store_true', help='average semantic logits over sizes')
    add('--flip', action='store_true', help='average semantic logits with the mirror image')
    add('--head', choices=HEADS, help="default: the recipe's panoptic_head.kind")
    add('--device', choices=('auto', 'cpu', 'cuda'), default='auto')
    return parser.parse_args(words)


@contextmanager
def open_checkpoint(given: argparse.Namespace) -> Iterator[LabellingModel]:
    """The network of a checkpoint.

    Raises:
        UpsnetError: If it cannot be used, or options contradict each other.
    """
    path: Path = given.model
    if path.suffix in EXPORTED:
        raise ParameterError(
            f'{path} is an exported model, expected a checkpoint (.pt); use python -m '
            'upsnet_ros.label for it'
        )
    options = InferenceOptions(
        short_side=given.short_side,
        max_long_side=given.max_long_side,
        multi_scale=given.multi_scale,
        flip=given.flip,
        head=given.head,
        fixed_input=given.fixed_input,
    )
    subject = open_model(path, None, options, _device(given.device), find_detections=False)
    frame = Frame('', path, None)

    def label(image: np.ndarray) -> PanopticResult:
        no_truth = np.full(image.shape[:2], UNKNOWN_LABEL, np.uint16)
        return subject.answer(frame, image, no_truth).panoptic

    yield LabellingModel(
        label=label,
        label_set=subject.label_set,
        identity={
            'sha256': subject.files['sha256'],
            'options': options.to_dict(),
            **subject.head,
        },
        told=f'{path} (classes of {subject.label_set.name})',
    )


def _device(name: str) -> torch.device:
    has_gpu = torch.cuda.is_available()
    if name == 'cuda' and not has_gpu:
        raise ParameterError('--device is cuda, but PyTorch finds no GPU; expected cpu or auto')
    return torch.device('cuda' if has_gpu and name != 'cpu' else 'cpu')


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    given = read_arguments(arguments)
    return run_command(given, lambda: open_checkpoint(given))


if __name__ == '__main__':
    sys.exit(main())
