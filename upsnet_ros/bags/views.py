# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is looked at of each camera's images, as the parameters of the node say it."""

from __future__ import annotations

from collections.abc import Sequence

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.image_view import ImageView, camera_views

WHOLE_IMAGE, UPRIGHT = '', '0'


def find_views(
    names: Sequence[str], *, regions: Sequence[str] = (), rotations: Sequence[str] = ()
) -> dict[str, ImageView]:
    """The view of each camera by its name.

    Args:
        names: all cameras.
        regions: `x,y,width,height` in pixels for all cameras, or `CAMERA=x,y,width,height` for
            one; a camera without a region is looked at as a whole.
        rotations: degrees clockwise, likewise; a camera without one is upright.

    Raises:
        EvaluationError: a value is of no camera, or two are of the same.
        ParameterError: there is no such region or rotation.
    """
    region_texts = _for_each(names, '--regions-of-interest', regions, otherwise=WHOLE_IMAGE)
    rotation_texts = _for_each(names, '--rotations', rotations, otherwise=UPRIGHT)
    return camera_views(names, region_texts, [_degrees(text) for text in rotation_texts])


def _for_each(
    names: Sequence[str], option: str, given: Sequence[str], *, otherwise: str
) -> list[str]:
    """The value of each camera: its own, else the one for all, else the usual one."""
    values: dict[str, str] = {}
    for entry in given:
        camera, equals, value = entry.rpartition('=')
        if camera in values or (equals and camera not in names):
            raise EvaluationError(
                f'{option} {" ".join(given)} does not fit the cameras {", ".join(names)}; '
                'expected one value for all, or CAMERA=VALUE once for each'
            )
        values[camera] = value
    return [values.get(name, values.get('', otherwise)) for name in names]


def _degrees(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise EvaluationError(
            f'--rotations has {text!r}, expected degrees clockwise, or CAMERA=DEGREES'
        ) from error
