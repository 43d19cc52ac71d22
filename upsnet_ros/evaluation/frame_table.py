# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measures of many frames as arrays, and the figures of any weighting of these frames."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

LATENCY_QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class FrameTable:
    """What was measured of F frames with S classes.

    Attributes:
        names: Camera and stamp [ns] of each frame.
        quality: float64 [F, 4, S], states of `PanopticQuality`; zero where there is no truth.
        overlap: float64 [F, 2, S], pixels of each class in both and in either of label and truth;
            zero where there is no truth.
        pq: float64 [F], panoptic quality of the frame alone [%]; NaN without truth.
        unknown_share: float64 [F], 0 to 1; NaN where the frame was not labelled.
        latency_ms: float64 [F]; NaN where the frame was not labelled.
    """

    names: tuple[tuple[str, int], ...]
    quality: np.ndarray
    overlap: np.ndarray
    pq: np.ndarray
    unknown_share: np.ndarray
    latency_ms: np.ndarray

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.names)

    def select(self, rows: np.ndarray) -> FrameTable:
        """Return the table of some of its frames, in the order of `rows` (int [n])."""
        arrays = {f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != 'names'}
        return FrameTable(names=tuple(self.names[row] for row in rows.tolist()), **arrays)

    def with_quality_of(self, judged: np.ndarray) -> FrameTable:
        """Return the table with zero quality and overlap where `judged` (bool [F]) is not set."""
        kept = judged.astype(np.float64)[:, None, None]
        return replace(self, quality=self.quality * kept, overlap=self.overlap * kept)


@dataclass(frozen=True, eq=False)
class Figures:
    """The figures of R weightings; NaN where there is nothing to measure.

    Attributes:
        class_pq, class_sq, class_rq, class_iou: float64 [R, S], percent; NaN for a class that
            occurs in neither labels nor truth (for SQ: that has no match).
        pq, sq, rq: float64 [R], means over the classes that occur [%].
        pq_things, pq_stuff: float64 [R], likewise over one kind of class.
        miou: float64 [R], percent.
        unknown_share: float64 [R], mean over frames.
        latency_mean_ms, latency_p50_ms, latency_p95_ms, latency_p99_ms: float64 [R].
    """

    class_pq: np.ndarray
    class_sq: np.ndarray
    class_rq: np.ndarray
    class_iou: np.ndarray
    pq: np.ndarray
    sq: np.ndarray
    rq: np.ndarray
    pq_things: np.ndarray
    pq_stuff: np.ndarray
    miou: np.ndarray
    unknown_share: np.ndarray
    latency_mean_ms: np.ndarray
    latency_p50_ms: np.ndarray
    latency_p95_ms: np.ndarray
    latency_p99_ms: np.ndarray

    @classmethod
    def stacked(cls, parts: list[Figures]) -> Figures:
        """Return the figures of all weightings of several parts, one after the other."""
        return cls(
            **{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(cls)}
        )

    def minus(self, other: Figures) -> Figures:
        """Return the differences to another one's, weighting by weighting."""
        return Figures(
            **{f.name: getattr(self, f.name) - getattr(other, f.name) for f in fields(self)}
        )


def figures_of(table: FrameTable, weights: np.ndarray, *, num_stuff: int) -> Figures:
    """Return the figures of weighted frames.

    Args:
        table: F frames.
        weights: float64 [R, F], how often each frame counts, whole numbers.
        num_stuff: Classes below it are stuff, the others things.
    """
    quality = _weighted_sum(table.quality, weights)  # [R, 4, S]
    iou_sum, matched, extra, missed = quality.transpose(1, 0, 2)
    counted = matched + 0.5 * extra + 0.5 * missed
    class_pq = 100.0 * _ratio(iou_sum, counted)
    class_sq = 100.0 * _ratio(iou_sum, matched)
    class_rq = 100.0 * _ratio(matched, counted)
    both, either = _weighted_sum(table.overlap, weights).transpose(1, 0, 2)
    class_iou = 100.0 * _ratio(both, either)
    # As in PanopticQualitySummary, a class that counts without a match has an SQ of 0.
    sq_of_counted = np.where(counted > 0, np.nan_to_num(class_sq), np.nan)
    p50, p95, p99 = weighted_quantiles(table.latency_ms, weights, LATENCY_QUANTILES)
    return Figures(
        class_pq=class_pq,
        class_sq=class_sq,
        class_rq=class_rq,
        class_iou=class_iou,
        pq=_mean(class_pq),
        sq=_mean(sq_of_counted),
        rq=_mean(class_rq),
        pq_things=_mean(class_pq[:, num_stuff:]),
        pq_stuff=_mean(class_pq[:, :num_stuff]),
        miou=_mean(class_iou),
        unknown_share=_weighted_mean(table.unknown_share, weights),
        latency_mean_ms=_weighted_mean(table.latency_ms, weights),
        latency_p50_ms=p50,
        latency_p95_ms=p95,
        latency_p99_ms=p99,
    )


def weighted_quantiles(
    values: np.ndarray, weights: np.ndarray, quantiles: tuple[float, ...]
) -> list[np.ndarray]:
    """Quantiles of values that count several times: those NumPy finds among the repeated values.

    Args:
        values: float64 [F]; NaN does not count.
        weights: float64 [R, F], whole numbers.
        quantiles: Each from 0 to 1.

    Returns:
        float64 [R] for each quantile; NaN where no value counts.
    """
    order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # NaN is sorted last
    if not order.size:
        return [np.full(len(weights), np.nan) for _ in quantiles]
    ordered = values[order]
    cumulative = np.cumsum(weights[:, order], axis=1)  # [R, n]
    total = cumulative[:, -1]
    results = []
    for quantile in quantiles:
        place = quantile * np.maximum(total - 1, 0)
        low = np.floor(place)
        below, above = (
            ordered[np.minimum((cumulative <= rank[:, None]).sum(axis=1), len(ordered) - 1)]
            for rank in (low, np.minimum(low + 1, np.maximum(total - 1, 0)))
        )
        results.append(np.where(total > 0, below + (place - low) * (above - below), np.nan))
    return results


def _weighted_sum(states: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum states [F, ...] under weights [R, F]: [R, ...]."""
    flat = weights @ states.reshape(len(states), -1)
    return flat.reshape(len(weights), *states.shape[1:])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; NaN where the whole is zero."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean along the last axis over what is a number: [R, n] to [R]."""
    present = ~np.isnan(values)
    return _ratio(np.nansum(values, axis=1), present.sum(axis=1).astype(np.float64))


def _weighted_mean(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mean of values [F] that are numbers, under weights [R, F]: [R]."""
    present = ~np.isnan(values)
    return _ratio(weights @ np.where(present, values, 0.0), weights @ present.astype(np.float64))
