# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A network measured while it is being trained: sums only, nothing written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from training.data.frames import Frame, FrameReader
from training.evaluation.frame_loop import evaluate_frames
from training.evaluation.frame_record import FrameRecord
from training.evaluation.totals import Evaluation
from training.inference.assembly import TrainedNetwork, build_labeller
from training.inference.options import InferenceOptions
from training.models.pspnet import PSPNet
from training.models.upsnet import UPSNet
from training.recipe.recipe import Recipe


def evaluate_model(
    model: UPSNet | PSPNet,
    recipe: Recipe,
    frames: Sequence[Frame],
    reader: FrameReader,
    *,
    rank: int = 0,
    world: int = 1,
    options: InferenceOptions | None = None,
) -> Evaluation:
    """Measure a network, also in the middle of its training.

    It is put into evaluation mode meanwhile. Which weights it has, trained or averaged ones, is
    the caller's choice. Mask R-CNN alone labels things only, PSPNet alone stuff only.

    Args:
        model: The recipe's network, in any mode.
        recipe: Its recipe.
        frames: All frames; this process takes every ``world``-th of them, from ``rank`` on.
        reader: Of their data set.
        rank: Number of this process.
        world: Number of processes.
        options: How to test other than the recipe says.

    Returns:
        The counts of this process's frames. Those of all: add up ``state()`` over the processes
        and give the sum to ``Evaluation.from_state``.

    Raises:
        UpsnetError: If a frame cannot be read, or the network answers with NaN.
    """
    with evaluation_mode(model):
        labeller = build_labeller(TrainedNetwork(model, recipe), options or InferenceOptions())

        found = evaluate_frames(
            lambda frame, image, truth: labeller.label(image, truth),
            frames[rank::world],
            reader,
            label_set=labeller.head.label_set,
        )
        records = (entry for entry in found if isinstance(entry, FrameRecord))
        return Evaluation.of(labeller.head.label_set, records)


@contextmanager
def evaluation_mode(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; afterwards every part is in the mode it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
