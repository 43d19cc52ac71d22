# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The overlay of one camera: drawn only for somebody who looks, at its own rate and size."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from std_msgs.msg import Header

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.overlay import draw_overlay
from upsnet_ros.node.demand import is_wanted
from upsnet_ros.node.messages import overlay_message


class OverlayOutput:
    """Draws and publishes the overlays of one camera, in the worker's thread.

    Args:
        publisher: of the topic.
        label_set: gives the colours.
        clock: steady clock in seconds.
    """

    def __init__(
        self, publisher: Any, label_set: LabelSet, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._publisher = publisher
        self._label_set = label_set
        self._clock = clock
        self._drawn_at: float | None = None

    def publish(
        self,
        image_bgr: np.ndarray,
        label_image: np.ndarray,
        *,
        header: Header,
        alpha: float,
        rate_hz: float,
        scale: float,
    ) -> tuple[int, int] | None:
        """Publishes an image under its labels, if somebody listens and it is time.

        Args:
            image_bgr: BGR uint8 [H, W, 3].
            label_image: uint16 [H, W].
            header: of the image's message.
            alpha: opacity of the colours, 0 to 1.
            rate_hz: most overlays per second, 0 for one of each image.
            scale: size of the overlay as a share of the image's, above 0 to 1.

        Returns:
            Height and width of what was published, None when nothing was.
        """
        if not is_wanted(self._publisher) or not self._is_due(rate_hz):
            return None
        image, labels = scaled(image_bgr, label_image, scale)
        overlay = draw_overlay(image, labels, self._label_set, alpha=alpha)
        self._publisher.publish(overlay_message(overlay, header))
        return overlay.shape[:2]

    def _is_due(self, rate_hz: float) -> bool:
        """Whether enough time has passed since the last overlay."""
        now = self._clock()
        if rate_hz and self._drawn_at is not None and now - self._drawn_at < 1 / rate_hz:
            return False
        self._drawn_at = now
        return True


def scaled(
    image_bgr: np.ndarray, label_image: np.ndarray, scale: float
) -> tuple[np.ndarray, np.ndarray]:
    """An image and its labels in a smaller size of at least one pixel.

    Colours are averaged; labels are not, since a mean of two labels is a third one.
    """
    if scale >= 1:
        return image_bgr, label_image
    height, width = label_image.shape
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return (
        cv2.resize(image_bgr, size, interpolation=cv2.INTER_AREA),
        cv2.resize(label_image, size, interpolation=cv2.INTER_NEAREST),
    )
