# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The part of an image that is looked at, turned upright, and the way back; for each camera."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError, ParameterError
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.core.window import Window

_TURNS = {
    90: cv2.ROTATE_90_CLOCKWISE,
    180: cv2.ROTATE_180,
    270: cv2.ROTATE_90_COUNTERCLOCKWISE,
}
ROTATIONS = (0, *_TURNS)
# Five digits are more than any image has, and keep the sums small.
_REGION = re.compile(
    r'\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*([1-9]\d{0,4})\s*,\s*([1-9]\d{0,4})\s*', re.ASCII
)


@dataclass(frozen=True)
class ImageView:
    """What of a camera's image goes through the network, and how it is turned.

    Attributes:
        region: the pixels that are looked at; None for the whole image.
        rotation: degrees clockwise by which they are turned before, one of `ROTATIONS`.
        reduction: how many rows and columns of the camera's image one of the array stands for
            that it was decoded into; above 1 only without a region.

    Raises:
        ParameterError: the region is empty or begins outside the image, or there is no such
            rotation or reduction.
    """

    region: Window | None = None
    rotation: int = 0
    reduction: int = 1

    def __post_init__(self) -> None:
        """Refuses what no image could have."""
        if self.rotation not in ROTATIONS:
            raise ParameterError(
                f'rotation is {self.rotation} degrees, expected one of: '
                f'{", ".join(map(str, ROTATIONS))}'
            )
        if self.region is not None and (
            self.region.is_empty or self.region.top < 0 or self.region.left < 0
        ):
            raise ParameterError(
                f'region is {describe_region(self.region)}, expected x and y of at least 0 and at '
                'least one pixel'
            )
        if self.reduction < 1 or (self.reduction > 1 and self.region is not None):
            raise ParameterError(
                f'reduction is {self.reduction}, expected a whole number of at least 1, and 1 for '
                'the region of an image'
            )

    def shown_in(self, input_size: tuple[int, int]) -> tuple[int, int] | None:
        """What a network's input is to the image as it comes.

        Args:
            input_size: height and width of the input [px].

        Returns:
            Height and width into which the image is scaled [px]; None where a region of it is,
            whose pixels are needed as they are.
        """
        if self.region is not None:
            return None
        height, width = input_size
        return (width, height) if self.rotation in (90, 270) else (height, width)

    def whole_size(self, image: np.ndarray) -> tuple[int, int]:
        """Height and width of the camera's image, [H, W, ...] being what it was decoded into."""
        return image.shape[0] * self.reduction, image.shape[1] * self.reduction

    def look(self, image: np.ndarray) -> np.ndarray:
        """The view of an image, [H, W, C] or [H, W], C-contiguous; reduced if that is.

        It is the image itself when the view is all of it, upright.

        Raises:
            ImageError: the region does not lie in an image of this size.
        """
        seen = image[self._window(image.shape[:2]).slices]
        if self.rotation:
            return cv2.rotate(seen, _TURNS[self.rotation])
        return np.ascontiguousarray(seen)

    def restore(self, result: PanopticResult, image_size: tuple[int, int]) -> PanopticResult:
        """The result of a view as one of the whole image; what was not looked at is unknown.

        Args:
            result: of the view of an image.
            image_size: height and width of that image, not reduced [px].
        """
        if self.region is None and not self.rotation:
            return result
        window = self._window(image_size)
        label_image = np.full(image_size, UNKNOWN_LABEL, np.uint16)
        label_image[window.slices] = self._turned_back(result.label_image)
        unseen = label_image.size - window.height * window.width
        unknown = result.unknown_share * window.height * window.width + unseen
        return PanopticResult(
            label_image=label_image,
            instances=tuple(
                replace(instance, box=self._restored_box(instance.box, window))
                for instance in result.instances
            ),
            unknown_share=unknown / label_image.size,
        )

    def _window(self, image_size: tuple[int, int]) -> Window:
        """The pixels that are looked at in an image of (height, width)."""
        whole = Window(0, 0, *image_size)
        if self.region is None:
            return whole
        if self.region.intersect(whole) != self.region:
            raise ImageError(
                f'image size is {image_size[1]}x{image_size[0]}, which does not hold the region '
                f"{describe_region(self.region)}; correct the parameter 'regions_of_interest' or "
                'the size that the camera sends'
            )
        return self.region

    def _turned_back(self, label_image: np.ndarray) -> np.ndarray:
        """A label image of the view in the image's orientation."""
        if not self.rotation:
            return label_image
        return cv2.rotate(label_image, _TURNS[360 - self.rotation])

    def _restored_box(
        self, box: tuple[float, float, float, float], window: Window
    ) -> tuple[float, float, float, float]:
        """A box of the view in the image's pixels; both corners are pixels of the box."""
        corners = [self._restored_point(x, y, window) for x, y in (box[:2], box[2:])]
        (x1, x2), (y1, y2) = (sorted(values) for values in zip(*corners, strict=True))
        return x1, y1, x2, y2

    def _restored_point(self, x: float, y: float, window: Window) -> tuple[float, float]:
        """A pixel of the view in the image."""
        if self.rotation == 90:
            x, y = y, window.height - 1 - x
        elif self.rotation == 180:
            x, y = window.width - 1 - x, window.height - 1 - y
        elif self.rotation == 270:
            x, y = window.width - 1 - y, x
        return x + window.left, y + window.top


WHOLE_UPRIGHT = ImageView()


def describe_region(region: Window) -> str:
    """A region as the parameter writes it: x,y,width,height."""
    width, height = region.right - region.left, region.bottom - region.top
    return f'{region.left},{region.top},{width},{height}'


def camera_views(
    camera_names: Sequence[str], regions: Sequence[str], rotations: Sequence[int]
) -> dict[str, ImageView]:
    """The view of each camera by its name.

    Args:
        camera_names: all cameras.
        regions: 'x,y,width,height' in pixels of the image as it comes, or '' for all of it; one
            for every camera or a single one for all.
        rotations: degrees clockwise, likewise.

    Raises:
        ParameterError: names parameter, value and camera.
    """
    regions = _for_each_camera('regions_of_interest', regions, camera_names)
    rotations = _for_each_camera('rotations', rotations, camera_names)
    views = {}
    for name, region, rotation in zip(camera_names, regions, rotations, strict=True):
        if rotation not in ROTATIONS:
            raise ParameterError(
                f"parameter 'rotations' has {rotation} for camera '{name}', expected one of: "
                f'{", ".join(map(str, ROTATIONS))} (degrees clockwise)'
            )
        views[name] = ImageView(_parse_region(region, name), rotation)
    return views


def _for_each_camera(parameter: str, values: Sequence, camera_names: Sequence[str]) -> list:
    """One value for each camera."""
    if len(values) == 1:
        return list(values) * len(camera_names)
    if len(values) != len(camera_names):
        raise ParameterError(
            f"parameter '{parameter}' has {len(values)} values, expected one for each of the "
            f'{len(camera_names)} cameras or a single one for all'
        )
    return list(values)


def _parse_region(text: str, camera: str) -> Window | None:
    """The region that a text describes, None for the whole image."""
    if not text.strip():
        return None
    match = _REGION.fullmatch(text)
    if match is None:
        raise ParameterError(
            f"parameter 'regions_of_interest' has '{text}' for camera '{camera}', expected "
            "'x,y,width,height' in pixels with at least one pixel, such as '0,200,1920,880', or "
            "'' for the whole image"
        )
    x, y, width, height = map(int, match.groups())
    return Window(y, x, y + height, x + width)
