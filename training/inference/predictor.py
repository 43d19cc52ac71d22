# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A network on images of any size, resized and padded as the published models are tested."""

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from training.inference.found_instances import FoundInstances
from training.inference.network_output import Answer, to_network_output
from training.inference.oracles import (
    BOXES,
    CLASSES,
    SEGMENTATION,
    true_instances,
    true_semantic_logits,
)
from training.inference.preparation import prepare_image
from training.inference.sliding_window import windowed_logits
from training.inference.views import View, average_views
from training.models.detections import (
    Instances,
    Prediction,
    Regions,
    Selected,
    require_evaluation_mode,
    score_regions,
    select_candidates,
    select_detections,
    select_instances,
)
from training.models.pspnet import PSPNet
from training.models.upsnet import PyramidOutput, UPSNet
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.structures import MASK_SIZE, SEMANTIC_STRIDE


@dataclass(frozen=True)
class _Seen:
    """One image in the instance network.

    Attributes:
        pyramid: Its features; None without such a network.
        regions: What the box head says; None without such a network and with true boxes.
        prediction: The whole answer.
        geometry: How the image lies in the input.
    """

    pyramid: PyramidOutput | None
    regions: Regions | None
    prediction: Prediction
    geometry: InputGeometry


class Predictor:
    """Runs one network, or a pair of instance and semantic network, on single images.

    A PSPNet alone finds no instances. Mask R-CNN alone has no semantic half; its semantic logits
    say "some thing" everywhere, which the heads turn into unknown where there is no instance.

    Args:
        model: A network in evaluation mode.
        short_side: Short side of a resized image in pixels.
        max_long_side: Its longest long side in pixels; the short side is then shorter.
        select: Which instances: ``select_candidates`` of the panoptic head, or
            ``select_detections`` of Mask R-CNN.
        semantic_model: Network whose semantic logits replace those of ``model``.
        views: Views of the image whose semantic logits are averaged; None: the single-scale one.
        window: Side in pixels of the square windows that the semantic network sees one after the
            other; 0: the whole image.
        oracles: Parts of the answer that the truth replaces, of ``oracles.ORACLES``.
        find_detections: Whether answers hold Mask R-CNN's detections, too.
    """

    detection_kind = 'detections'

    def __init__(
        self,
        model: UPSNet | PSPNet,
        *,
        short_side: int,
        max_long_side: int,
        select: Callable[..., Selected] = select_candidates,
        semantic_model: UPSNet | PSPNet | None = None,
        views: Sequence[View] | None = None,
        window: int = 0,
        oracles: Collection[str] = (),
        find_detections: bool = False,
    ) -> None:
        for network in (model, semantic_model):
            if network is not None:
                require_evaluation_mode(network)
        self.model = model
        self.select = select
        self.base = View(short_side, max_long_side)
        self.views = [self.base] if views is None else list(views)
        self.window = window
        self.oracles = frozenset(oracles)
        self.find_detections = find_detections
        self._instance_network = model if isinstance(model, UPSNet) else None
        has_semantics = isinstance(model, PSPNet) or model.semantic_head is not None
        self._semantic_network = semantic_model or (model if has_semantics else None)

    @property
    def has_semantics(self) -> bool:
        """Whether the semantic logits mean anything."""
        return self._semantic_network is not None or SEGMENTATION in self.oracles

    def geometry(self, image_size: tuple[int, int]) -> InputGeometry:
        """How an image of (height, width) lies in the input."""
        return self.base.geometry(image_size)

    def answer(self, image_bgr: np.ndarray, truth: np.ndarray | None = None) -> Answer:
        """The prediction as panoptic heads take it, and detections; see :meth:`predict`."""
        seen = self._see(image_bgr, truth)
        output = to_network_output(seen.prediction, num_stuff=self.model.num_stuff)
        if not self.find_detections or seen.regions is None:
            return Answer(output, seen.geometry)
        if self.select is select_detections:
            return Answer(output, seen.geometry, FoundInstances.of(output, seen.geometry))
        started = time.perf_counter()
        found = select_instances(
            self._instance_network, seen.pyramid, seen.regions, select=select_detections
        )
        detections = FoundInstances(
            boxes=(found.boxes / seen.geometry.scale).cpu().numpy(),
            scores=found.scores.cpu().numpy(),
            classes=(found.classes + self.model.num_stuff - 1).cpu().numpy(),
            mask_logits=found.mask_logits.cpu().numpy(),
        )
        return Answer(output, seen.geometry, detections, time.perf_counter() - started)

    def predict(
        self, image_bgr: np.ndarray, truth: np.ndarray | None = None
    ) -> tuple[Prediction, InputGeometry]:
        """Run the network on one image.

        Args:
            image_bgr: uint8 ``[H, W, 3]`` BGR, any size.
            truth: uint16 ``[H, W]`` label image, for oracles.

        Returns:
            The prediction, its boxes clipped to the unpadded input, and how the image lies in it.

        Raises:
            ParameterError: If there are oracles and no truth.
        """
        seen = self._see(image_bgr, truth)
        return seen.prediction, seen.geometry

    @torch.no_grad()
    def _see(self, image_bgr: np.ndarray, truth: np.ndarray | None) -> _Seen:
        if self.oracles and truth is None:
            raise ParameterError(
                f'oracles {sorted(self.oracles)} without truth; give the label image of the image'
            )
        geometry = self.geometry(image_bgr.shape[:2])
        pyramid = self._pyramid(image_bgr, geometry)
        regions = self._regions(pyramid, geometry)
        found = self._instances(pyramid, regions, geometry, truth)
        semantic = self._semantic_logits(image_bgr, geometry, pyramid, truth)
        prediction = Prediction(**vars(found), semantic_logits=semantic)
        return _Seen(pyramid, regions, prediction, geometry)

    def _pyramid(self, image_bgr: np.ndarray, geometry: InputGeometry) -> PyramidOutput | None:
        network = self._instance_network
        if network is None:
            return None
        image = prepare_image(image_bgr, geometry, network.normalise)
        return network.pyramid_output(image[None].to(_device(network)))

    def _regions(self, pyramid: PyramidOutput | None, geometry: InputGeometry) -> Regions | None:
        if pyramid is None or BOXES in self.oracles:
            return None
        content = (geometry.content_height, geometry.content_width)
        return score_regions(self._instance_network, pyramid, image_size=content)

    def _instances(
        self,
        pyramid: PyramidOutput | None,
        regions: Regions | None,
        geometry: InputGeometry,
        truth: np.ndarray | None,
    ) -> Instances:
        network = self._instance_network
        if pyramid is None:
            return _no_instances(_device(self.model))
        if regions is None:
            return true_instances(
                network,
                pyramid,
                truth,
                scale=geometry.scale,
                true_classes=CLASSES in self.oracles,
            )
        return select_instances(network, pyramid, regions, select=self.select)

    def _semantic_logits(
        self,
        image_bgr: np.ndarray,
        geometry: InputGeometry,
        output: PyramidOutput | None,
        truth: np.ndarray | None,
    ) -> Tensor:
        classes = self.model.num_stuff + self.model.num_things
        if SEGMENTATION in self.oracles and truth is not None:
            return true_semantic_logits(truth, geometry, num_classes=classes)
        network = self._semantic_network
        if network is None:
            return _things_everywhere(geometry, classes, num_stuff=self.model.num_stuff)
        known = None
        if output is not None and isinstance(network, UPSNet) and not self.window:
            if network is self._instance_network:
                known = network.semantic()(output.levels[:4])[0]
        logits_of = partial(self._logits_of_view, network, image_bgr, known)
        return average_views(logits_of, self.views, base=geometry)

    def _logits_of_view(
        self, network: UPSNet | PSPNet, image_bgr: np.ndarray, known: Tensor | None, view: View
    ) -> Tensor:
        if known is not None and view == self.base:
            return known
        geometry = view.geometry(image_bgr.shape[:2])
        image = prepare_image(view.of(image_bgr), geometry, network.normalise)
        images = image[None].to(_device(network))
        if self.window:
            return windowed_logits(network.semantic_logits_quarter, images, side=self.window)[0]
        return network.semantic_logits_quarter(images)[0]


def _device(network: torch.nn.Module) -> torch.device:
    return next(network.parameters()).device


def _no_instances(device: torch.device) -> Instances:
    return Instances(
        torch.zeros(0, 4, device=device),
        torch.zeros(0, device=device),
        torch.zeros(0, dtype=torch.long, device=device),
        torch.zeros(0, MASK_SIZE, MASK_SIZE, device=device),
    )


def _things_everywhere(geometry: InputGeometry, classes: int, *, num_stuff: int) -> Tensor:
    quarter = (geometry.input_height, geometry.input_width)
    logits = torch.zeros(classes, *(side // SEMANTIC_STRIDE for side in quarter))
    logits[num_stuff:] = 1.0
    return logits
