# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A label image as horizontal runs of equal values: few numbers where there are many pixels."""

from dataclasses import dataclass

import numpy as np


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
        begins = np.empty(labels.shape, bool)
        begins[:, :1] = True
        np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
        first = np.flatnonzero(begins)
        values, which = np.unique(labels.ravel()[first], return_inverse=True)
        return cls(labels.shape, values, which, first, np.diff(first, append=labels.size))

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
