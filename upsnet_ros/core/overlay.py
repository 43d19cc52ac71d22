# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of label images: class colours, a shade per instance, thin light boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError, LabelError, ParameterError
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, LabelSet, class_image
from upsnet_ros.core.structures import Instance

BOUNDARY_LIGHT = 110
WRONG_BGR, UNKNOWN_BGR = (60, 60, 235), (40, 190, 250)  # red and amber, of `draw_difference`
# Successive multiples of the golden ratio spread evenly however many there are, so neighbouring
# instance numbers always differ visibly.
_GOLDEN = 0.618034
_HUE_SPREAD = 36.0  # degrees
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def colour_label_image(label_image: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Return a label image in colours.

    Args:
        label_image: uint16 [H, W].
        label_set: gives the colour of each class; instances of a thing vary in shade.

    Returns:
        BGR uint8 [H, W, 3]; unknown, and classes the set does not have, are black.

    Raises:
        LabelError: the label image has another type or rank.
    """
    if label_image.ndim != 2 or label_image.dtype != np.uint16:
        raise LabelError(
            f'label image has shape {label_image.shape} and type {label_image.dtype}, expected '
            '[H, W] and uint16'
        )
    # Four bytes a pixel are looked up at once, which is five times faster than three.
    colours = np.take(_colours_of_labels(label_set), label_image)  # [H, W] of blue-green-red-0
    return cv2.cvtColor(colours.view(np.uint8).reshape(*label_image.shape, 4), cv2.COLOR_BGRA2BGR)


def draw_overlay(
    image_bgr: np.ndarray,
    label_image: np.ndarray,
    label_set: LabelSet,
    *,
    alpha: float = 0.5,
    boundaries: bool = True,
    instances: Sequence[Instance] = (),
) -> np.ndarray:
    """Return an image under its labels.

    Args:
        image_bgr: uint8 [H, W, 3], BGR.
        label_image: uint16 [H, W].
        label_set: gives names and colours.
        alpha: share of the labels' colours, 0 (only the image) to 1 (only colours). Unknown
            pixels are darkened by the same share.
        boundaries: whether segments are parted by a thin light line.
        instances: those to be named in the picture, usually none or all of the result's.

    Returns:
        A new BGR uint8 [H, W, 3].

    Raises:
        ImageError: the image is no uint8 [H, W, 3] of the label image's size.
        LabelError: the label image has another type or rank.
        ParameterError: alpha is not within 0 and 1.
    """
    if not 0.0 <= alpha <= 1.0:
        raise ParameterError(f'alpha is {alpha}, expected a number from 0 to 1')
    if image_bgr.shape != (*label_image.shape, 3) or image_bgr.dtype != np.uint8:
        raise ImageError(
            f'image has shape {image_bgr.shape} and type {image_bgr.dtype}, expected uint8 and '
            f'{(*label_image.shape, 3)} to go with its label image'
        )
    colours = colour_label_image(label_image, label_set)
    picture = cv2.addWeighted(colours, alpha, image_bgr, 1.0 - alpha, 0.0, dst=colours)
    if boundaries:
        light = np.full(3, BOUNDARY_LIGHT, np.float64)
        cv2.add(picture, light, dst=picture, mask=boundary_mask(label_image))
    for instance in reversed(instances):  # the surest last, so that it is never covered
        _write_name(picture, instance)
    return picture


def draw_difference(
    image_bgr: np.ndarray, label_image: np.ndarray, truth: np.ndarray
) -> np.ndarray:
    """Return where the class of a pixel is wrong or unknown, on the image in grey.

    Args:
        image_bgr: uint8 [H, W, 3], BGR.
        label_image: what was predicted, uint16 [H, W].
        truth: uint16 [H, W]; its unlabelled pixels are neither wrong nor unknown.

    Returns:
        BGR uint8 [H, W, 3], `WRONG_BGR` and `UNKNOWN_BGR` there.
    """
    grey = cv2.cvtColor(image_bgr, cv2.COLOR_BGR2GRAY) // 2 + 40
    picture = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    judged = truth != UNKNOWN_LABEL
    unknown = judged & (label_image == UNKNOWN_LABEL)
    picture[judged & ~unknown & (class_image(label_image) != class_image(truth))] = WRONG_BGR
    picture[unknown] = UNKNOWN_BGR
    return picture


def boundary_mask(label_image: np.ndarray) -> np.ndarray:
    """Return the pixels whose right or lower neighbour has another label: uint8 [H, W], 0 or 1."""
    mask = np.zeros(label_image.shape, dtype=bool)
    np.not_equal(label_image[:, 1:], label_image[:, :-1], out=mask[:, :-1])
    mask[:-1] |= label_image[1:] != label_image[:-1]
    return mask.view(np.uint8)


@lru_cache(maxsize=4)
def _colours_of_labels(label_set: LabelSet) -> np.ndarray:
    """Return the colour of every label: uint32 [65536], bytes blue, green, red, 0 in memory."""
    rgb = np.repeat(label_set.colour_table()[:, None], 1 << INSTANCE_BITS, axis=1)  # [256, 256, 3]
    things = list(label_set.thing_ids)
    if things:
        rgb[things, 1:] = _shades(rgb[things, 1:])
    rgb[UNKNOWN_LABEL >> INSTANCE_BITS] = 0
    bgr0 = np.zeros((1 << 2 * INSTANCE_BITS, 4), dtype=np.uint8)
    bgr0[:, :3] = rgb.reshape(-1, 3)[:, ::-1]
    table = bgr0.view(np.uint32).ravel()
    table.setflags(write=False)
    return table


def _shades(rgb: np.ndarray) -> np.ndarray:
    """Vary colours along the second axis: uint8 [classes, instances, 3] RGB to the same.

    The first instance keeps its class's colour, and all stay close to it in hue. They get
    lighter, never darker: most colours of things are dark already.
    """
    hsv: np.ndarray = cv2.cvtColor(rgb.astype(np.float32) / 255.0, cv2.COLOR_RGB2HSV)
    steps = (np.arange(rgb.shape[1]) * _GOLDEN) % 1.0  # [instances], the first is 0
    turn = np.where(steps > 0.5, steps - 1.0, steps)
    hsv[..., 0] = (hsv[..., 0] + _HUE_SPREAD * turn) % 360.0
    hsv[..., 1] *= 1.0 - 0.45 * steps
    hsv[..., 2] += (1.0 - hsv[..., 2]) * 0.6 * steps
    return np.rint(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB) * 255.0).astype(np.uint8)


def _write_name(picture: np.ndarray, instance: Instance) -> None:
    """Write class and score of an instance at the top of its box, in place."""
    height, width = picture.shape[:2]
    scale = min(max(width / 2400.0, 0.35), 0.8)
    text = f'{instance.class_name} {instance.score:.2f}'
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, 1)
    left = int(min(max(instance.box[0], 0), max(width - text_width - 4, 0)))
    bottom = int(min(max(instance.box[1], text_height + baseline + 2), height))
    top = max(bottom - text_height - baseline - 2, 0)
    plate = picture[top:bottom, left : left + text_width + 4]
    np.right_shift(plate, 2, out=plate)  # a dark plate, legible on any colour
    cv2.putText(
        picture,
        text,
        (left + 2, bottom - baseline),
        _FONT,
        scale,
        (255, 255, 255),
        1,
        cv2.LINE_AA,
    )
