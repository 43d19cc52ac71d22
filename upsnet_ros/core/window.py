# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rectangles of whole pixels, and the two ways a predicted box becomes one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Window(NamedTuple):
    """A rectangle of pixels: rows `top` to `bottom - 1`, columns `left` to `right - 1`."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def height(self) -> int:
        """Number of rows, 0 when the window is empty."""
        return max(self.bottom - self.top, 0)

    @property
    def width(self) -> int:
        """Number of columns, 0 when the window is empty."""
        return max(self.right - self.left, 0)

    @property
    def is_empty(self) -> bool:
        """Whether the window holds no pixel."""
        return self.height == 0 or self.width == 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in an array [H, W, ...]; the window must lie inside the array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def intersect(self, other: Window) -> Window:
        """Return the pixels of both; an empty answer is always `EMPTY`."""
        common = Window(
            max(self.top, other.top),
            max(self.left, other.left),
            min(self.bottom, other.bottom),
            min(self.right, other.right),
        )
        return EMPTY if common.is_empty else common

    def enclose(self, other: Window) -> Window:
        """Return the smallest window that holds both; an empty one adds nothing."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        return Window(
            min(self.top, other.top),
            min(self.left, other.left),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def relative_to(self, origin: Window) -> Window:
        """Return the same pixels counted from another window's first pixel."""
        return Window(
            self.top - origin.top,
            self.left - origin.left,
            self.bottom - origin.top,
            self.right - origin.left,
        )


EMPTY = Window(0, 0, 0, 0)


def mask_window(box: Sequence[float]) -> Window:
    """Return where a box's mask logits lie: corners truncated, both inside, at least one pixel.

    Args:
        box: x1, y1, x2, y2 [px].
    """
    left, top, last_column, last_row = (int(value) for value in box)
    return Window(
        top, left, top + max(last_row - top + 1, 1), left + max(last_column - left + 1, 1)
    )


def semantic_window(box: Sequence[float]) -> Window:
    """Return where a box's semantic logits count: the far corner is rounded, half to even.

    It can end one pixel behind `mask_window` of the same box; the published models were trained
    and measured with this difference.

    Args:
        box: x1, y1, x2, y2 [px].
    """
    return Window(int(box[1]), int(box[0]), round(box[3]) + 1, round(box[2]) + 1)
