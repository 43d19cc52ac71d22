# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

from types import SimpleNamespace

import pytest

from upsnet_ros.node.camera import RATE_WINDOW_S, WARNING_INTERVAL_S, CameraState
from upsnet_ros.node.waiting import AdmissionRules, WaitingFrames


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Raw:
    def __init__(self, stamp: int, *, size: int = 1) -> None:
        self.header = SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=5))
        self.data = bytes(size)


class Compressed(Raw):
    pass


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def camera(clock) -> CameraState:
    return CameraState('front', clock=clock)


def test_an_empty_slot_gives_nothing(camera) -> None:
    assert camera.take() is None
    snapshot = camera.snapshot()
    assert (snapshot.received, snapshot.last_age_s, snapshot.rate_hz) == (0, None, 0.0)


def test_a_newer_frame_replaces_an_older_one(camera, clock) -> None:
    for stamp in range(5):
        assert camera.offer(Raw(stamp))
        clock.now += 0.1
    frame = camera.take()
    assert frame.message.header.stamp.sec == 4
    assert frame.received_at == pytest.approx(100.4)
    assert camera.take() is None
    assert (camera.snapshot().received, camera.snapshot().dropped) == (5, 4)


def test_a_discarded_frame_is_counted_as_that(camera) -> None:
    camera.offer(Raw(1))
    camera.discard()
    camera.discard()  # nothing is left
    camera.offer(Raw(2))
    assert (camera.snapshot().dropped, camera.snapshot().discarded) == (0, 1)


@pytest.mark.parametrize(('store', 'kept'), [(WaitingFrames(), []), (WaitingFrames(9), [7, 8])])
def test_a_clock_set_back_costs_waiting_frames_only_where_the_newest_counts(
    clock, store, kept
) -> None:
    camera = CameraState('front', clock=clock, store=store)
    for stamp in (7, 8):
        camera.offer(Raw(stamp))
    clock.now += 0.5
    camera.begin_anew()
    snapshot = camera.snapshot()
    assert snapshot.discarded == len([7, 8]) - snapshot.dropped - len(kept)
    assert (snapshot.last_age_s, snapshot.rate_hz) == (0.5, 0.0)
    assert not camera.offer(Compressed(1))  # the other transport is ahead
    assert camera.offer(Raw(8))  # not later than the last one, and none the less admitted
    taken = [camera.take().message.header.stamp.sec for _ in range(len(kept) + 1)]
    assert taken == [*kept, 8]


def test_a_camera_without_a_frame_is_judged_by_the_opening_of_intake(camera, clock) -> None:
    clock.now += 3
    assert camera.snapshot().open_for_s == pytest.approx(3)
    camera.discard()
    clock.now += 1
    camera.begin_anew()
    assert camera.snapshot().open_for_s == pytest.approx(1)


def test_an_overflow_is_known_as_one_for_some_seconds(clock) -> None:
    camera = CameraState('front', clock=clock, store=WaitingFrames(1))
    camera.offer(Raw(1))
    assert not camera.snapshot().is_overflowing
    camera.offer(Raw(2))
    assert camera.snapshot().is_overflowing
    clock.now += RATE_WINDOW_S
    assert (camera.snapshot().is_overflowing, camera.snapshot().overflowed) == (False, 1)


def test_refused_messages_are_counted_by_their_reason(camera, clock) -> None:
    rules = AdmissionRules(max_rate_hz=10.0)
    assert [camera.offer(Raw(stamp), rules=rules) for stamp in (5, 5, 6)] == [
        True,
        False,
        False,
    ]
    snapshot = camera.snapshot()
    counts = (snapshot.received, snapshot.out_of_order, snapshot.rate_limited, snapshot.dropped)
    assert counts == (3, 1, 1, 0)
    assert camera.take().stamp_ns == 5_000_000_005


def test_a_queue_keeps_the_order_and_counts_what_did_not_fit(clock) -> None:
    camera = CameraState('front', clock=clock, store=WaitingFrames(limit_bytes=10))
    assert [camera.offer(Raw(stamp, size=4)) for stamp in (1, 2, 3)] == [True, True, False]
    snapshot = camera.snapshot()
    assert (snapshot.waiting, snapshot.overflowed, snapshot.dropped) == (2, 1, 0)
    assert [camera.take().message.header.stamp.sec for _ in range(2)] == [1, 2]
    assert camera.take() is None
    assert camera.offer(Raw(4, size=99))  # more than the limit, but nothing else waits


@pytest.mark.parametrize(('used', 'other'), [(Raw, Compressed), (Compressed, Raw)])
def test_the_first_transport_is_kept_however_late_the_other_one_is(camera, used, other) -> None:
    order = [used(1), other(1), used(2), used(3), other(2), other(3), used(4), other(9)]
    assert [camera.offer(message) for message in order] == [
        type(message) is used for message in order
    ]
    assert camera.take().message is order[6]
    assert camera.snapshot().received == 4


def test_the_other_transport_is_taken_after_a_silence_and_then_kept(camera, clock) -> None:
    assert camera.offer(Raw(1), rules=AdmissionRules(switch_after_s=0.5))
    clock.now += 0.5
    assert not camera.offer(Compressed(2), rules=AdmissionRules(switch_after_s=0.5))
    clock.now += 0.1
    assert camera.offer(Compressed(3), rules=AdmissionRules(switch_after_s=0.5))
    assert not camera.offer(Raw(3), rules=AdmissionRules(switch_after_s=0.5))


def test_a_transport_that_cannot_be_read_is_let_go(camera) -> None:
    assert camera.offer(Compressed(1))
    assert not camera.offer(Raw(1))
    camera.record_rejected('cut off')
    assert camera.offer(Raw(2))
    assert not camera.offer(Compressed(2))


def test_closed_intake_forgets_arrivals_and_transport_but_no_counter(camera, clock) -> None:
    camera.offer(Raw(1))
    clock.now += 0.1
    camera.offer(Raw(2))
    camera.discard()
    clock.now += 60
    snapshot = camera.snapshot()
    assert (snapshot.last_age_s, snapshot.rate_hz, snapshot.received) == (None, 0.0, 2)
    assert camera.offer(Compressed(3))


def test_rate_is_that_of_the_last_seconds(camera, clock) -> None:
    for stamp in range(21):
        camera.offer(Raw(stamp))
        clock.now += 0.1
    assert camera.snapshot().rate_hz == pytest.approx(10.0)
    clock.now += 60
    assert camera.snapshot().rate_hz == 0.0
    assert camera.snapshot().last_age_s == pytest.approx(60.1)


def test_warnings_are_due_at_once_and_then_seldom(camera, clock) -> None:
    assert camera.record_rejected('first')
    assert not camera.record_rejected('second')
    clock.now += WARNING_INTERVAL_S
    assert camera.record_failed('third')
    snapshot = camera.snapshot()
    assert (snapshot.rejected, snapshot.failed, snapshot.last_reason) == (2, 1, 'third')
    assert snapshot.last_reason_is_failure
    camera.record_processed(encoding='rgb8', image_size=(6, 8))
    assert camera.snapshot().last_reason == ''


def test_a_frame_clears_a_qos_problem(camera) -> None:
    camera.record_qos_problem('RELIABILITY')
    assert camera.snapshot().qos_problem == 'RELIABILITY'
    camera.offer(Raw(1))
    assert camera.snapshot().qos_problem == ''
