# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The verdict on samples of a process: what grew, against series computed by hand."""

import os
import threading
from dataclasses import replace

import numpy as np
import psutil
import pytest

from benchmarks.node_parts.process_growth import (
    Sample,
    growth_failures,
    growths,
    take_sample,
)

STEADY = Sample(0.0, 200.0, 50.0, 150.0, 20, 19)


def steady(count: int = 100) -> list[Sample]:
    return [replace(STEADY, seconds=float(number)) for number in range(count)]


def failures(samples: list[Sample]) -> list[str]:
    return growth_failures(growths(samples))


def test_what_stays_has_not_grown() -> None:
    found = growths(steady())
    assert found['resident_mb'].as_fields() == {'early': 200.0, 'late': 200.0, 'growth': 0.0}
    assert set(found) == {'resident_mb', 'dds_mb', 'own_mb', 'threads', 'descriptors'}
    assert growth_failures(found) == []


@pytest.mark.parametrize('name', ['resident_mb', 'own_mb'])
def test_memory_may_grow_by_less_than_a_hundredth(name: str) -> None:
    def with_last_tenth(factor: float) -> list[str]:
        samples = steady()
        late = {name: getattr(STEADY, name) * factor}
        return failures(samples[:90] + [replace(sample, **late) for sample in samples[90:]])

    assert with_last_tenth(1.009) == []
    assert with_last_tenth(0.5) == []
    (failure,) = with_last_tenth(1.011)
    assert name in failure and '+1.10%' in failure and 'limit 1% more' in failure


def test_a_slow_steady_leak_is_found() -> None:
    samples = [replace(STEADY, own_mb=150.0 + 0.03 * number) for number in range(100)]
    # Medians of samples 10 to 19 and 90 to 99 lie 80 apart: 2.4 of 150.435.
    assert growths(samples)['own_mb'].share == pytest.approx(2.4 / 150.435)
    assert len(failures(samples)) == 1


@pytest.mark.parametrize('name', ['threads', 'descriptors'])
def test_a_single_thread_or_descriptor_more_is_too_many(name: str) -> None:
    samples = steady()
    more = {name: getattr(STEADY, name) + 1}
    (failure,) = failures(samples[:85] + [replace(sample, **more) for sample in samples[85:]])
    assert name in failure and 'limit no more' in failure


def test_warm_up_and_single_peaks_do_not_count() -> None:
    samples = steady()
    samples[:10] = [replace(STEADY, resident_mb=50.0, threads=3)] * 10
    samples[95] = replace(STEADY, resident_mb=400.0, own_mb=400.0, threads=40, descriptors=90)
    assert failures(samples) == []


@pytest.mark.parametrize('count', [0, 1, 29])
def test_too_few_samples_are_no_verdict(count: int) -> None:
    with pytest.raises(ValueError, match=f'{count} samples, expected at least 30'):
        growths(steady(count))


def test_a_sample_tells_what_this_process_holds() -> None:
    process = psutil.Process()
    before = take_sample(process, 1.5)
    held = np.ones(40_000_000, np.uint8)
    reading, writing = os.pipe()
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    thread.start()
    after = take_sample(process, 2.5)
    gate.set()
    thread.join()
    os.close(reading)
    os.close(writing)
    assert (before.seconds, after.seconds) == (1.5, 2.5)
    assert after.threads == before.threads + 1
    assert after.descriptors == before.descriptors + 2
    for name in ('resident_mb', 'own_mb'):
        assert getattr(after, name) - getattr(before, name) == pytest.approx(40, abs=8)
    assert held.sum() == 40_000_000
