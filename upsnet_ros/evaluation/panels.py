# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of one frame: camera, labels, truth, and where the two differ."""

from __future__ import annotations

import cv2
import numpy as np

from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet, class_image
from upsnet_ros.core.overlay import draw_overlay
from upsnet_ros.evaluation.frame_scores import FrameMaterial

WHITE = (255, 255, 255)
WRONG_BGR = (60, 60, 235)
UNKNOWN_BGR = (40, 190, 250)
FONT = cv2.FONT_HERSHEY_SIMPLEX


def labels_panel(material: FrameMaterial, label_set: LabelSet) -> np.ndarray:
    """The image under its predicted labels, BGR; the bare image where there are none."""
    if material.predicted is None:
        return material.image
    return draw_overlay(material.image, material.predicted, label_set)


def truth_panel(material: FrameMaterial, label_set: LabelSet) -> np.ndarray | None:
    """The image under its true labels, BGR, or None where there are none."""
    if material.truth is None:
        return None
    return draw_overlay(material.image, material.truth, label_set)


def difference_panel(material: FrameMaterial) -> np.ndarray | None:
    """Where the class is wrong (red) or unknown (amber) on a grey picture, BGR.

    Void pixels of the truth count as neither. None without labels or without truth.
    """
    if material.predicted is None or material.truth is None:
        return None
    grey = cv2.cvtColor(material.image, cv2.COLOR_BGR2GRAY) // 2 + 40
    panel = cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    judged = material.truth != UNKNOWN_LABEL
    unknown = judged & (material.predicted == UNKNOWN_LABEL)
    wrong = judged & ~unknown & (class_image(material.predicted) != class_image(material.truth))
    panel[wrong] = WRONG_BGR
    panel[unknown] = UNKNOWN_BGR
    return panel


def fit_width(picture: np.ndarray, width: int) -> np.ndarray:
    """The picture at another width, its proportions kept."""
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    shrinks = width < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method)


def write_caption(
    picture: np.ndarray, text: str, corner: tuple[int, int], *, scale: float, right: bool = False
) -> None:
    """Write text on a dark plate into `picture`, in place.

    Args:
        picture: BGR uint8 [H, W, 3], changed.
        text: ASCII.
        corner: Left (or, if `right`, right) lower corner of the plate [px].
        scale: Size of the font, 1 being about 22 px high.
        right: Align to the right.
    """
    thickness = max(1, round(1.6 * scale))
    (width, height), base = cv2.getTextSize(text, FONT, scale, thickness)
    pad = round(10 * scale)
    x = corner[0] - width - 2 * pad if right else corner[0]
    y = corner[1]
    top = max(0, y - height - base - 2 * pad)
    plate = picture[top:y, max(0, x) : x + width + 2 * pad]
    plate[:] = plate // 4
    cv2.putText(
        picture, text, (x + pad, y - pad - base), FONT, scale, WHITE, thickness, cv2.LINE_AA
    )


def sweep_panel(
    image: np.ndarray, labelled: np.ndarray, *, divide: float, caption: str
) -> np.ndarray:
    """Camera on the left of a vertical line, labels on the right of it.

    Args:
        image: BGR uint8 [H, W, 3].
        labelled: The same picture under its labels.
        divide: Where the line stands, 0 the left edge, 1 the right one.
        caption: Short text for the upper left corner.
    """
    height, width = image.shape[:2]
    column = int(np.clip(round(divide * width), 2, width - 3))
    panel = image.copy()
    panel[:, column:] = labelled[:, column:]
    panel[:, column - 1 : column + 2] = WHITE
    scale = width / 1200
    if divide > 0.16:
        write_caption(panel, 'camera', (0, height), scale=scale)
    if divide < 0.8:
        write_caption(panel, 'panoptic labels', (width, height), scale=scale, right=True)
    write_caption(panel, caption, (0, round(44 * scale)), scale=scale * 0.8)
    return panel
