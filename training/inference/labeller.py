# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A network with the head that turns its answers into labels."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from training.inference.found_instances import FoundInstances
from training.inference.merge_heuristic import MergeHeuristic
from training.inference.network_output import Answer
from upsnet_ros.core.labelling import semantic_image
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import PanopticResult


class Answering(Protocol):
    """Networks on images of any size: ``Predictor`` and ``FixedInput``.

    Attributes:
        detection_kind: What the detections of its answers are: Mask R-CNN's own, suppressed class
            by class (``'detections'``), or the panoptic head's candidates, suppressed over all
            classes together (``'candidates'``).
    """

    detection_kind: str

    @property
    def has_semantics(self) -> bool:
        """Whether the semantic logits mean anything."""

    def answer(  # noqa: D102
        self, image_bgr: np.ndarray, truth: np.ndarray | None = None
    ) -> Answer: ...


@dataclass(frozen=True)
class Labelled:
    """The answer for one image, at its size.

    Attributes:
        panoptic: Labels and instances.
        semantic: uint8 ``[H, W]``, the semantic head's own class of every pixel; None without one.
        detections: What average precision is measured on; None where the network was not asked
            for it, and where it finds no instances on its own.
        detection_seconds: Time that these took; a user of the labels does not spend it.
    """

    panoptic: PanopticResult
    semantic: np.ndarray | None
    detections: FoundInstances | None = None
    detection_seconds: float = 0.0


class Labeller:
    """Labels images.

    Args:
        network: What answers.
        head: What turns answers into labels.
    """

    def __init__(self, network: Answering, head: PanopticHead | MergeHeuristic) -> None:
        self.network = network
        self.head = head

    def label(self, image_bgr: np.ndarray, truth: np.ndarray | None = None) -> Labelled:
        """Label one image.

        Args:
            image_bgr: uint8 ``[H, W, 3]`` BGR, any size.
            truth: uint16 ``[H, W]`` label image, for oracles.

        Raises:
            ModelError: If the network's answer cannot be used.
        """
        answer = self.network.answer(image_bgr, truth)
        return Labelled(
            self.head(answer.output, answer.geometry),
            self._semantic(answer),
            answer.detections,
            answer.detection_seconds,
        )

    def _semantic(self, answer: Answer) -> np.ndarray | None:
        if not self.network.has_semantics:
            return None
        return semantic_image(
            answer.output.semantic_logits,
            answer.geometry,
            num_stuff=self.head.label_set.num_stuff,
            label_resolution=str(self.head.parameters['label_resolution']),
        )
