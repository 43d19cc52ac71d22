# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from upsnet_ros.evaluation.ordered_work import ordered_map


@pytest.mark.parametrize('count', [0, 1, 23])
def test_results_come_in_order_though_the_work_does_not_end_in_order(count: int) -> None:
    def slow_at_first(value: int) -> int:
        time.sleep(0.005 if value % 3 == 0 else 0.0)
        return value * value

    results = list(ordered_map(slow_at_first, range(count), workers=3))
    assert results == [value * value for value in range(count)]


def test_items_are_fetched_only_a_little_ahead() -> None:
    fetched = []

    def items() -> Iterator[int]:
        for value in range(1000):
            fetched.append(value)
            yield value

    results = ordered_map(lambda value: value, items(), workers=2)
    assert next(results) == 0
    assert len(fetched) <= 4


def test_work_runs_in_more_than_one_thread() -> None:
    meeting = threading.Barrier(2, timeout=10)
    list(ordered_map(lambda _: meeting.wait(), range(2), workers=2))


def test_an_error_comes_where_its_result_would_have_come() -> None:
    def fails_at_two(value: int) -> int:
        if value == 2:
            raise ValueError('two')
        return value

    results = ordered_map(fails_at_two, range(9), workers=2)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match='two'):
        next(results)
