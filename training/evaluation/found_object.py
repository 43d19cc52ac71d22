# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Objects as average precision sees them: a class, a box and a mask in the image's own frame."""

from dataclasses import dataclass
from typing import Any

RunLengths = dict[str, Any]  # compressed COCO run lengths: {'size': [H, W], 'counts': str}


@dataclass(frozen=True)
class Detection:
    """One object that an instance head found.

    Attributes:
        class_id: Train id of a thing class.
        score: Confidence, 0 to 1.
        box: x1, y1, x2, y2 in image pixels, both corners inside the box, not rounded.
        mask: Its pixels; may be empty.
    """

    class_id: int
    score: float
    box: tuple[float, float, float, float]
    mask: RunLengths


@dataclass(frozen=True)
class TrueObject:
    """One object, or one crowd, of the truth.

    Attributes:
        class_id: Train id of a thing class.
        is_crowd: Whether it is a region of objects that are not told apart.
        box: x1, y1, x2, y2 in image pixels, both corners inside the box.
        mask: Its visible pixels, at least one.
    """

    class_id: int
    is_crowd: bool
    box: tuple[float, float, float, float]
    mask: RunLengths
