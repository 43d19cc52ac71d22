# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The views of all cameras, from the two lists of parameters that describe them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.image_view import ROTATIONS, ImageView
from upsnet_ros.core.window import Window

# Five digits are more than any image has, and keep the sums small.
_REGION = re.compile(
    r'\s*(\d{1,5})\s*,\s*(\d{1,5})\s*,\s*([1-9]\d{0,4})\s*,\s*([1-9]\d{0,4})\s*', re.ASCII
)


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
