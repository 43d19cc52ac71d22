# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import pytest

from tests.node.node_harness import stamped
from upsnet_ros.node.waiting import Admission, AdmissionRules, Frame, Refusal

ALL = AdmissionRules(drop_out_of_order=False)
ORDERED = AdmissionRules()


def frame(stamp_s: float, at: float) -> Frame:
    return Frame(stamped(stamp_s), at)


def admitted(stamps: list[float], rules: AdmissionRules, *, interval: float = 0.1) -> list[float]:
    """The stamps that are admitted of messages that arrive in an even beat."""
    admission = Admission()
    return [
        stamp
        for number, stamp in enumerate(stamps)
        if admission.refusal(frame(stamp, 50 + number * interval), rules) is None
    ]


@pytest.mark.parametrize(
    ('stamps', 'expected'),
    [
        ([1.0, 1.1, 1.1, 1.2], [1.0, 1.1, 1.2]),  # duplicated
        ([1.0, 1.2, 1.1, 1.3], [1.0, 1.2, 1.3]),  # overtaken
        ([9.0, 9.1, 2.0, 2.1], [9.0, 9.1, 2.0, 2.1]),  # a recording that begins anew
        ([9.0, 8.1, 8.0, 7.9], [9.0, 8.0]),  # set back by just under and by a whole second
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),  # a camera without stamps
    ],
)
def test_stamps_have_to_rise_unless_they_begin_anew(stamps, expected) -> None:
    assert admitted(stamps, ORDERED) == expected
    assert admitted(stamps, ALL) == stamps


def test_a_stamp_that_stands_still_does_not_stop_the_camera() -> None:
    assert len(admitted([5.0] * 31, ORDERED)) == 4  # at 0, 1, 2 and 3 seconds


def test_a_clock_set_back_a_little_costs_no_more_than_that_time() -> None:
    stamps = [10 + 0.1 * n for n in range(10)] + [10.4 + 0.1 * n for n in range(10)]
    assert len(admitted(stamps, ORDERED)) == 10 + 4


@pytest.mark.parametrize(
    ('camera_hz', 'max_hz', 'expected_hz'),
    [(30, 10, 10), (30, 30, 30), (10, 30, 10), (30, 20, 20)],
)
def test_the_rate_is_kept_on_average(camera_hz, max_hz, expected_hz) -> None:
    stamps = [1 + n / camera_hz for n in range(10 * camera_hz)]
    rules = AdmissionRules(max_rate_hz=max_hz)
    count = len(admitted(stamps, rules, interval=1 / camera_hz))
    assert count == pytest.approx(10 * expected_hz, abs=2)


def test_a_raised_rate_holds_at_once_and_a_silence_saves_nothing_up() -> None:
    admission = Admission()
    slow, fast = AdmissionRules(max_rate_hz=0.01), AdmissionRules(max_rate_hz=10.0)
    assert admission.refusal(frame(1.0, 0.0), slow) is None
    assert admission.refusal(frame(2.0, 1.0), slow) is Refusal.RATE
    assert admission.refusal(frame(3.0, 1.2), fast) is Refusal.RATE
    assert admission.refusal(frame(4.0, 1.31), fast) is None
    arrivals = [99.0 + 0.001 * n for n in range(50)]
    taken = [a for a in arrivals if admission.refusal(frame(100 + a, a), fast) is None]
    assert len(taken) <= 2
