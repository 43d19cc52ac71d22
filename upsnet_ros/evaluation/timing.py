# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rates and latencies of a replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from upsnet_ros.evaluation.frames import JoinedFrames


@dataclass(frozen=True)
class LatencyPercentiles:
    """Milliseconds from stamp to received label; None where no frame was labelled."""

    p50: float | None
    p95: float | None
    p99: float | None


def latency_percentiles(latencies_ms: Sequence[float]) -> LatencyPercentiles:
    """Percentiles with linear interpolation between neighbours, as NumPy's default."""
    if not latencies_ms:
        return LatencyPercentiles(None, None, None)
    return LatencyPercentiles(*(float(v) for v in np.percentile(latencies_ms, (50, 95, 99))))


def rate_hz(times_ns: Sequence[int]) -> float | None:
    """Events per second over the span from the first to the last; None below two events.

    The span holds one interval less than there are events, so ten events in 0.9 s are 10 Hz.
    """
    if len(times_ns) < 2:
        return None
    span = max(times_ns) - min(times_ns)
    return (len(times_ns) - 1) / (span / 1e9) if span > 0 else None


@dataclass(frozen=True)
class ReplayTiming:
    """How the node kept up with the camera.

    Attributes:
        latency_ms: Percentiles from stamp to received label.
        frames_per_second: Rate at which labels arrived.
        camera_rate_hz: Rate at which images were sent.
    """

    latency_ms: LatencyPercentiles
    frames_per_second: float | None
    camera_rate_hz: float | None


def timing_of(joined: JoinedFrames) -> ReplayTiming:
    """Rates and latencies of all frames of a replay."""
    latencies = [o.latency_ms for o in joined.outcomes if o.latency_ms is not None]
    arrivals = [o.received_ns for o in joined.outcomes if o.received_ns is not None]
    return ReplayTiming(
        latency_ms=latency_percentiles(latencies),
        frames_per_second=rate_hz(arrivals),
        camera_rate_hz=rate_hz([o.frame.stamp_ns for o in joined.outcomes]),
    )
