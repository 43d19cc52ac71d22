# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A network with the head that turns its answers into labels."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.merge_heuristic import MergeHeuristic
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.semantic_image import semantic_image
from upsnet_ros.core.structures import NetworkOutput, PanopticResult
from upsnet_ros.core.work_memory import WorkMemory


class Answering(Protocol):
    """Networks on images of any size: ``Predictor`` and ``FixedInput``.

    Attributes:
        has_semantics: Whether the semantic logits mean anything.
    """

    has_semantics: bool

    def answer(  # noqa: D102
        self, image_bgr: np.ndarray, truth: np.ndarray | None = None
    ) -> tuple[NetworkOutput, InputGeometry]: ...


@dataclass(frozen=True)
class Labelled:
    """The answer for one image, at its size.

    Attributes:
        panoptic: Labels and instances.
        semantic: uint8 ``[H, W]``, the semantic head's own class of every pixel; None without one.
    """

    panoptic: PanopticResult
    semantic: np.ndarray | None


class Labeller:
    """Labels images.

    Args:
        network: What answers.
        head: What turns answers into labels.
    """

    def __init__(self, network: Answering, head: PanopticHead | MergeHeuristic) -> None:
        self.network = network
        self.head = head
        self._memory = WorkMemory()

    def label(self, image_bgr: np.ndarray, truth: np.ndarray | None = None) -> Labelled:
        """Label one image.

        Args:
            image_bgr: uint8 ``[H, W, 3]`` BGR, any size.
            truth: uint16 ``[H, W]`` label image, for oracles.

        Raises:
            ModelError: If the network's answer cannot be used.
        """
        output, geometry = self.network.answer(image_bgr, truth)
        panoptic = self.head(output, geometry)
        if not self.network.has_semantics:
            return Labelled(panoptic, None)
        semantic = semantic_image(
            output.semantic_logits,
            geometry,
            num_stuff=self.head.label_set.num_stuff,
            label_resolution=self.head.parameters['label_resolution'],
            memory=self._memory,
        )
        return Labelled(panoptic, semantic)
