# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A label image as horizontal runs of equal values: few numbers where there are many pixels."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

# Fresh memory costs more than most operations on it, so temporary arrays stay this small.
_BAND_PIXELS = 1 << 16


@dataclass(frozen=True)
class LabelRuns:
    """All runs of a label image, row by row.

    Attributes:
        shape: Height and width of the image in pixels.
        values: ``[v]`` distinct values of the image, ascending.
        which: int64 ``[r]`` index into ``values`` of each run.
        first: int64 ``[r]`` flat index of each run's first pixel.
        lengths: int64 ``[r]`` pixels of each run; no run goes on in the next row.
    """

    shape: tuple[int, int]
    values: np.ndarray
    which: np.ndarray
    first: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray) -> 'LabelRuns':
        """The runs of ``[H, W]`` integers."""
        return cls.of_bands(labels.shape, (labels[rows] for rows in bands(labels.shape)))

    @classmethod
    def of_bands(cls, shape: tuple[int, int], parts: Iterable[np.ndarray]) -> 'LabelRuns':
        """The runs of an image that is never there as a whole.

        Args:
            shape: Height and width.
            parts: ``[h, W]`` integers, the rows of the image one part after another.
        """
        values, first, done = [], [], 0
        for part in parts:
            flat = part.reshape(-1)
            begins = np.empty(flat.size, bool)
            np.not_equal(flat[1:], flat[:-1], out=begins[1:])
            begins.reshape(part.shape)[:, :1] = True
            starts = begins.nonzero()[0]
            values.append(flat[starts])
            first.append(starts + done)
            done += flat.size
        found = np.concatenate(values)
        distinct = np.unique(found)
        begins_at = np.concatenate(first)
        lengths = np.diff(begins_at, append=done)
        return cls(shape, distinct, np.searchsorted(distinct, found), begins_at, lengths)

    def areas(self) -> np.ndarray:
        """Pixels of each value: int64 ``[v]``."""
        return np.bincount(self.which, self.lengths, len(self.values)).astype(np.int64)

    def boxes(self) -> np.ndarray:
        """Inclusive box of each value in pixels: int64 ``[v, 4]`` of x1, y1, x2, y2."""
        if not len(self.values):
            return np.zeros((0, 4), np.int64)
        rows, left = np.divmod(self.first, self.shape[1])
        order = np.argsort(self.which, kind='stable')
        begins = np.searchsorted(self.which[order], np.arange(len(self.values)))
        corners = (
            np.minimum.reduceat(left[order], begins),
            np.minimum.reduceat(rows[order], begins),
            np.maximum.reduceat((left + self.lengths - 1)[order], begins),
            np.maximum.reduceat(rows[order], begins),
        )
        return np.stack(corners, axis=1)

    def painted(self, values: np.ndarray) -> np.ndarray:
        """The image with other values.

        Args:
            values: ``[v]`` the new value of each of ``self.values``.

        Returns:
            ``[H, W]`` of the new values' type.
        """
        return np.repeat(values[self.which], self.lengths).reshape(self.shape)


def bands(shape: tuple[int, int]) -> Iterable[slice]:
    """Slices of rows that cover an image, each small enough for a core's cache; one at least."""
    height, width = shape
    rows = max(_BAND_PIXELS // max(width, 1), 1)
    return (slice(top, top + rows) for top in range(0, max(height, 1), rows))
