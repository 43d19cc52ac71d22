# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Callbacks that raise, without a node around them."""

import itertools

import pytest
from rclpy.logging import get_logger

from upsnet_ros.node.process import MOST_IN_A_ROW, GuardedCallbacks

NAMES = itertools.count()


class Spun:
    """An executor whose callbacks end as told."""

    def __init__(self, *outcomes) -> None:
        self._outcomes = iter(outcomes)
        self.callbacks = GuardedCallbacks(get_logger(f'spun_{next(NAMES)}'))

    def spin_once(self, timeout_sec: float) -> None:
        outcome = next(self._outcomes)
        if outcome is not None:
            raise outcome

    def spin(self, times: int) -> None:
        for _ in range(times):
            self.callbacks.spin_once(self, timeout_s=0.1)


def test_callbacks_that_raise_are_counted_and_explained_now_and_then(capfd) -> None:
    first = ValueError('first line\nsecond line ' + 1000 * 'x')
    spun = Spun(None, first, *[ValueError('x'), None] * 50)
    spun.spin(2)
    assert spun.callbacks.failures == 1
    assert spun.callbacks.last_failure.startswith('ValueError: first line second line x')
    assert len(spun.callbacks.last_failure) == 200
    spun.spin(100)
    assert (spun.callbacks.failures, spun.callbacks.last_failure) == (51, 'ValueError: x')
    errors = capfd.readouterr().err
    assert errors.count('the node goes on') == errors.count('Traceback') == 1


def test_where_nothing_works_any_more_the_error_is_let_out() -> None:
    error = RuntimeError('the wait set is broken')
    almost = [error] * (MOST_IN_A_ROW - 1)
    spun = Spun(*almost, None, *almost, error)
    spun.spin(2 * MOST_IN_A_ROW - 1)  # one success begins the count anew
    with pytest.raises(RuntimeError, match='wait set'):
        spun.spin(1)


def test_only_errors_are_held_back() -> None:
    with pytest.raises(KeyboardInterrupt):
        Spun(KeyboardInterrupt()).spin(1)
