# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many pixels each pair of labels of two label images shares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import LabelSet

# Two bands of 16 bits per pixel and the places where they change stay in a core's cache.
_BAND_PIXELS = 1 << 16
# A band with more runs than one per so many pixels is counted pixel by pixel.
_SHORT_RUN = 4
# Largest table of all pairs that could be; with more labels the pairs that are get sorted.
_LARGEST_TABLE = 1 << 22


@dataclass(frozen=True)
class LabelPairs:
    """The pairs that two label images of one size have in the same pixel.

    Attributes:
        first_labels: int64 [A] labels of the first image, ascending.
        second_labels: int64 [B] labels of the second image, ascending.
        first: int64 [n] index into `first_labels` of each pair; pairs are sorted by it.
        second: int64 [n] index into `second_labels`; ascending for each label of the first.
        pixels: int64 [n] pixels of each pair, 1 or more.
    """

    first_labels: np.ndarray
    second_labels: np.ndarray
    first: np.ndarray
    second: np.ndarray
    pixels: np.ndarray

    @classmethod
    def of(cls, first: np.ndarray, second: np.ndarray) -> LabelPairs:
        """Count the pairs of two images.

        Segments make long runs in which neither image changes. One look-up a run instead of one a
        pixel leaves two comparisons a pixel, which processors do many at a time.

        Args:
            first: uint8 or uint16 [H, W].
            second: the same size and type.
        """
        pieces = _joined(_pieces(first, second))
        first_labels, first_rank = _rank([piece.first for piece in pieces], first.dtype)
        second_labels, second_rank = _rank([piece.second for piece in pieces], second.dtype)
        first_rank *= len(second_labels)
        keys = (first_rank.take(piece.first) + second_rank.take(piece.second) for piece in pieces)
        if len(first_labels) * len(second_labels) <= _LARGEST_TABLE:
            table = np.zeros(len(first_labels) * len(second_labels), dtype=np.int64)
            for key, piece in zip(keys, pieces, strict=True):
                np.add.at(table, key, piece.lengths)
            found = np.flatnonzero(table)
            pixels = table[found]
        else:
            found, which = np.unique(np.concatenate(list(keys)), return_inverse=True)
            lengths = [np.broadcast_to(piece.lengths, piece.first.shape) for piece in pieces]
            pixels = np.zeros(len(found), dtype=np.int64)
            np.add.at(pixels, which, np.concatenate(lengths))
        rows, columns = np.divmod(found, max(len(second_labels), 1))
        return cls(first_labels, second_labels, rows, columns, pixels)

    def first_areas(self, which: np.ndarray | None = None) -> np.ndarray:
        """Return the pixels of each label of the first image: int64 [A].

        Args:
            which: bool [n], the pairs that count; all when left out.
        """
        return _sums(self.first, self.pixels, which, len(self.first_labels))

    def second_areas(self) -> np.ndarray:
        """Return the pixels of each label of the second image: int64 [B]."""
        return _sums(self.second, self.pixels, None, len(self.second_labels))


def check_state(state: np.ndarray, shape: tuple[int, ...], label_set: LabelSet) -> None:
    """Raise LabelError unless what was counted has this shape and holds counts."""
    if state.shape != shape or not np.isfinite(state).all() or (state < 0).any():
        raise LabelError(
            f"state of shape {state.shape}, expected {shape} for label set '{label_set.name}' and "
            'finite numbers from 0 up'
        )


class _Piece(NamedTuple):
    """Stretches of pixels in which neither image changes: labels [r] and pixels, [r] or 1."""

    first: np.ndarray
    second: np.ndarray
    lengths: np.ndarray | int


def _pieces(first: np.ndarray, second: np.ndarray) -> Iterator[_Piece]:
    """Yield the runs of one band of pixels after another, or its pixels if runs are short."""
    first, second = (np.ascontiguousarray(image).reshape(-1) for image in (first, second))
    changes, other = np.empty((2, _BAND_PIXELS), dtype=bool)
    changes[0] = True  # a run does not go on in the next band
    for begin in range(0, len(first), _BAND_PIXELS):
        one, two = (image[begin : begin + _BAND_PIXELS] for image in (first, second))
        behind = slice(1, len(one))
        np.not_equal(one[1:], one[:-1], out=changes[behind])
        np.not_equal(two[1:], two[:-1], out=other[behind])
        changes[behind] |= other[behind]
        if _SHORT_RUN * np.count_nonzero(changes[: len(one)]) > len(one):
            yield _Piece(one, two, 1)
            continue
        starts = np.flatnonzero(changes[: len(one)])
        yield _Piece(one[starts], two[starts], np.diff(starts, append=len(one)))


def _joined(pieces: Iterator[_Piece]) -> list[_Piece]:
    """Return all runs as one piece behind the pieces that are pixels."""
    runs: list[_Piece] = []
    pixels: list[_Piece] = []
    for piece in pieces:
        (pixels if isinstance(piece.lengths, int) else runs).append(piece)
    if runs:
        pixels.append(_Piece(*(np.concatenate(parts) for parts in zip(*runs, strict=True))))
    return pixels


def _rank(parts: list[np.ndarray], dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels present, int64 [n] ascending, and a table of the rank of each, int64."""
    present = np.zeros(1 << 8 * dtype.itemsize, dtype=bool)
    for labels in parts:
        present[labels] = True
    labels = np.flatnonzero(present)
    rank = np.zeros(len(present), dtype=np.int64)
    rank[labels] = np.arange(len(labels))
    return labels, rank


def _sums(
    index: np.ndarray, pixels: np.ndarray, which: np.ndarray | None, size: int
) -> np.ndarray:
    """Return the pixels of each index: int64 [size]."""
    if which is not None:
        index, pixels = index[which], pixels[which]
    sums = np.zeros(size, dtype=np.int64)
    np.add.at(sums, index, pixels)
    return sums
