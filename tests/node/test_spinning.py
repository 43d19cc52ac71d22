# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Callbacks that raise, without a node around them."""

from types import SimpleNamespace

import pytest

from upsnet_ros.node.process import MOST_IN_A_ROW, CallbackFailures, GuardedSpinning


class Spun:
    """An executor whose callbacks end as told, and a logger that keeps what it is told."""

    def __init__(self, *outcomes) -> None:
        self._outcomes = iter(outcomes)
        self.errors: list[str] = []
        self.failures = CallbackFailures()
        self.spinning = GuardedSpinning(
            self, failures=self.failures, logger=SimpleNamespace(error=self.errors.append)
        )

    def spin_once(self, timeout_sec: float) -> None:
        outcome = next(self._outcomes)
        if outcome is not None:
            raise outcome

    def spin(self, times: int) -> None:
        for _ in range(times):
            self.spinning.spin_once(timeout_s=0.1)


def test_a_callback_that_raises_is_counted_and_explained() -> None:
    spun = Spun(None, ValueError('no such camera'), None)
    spun.spin(3)
    assert (spun.failures.total, spun.failures.last) == (1, 'ValueError: no such camera')
    (text,) = spun.errors
    assert 'the node goes on' in text and 'Traceback' in text


def test_a_storm_of_errors_is_logged_now_and_then() -> None:
    spun = Spun(*[ValueError('x'), None] * 50)
    spun.spin(100)
    assert (spun.failures.total, len(spun.errors)) == (50, 1)


def test_where_nothing_works_any_more_the_error_is_let_out() -> None:
    error = RuntimeError('the wait set is broken')
    spun = Spun(*[error] * MOST_IN_A_ROW)
    spun.spin(MOST_IN_A_ROW - 1)
    with pytest.raises(RuntimeError, match='wait set'):
        spun.spin(1)


def test_one_success_begins_the_count_anew() -> None:
    error = RuntimeError('x')
    spun = Spun(*[error] * (MOST_IN_A_ROW - 1), None, *[error] * (MOST_IN_A_ROW - 1))
    spun.spin(2 * MOST_IN_A_ROW - 1)
    assert spun.failures.total == 2 * MOST_IN_A_ROW - 2


def test_only_errors_are_held_back() -> None:
    with pytest.raises(KeyboardInterrupt):
        Spun(KeyboardInterrupt()).spin(1)


def test_what_failed_is_kept_in_one_short_line() -> None:
    spun = Spun(ValueError('first line\nsecond line ' + 1000 * 'x'))
    spun.spin(1)
    assert spun.failures.last.startswith('ValueError: first line second line x')
    assert len(spun.failures.last) == 200
