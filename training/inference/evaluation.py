# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How good a network is on a data set: panoptic quality, mean IoU, unknown pixels, time."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from training.data.frames import Frame, FrameReader
from training.inference.assembly import TrainedNetwork, build_labeller
from training.inference.labeller import Labeller
from training.inference.options import InferenceOptions
from training.models.pspnet import PSPNet
from training.models.upsnet import UPSNet
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import LabelSet, class_image
from upsnet_ros.core.mean_iou import MeanIou
from upsnet_ros.core.panoptic_quality import PanopticQuality

QUALITY_ROWS = 4  # of PanopticQuality.state
SCALARS = 3


@dataclass(frozen=True)
class Evaluation:
    """What was counted over some frames.

    Attributes:
        label_set: The classes.
        quality: Panoptic quality of the labels.
        semantics: Mean IoU of the semantic head's own answer; nothing seen without such a head.
        frames: Number of frames.
        unknown: Sum over the frames of the share of unknown pixels.
        seconds: Time spent labelling, reading the files not included.
    """

    label_set: LabelSet
    quality: PanopticQuality
    semantics: MeanIou
    frames: int
    unknown: float
    seconds: float

    def state(self) -> np.ndarray:
        """All counts as one float64 vector; the sum of two states is the state of both."""
        scalars = np.array([self.frames, self.unknown, self.seconds], dtype=np.float64)
        parts = (self.quality.state().ravel(), self.semantics.state().ravel(), scalars)
        return np.concatenate(parts)

    @classmethod
    def from_state(cls, label_set: LabelSet, state: np.ndarray) -> 'Evaluation':
        """The evaluation that has these counts.

        Raises:
            LabelError: If the vector does not fit the label set.
        """
        classes = label_set.num_classes
        sizes = (QUALITY_ROWS * classes, classes**2, SCALARS)
        if state.shape != (sum(sizes),):
            raise LabelError(
                f'state of shape {state.shape}, expected ({sum(sizes)},) for label set '
                f"'{label_set.name}'"
            )
        quality, semantics, scalars = np.split(state, np.cumsum(sizes)[:-1])
        return cls(
            label_set,
            PanopticQuality.from_state(label_set, quality.reshape(QUALITY_ROWS, classes)),
            MeanIou.from_state(label_set, semantics.reshape(classes, classes)),
            frames=round(float(scalars[0])),
            unknown=float(scalars[1]),
            seconds=float(scalars[2]),
        )

    def figures(self) -> dict[str, float]:
        """The figures that a run is watched by [%]; 0 for mean IoU without a semantic head."""
        summary = self.quality.summary()
        return {
            'pq': summary.all.pq,
            'pq_things': summary.things.pq,
            'pq_stuff': summary.stuff.pq,
            'sq': summary.all.sq,
            'rq': summary.all.rq,
            'miou': self.semantics.summary().miou,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values; mean IoU is None without a semantic head."""
        semantics = self.semantics.summary()
        frames = max(self.frames, 1)
        return {
            'pq': self.quality.summary().to_dict(),
            'miou': semantics.to_dict() if semantics.classes else None,
            'frames': self.frames,
            'unknown_share': self.unknown / frames,
            'seconds_per_frame': self.seconds / frames,
        }


def evaluate_model(
    model: UPSNet | PSPNet,
    recipe: Recipe,
    frames: Sequence[Frame],
    reader: FrameReader,
    *,
    rank: int = 0,
    world: int = 1,
    options: InferenceOptions | None = None,
    progress: bool = False,
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
        progress: Whether to draw a bar.

    Returns:
        The counts of this process's frames. Those of all: add up ``state()`` over the processes
        and give the sum to ``Evaluation.from_state``.

    Raises:
        UpsnetError: If a frame cannot be read, or the network answers with NaN.
    """
    with evaluation_mode(model):
        labeller = build_labeller(TrainedNetwork(model, recipe), options or InferenceOptions())
        return evaluate_labeller(labeller, frames[rank::world], reader, progress=progress)


def evaluate_labeller(
    labeller: Labeller, frames: Iterable[Frame], reader: FrameReader, *, progress: bool
) -> Evaluation:
    """Label every frame and compare it with its truth.

    Args:
        labeller: What labels.
        frames: Of the reader's data set.
        reader: Reads images and truth.
        progress: Whether to draw a bar.
    """
    label_set = labeller.head.label_set
    quality, semantics = PanopticQuality(label_set), MeanIou(label_set)
    count, unknown, seconds = 0, 0.0, 0.0
    for frame in tqdm(frames, unit='frame', dynamic_ncols=True, disable=not progress):
        image, truth = reader.read_image(frame), reader.read_label_image(frame)
        started = time.perf_counter()
        labelled = labeller.label(image, truth)
        seconds += time.perf_counter() - started
        quality.update(labelled.panoptic.label_image, truth)
        if labelled.semantic is not None:
            semantics.update(labelled.semantic, class_image(truth))
        unknown += labelled.panoptic.unknown_share
        count += 1
    return Evaluation(label_set, quality, semantics, count, unknown, seconds)


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
