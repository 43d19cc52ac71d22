# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from upsnet_ros.evaluation.stage_threads import staged


def test_results_come_in_order_through_several_stages() -> None:
    doubled = staged(lambda n: 2 * n, range(50), name='double')
    assert list(staged(str, doubled, name='text')) == [str(2 * n) for n in range(50)]


def test_several_workers_keep_the_order_and_work_at_once() -> None:
    def slow(item: int) -> int:
        time.sleep(0.03 if item % 2 else 0.01)
        return item

    start = time.perf_counter()
    assert list(staged(slow, range(40), name='four', workers=4)) == list(range(40))
    assert time.perf_counter() - start < 0.6  # one after another they take 0.8 s


def test_no_items_give_no_results() -> None:
    assert list(staged(str, [], name='none')) == []


def test_stages_run_beside_each_other() -> None:
    def slow(item: int) -> int:
        time.sleep(0.02)
        return item

    start = time.perf_counter()
    results = list(staged(slow, staged(slow, range(20), name='one'), name='two'))
    assert results == list(range(20))
    assert time.perf_counter() - start < 0.7  # one after another they take 0.8 s


def test_a_stage_is_only_so_far_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = staged(lambda item: item, items(), name='ahead', ahead=3)
    next(results)
    time.sleep(0.15)
    assert len(taken) <= 6
    results.close()


@pytest.mark.parametrize('workers', [1, 3])
def test_an_error_comes_where_its_result_would_have_come(workers: int) -> None:
    def refuse_three(item: int) -> int:
        if item == 3:
            raise ValueError('three')
        return item

    numbers = staged(refuse_three, range(9), name='one', workers=workers)
    results = staged(str, numbers, name='two', workers=workers)
    assert [next(results) for _ in range(3)] == ['0', '1', '2']
    with pytest.raises(ValueError, match='three'):
        next(results)


def test_an_error_of_the_items_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError('gone')

    results = staged(str, items(), name='items')
    assert next(results) == '1'
    with pytest.raises(OSError, match='gone'):
        next(results)


@pytest.mark.parametrize('workers', [1, 3])
def test_giving_up_ends_all_threads_and_closes_the_source(workers: int) -> None:
    closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            number = 0
            while True:
                yield (number := number + 1)
        finally:
            closed.set()

    before = threading.active_count()
    numbers = staged(abs, endless(), name='one', workers=workers)
    results = staged(str, numbers, name='two', workers=workers)
    assert next(results) == '1'
    results.close()
    assert closed.wait(2.0)
    assert threading.active_count() == before
