# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from upsnet_ros.evaluation.stages import staged


def test_results_come_in_order_through_several_stages() -> None:
    doubled = staged(lambda n: 2 * n, range(50), name='double')
    assert list(staged(str, doubled, name='text')) == [str(2 * n) for n in range(50)]


def test_several_workers_keep_the_order_and_work_at_once() -> None:
    meeting = threading.Barrier(3)

    def meet(item: int) -> int:
        meeting.wait(10)
        return item

    assert list(staged(meet, range(30), name='three', workers=3)) == list(range(30))


def test_no_items_give_no_results() -> None:
    assert list(staged(str, [], name='none')) == []


def test_stages_run_beside_each_other() -> None:
    later = threading.Event()

    def first(item: int) -> int:
        if item == 1:
            later.set()
        return item

    def second(item: int) -> int:
        assert later.wait(10)  # the first stage works on the next item meanwhile
        return item

    assert list(staged(second, staged(first, range(4), name='one'), name='two')) == [0, 1, 2, 3]


def test_a_stage_is_only_so_far_ahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = staged(str, staged(str, items(), name='one', workers=2), name='two')
    next(results)
    assert len(taken) <= 2 * 2 + 2 + 1
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
