# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import pytest
from sensor_msgs.msg import CompressedImage, Image

from tests.node.node_harness import stamped
from upsnet_ros.node.camera import WARNING_INTERVAL_S, CameraState
from upsnet_ros.node.waiting import MOST_PACKETS, AdmissionRules, WaitingFrames


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def camera(clock) -> CameraState:
    return CameraState('front', clock=clock)


@pytest.mark.parametrize(('store', 'kept'), [(WaitingFrames(), []), (WaitingFrames(9), [7, 8])])
def test_a_clock_set_back_costs_waiting_frames_only_where_the_newest_counts(
    clock, store, kept
) -> None:
    camera = CameraState('front', clock=clock, store=store)
    for stamp in (7, 8):
        camera.offer(stamped(stamp))
    clock.now += 0.5
    camera.begin_anew()
    snapshot = camera.snapshot()
    assert snapshot.discarded == len([7, 8]) - snapshot.dropped - len(kept)
    assert (snapshot.last_age_s, snapshot.rate_hz) == (0.5, 0.0)
    assert not camera.offer(stamped(1, CompressedImage))  # the other transport is ahead
    assert camera.offer(stamped(8))  # not later than the last one, and none the less admitted
    taken = [camera.take().message.header.stamp.sec for _ in range(len(kept) + 1)]
    assert taken == [*kept, 8]


def test_a_queue_keeps_the_order_and_counts_what_did_not_fit(clock) -> None:
    camera = CameraState('front', clock=clock, store=WaitingFrames(limit_bytes=10))
    assert [camera.offer(stamped(stamp, size=4)) for stamp in (1, 2, 3)] == [True, True, False]
    snapshot = camera.snapshot()
    assert (snapshot.waiting, snapshot.overflowed, snapshot.dropped) == (2, 1, 0)
    assert [camera.take().message.header.stamp.sec for _ in range(2)] == [1, 2]
    assert camera.take() is None
    assert camera.offer(stamped(4, size=99))  # more than the limit, but nothing else waits


def packet(stamp: float) -> CompressedImage:
    """A packet of video; nobody looks into it here."""
    message = stamped(stamp, CompressedImage)
    message.format = 'h264'
    return message


def seconds(frames) -> list[int]:
    return [frame.message.header.stamp.sec for frame in frames]


def test_packets_of_video_that_are_not_wanted_come_with_the_next_that_is(camera) -> None:
    assert camera.offer(packet(1))
    first = camera.take()
    assert (seconds(first.before), first.follows_loss) == ([], False)
    rules = AdmissionRules(max_rate_hz=1000.0)
    for stamp in (2, 3):
        assert camera.offer(packet(stamp))
    assert not camera.offer(packet(3))  # out of order, and others build on it all the same
    for stamp in (4, 5):
        camera.offer(packet(stamp), rules=rules)
    snapshot = camera.snapshot()
    counted = snapshot.dropped, snapshot.out_of_order, snapshot.rate_limited
    assert sum(counted) == 4 and snapshot.out_of_order == 1
    assert snapshot.received == 1 + sum(counted) + snapshot.waiting
    newest = camera.take()
    assert newest is not None and camera.take() is None
    passed = seconds(newest.before)
    assert passed == [2, 3, 3, 4][: len(passed)] and len(passed) >= 3
    assert not any(frame.before for frame in newest.before)
    camera.offer(packet(6))
    after = camera.take()
    assert seconds([*newest.before, newest, *after.before, after]) == [2, 3, 3, 4, 5, 6]


def test_video_follows_a_loss_once_too_many_packets_wait(camera) -> None:
    for stamp in range(1, 2 * MOST_PACKETS):
        camera.offer(packet(stamp))
        assert len(camera.peek().before) <= MOST_PACKETS
    frame = camera.take()
    assert frame.follows_loss
    kept = seconds(frame.before)
    assert kept == list(range(frame.message.header.stamp.sec - len(kept), 2 * MOST_PACKETS - 1))
    camera.offer(packet(2 * MOST_PACKETS))
    assert not camera.take().follows_loss


def test_video_follows_a_loss_after_intake_was_closed_or_the_clock_set_back(camera) -> None:
    for forget in (camera.discard, camera.begin_anew):
        camera.offer(packet(1))
        forget()
        camera.offer(packet(2))
        frame = camera.take()
        assert frame.follows_loss and not frame.before


def test_video_follows_a_loss_where_a_queue_was_full(clock) -> None:
    camera = CameraState('front', clock=clock, store=WaitingFrames(limit_bytes=2))
    assert [camera.offer(packet(stamp)) for stamp in (1, 2, 3)] == [True, True, False]
    assert [camera.take().follows_loss for _ in range(2)] == [False, False]
    camera.offer(packet(4))
    camera.offer(packet(5))
    assert [camera.take().follows_loss for _ in range(2)] == [True, False]


def test_pictures_that_stand_alone_wait_without_the_earlier_ones(camera) -> None:
    for stamp in (1, 2, 3):
        camera.offer(stamped(stamp))
    assert camera.take().before == ()


@pytest.mark.parametrize(('used', 'other'), [(Image, CompressedImage), (CompressedImage, Image)])
def test_the_first_transport_is_kept_however_late_the_other_one_is(camera, used, other) -> None:
    order = [(1, used), (1, other), (2, used), (3, used), (2, other), (3, other), (4, used)]
    offered = [camera.offer(stamped(stamp, kind)) for stamp, kind in [*order, (9, other)]]
    assert offered == [kind is used for _, kind in [*order, (9, other)]]
    assert camera.take().message == stamped(4, used)
    assert camera.snapshot().received == 4


def test_closed_intake_forgets_arrivals_and_transport_but_no_counter(camera, clock) -> None:
    camera.offer(stamped(1))
    clock.now += 0.1
    camera.offer(stamped(2))
    camera.discard()
    clock.now += 60
    snapshot = camera.snapshot()
    assert (snapshot.last_age_s, snapshot.rate_hz, snapshot.received) == (None, 0.0, 2)
    assert camera.offer(stamped(3, CompressedImage))


def test_rate_is_that_of_the_last_seconds(camera, clock) -> None:
    for stamp in range(21):
        camera.offer(stamped(stamp))
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
    assert snapshot.last_loss == 'failed'
    camera.record_processed(encoding='rgb8', image_size=(6, 8))
    assert camera.snapshot().last_reason == ''
