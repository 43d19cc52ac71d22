# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from upsnet_ros.evaluation.frames import ReceivedLabel, SentFrame, join_by_stamp
from upsnet_ros.evaluation.timing import latency_percentiles, rate_hz, timing_of


def test_no_latency_gives_no_percentile() -> None:
    percentiles = latency_percentiles([])
    assert (percentiles.p50, percentiles.p95, percentiles.p99) == (None, None, None)


def test_one_latency_is_every_percentile() -> None:
    percentiles = latency_percentiles([12.5])
    assert (percentiles.p50, percentiles.p95, percentiles.p99) == (12.5, 12.5, 12.5)


def test_percentiles_of_0_to_100_are_their_own_numbers_in_any_order() -> None:
    percentiles = latency_percentiles([float(v) for v in reversed(range(101))])
    assert percentiles.p50 == pytest.approx(50)
    assert percentiles.p95 == pytest.approx(95)
    assert percentiles.p99 == pytest.approx(99)


@pytest.mark.parametrize('times', [[], [5], [5, 5]])
def test_a_rate_needs_a_span(times: list[int]) -> None:
    assert rate_hz(times) is None


def test_eleven_events_in_a_second_are_ten_intervals() -> None:
    assert rate_hz([i * 100_000_000 for i in range(11)]) == pytest.approx(10.0)


def test_rates_of_camera_and_labels_differ_when_every_other_frame_is_dropped() -> None:
    period = 100_000_000
    frames = [SentFrame(i, i, i * period) for i in range(21)]
    labels = [ReceivedLabel(f.stamp_ns, f.stamp_ns + 30_000_000) for f in frames[::2]]
    timing = timing_of(join_by_stamp(frames, labels))
    assert timing.camera_rate_hz == pytest.approx(10.0)
    assert timing.frames_per_second == pytest.approx(5.0)
    assert timing.latency_ms.p99 == pytest.approx(30.0)
