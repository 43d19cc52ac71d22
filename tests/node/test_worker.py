# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The worker's thread: cameras in turn, one thread at a time, and each frame counted once."""

import threading
from types import SimpleNamespace

import pytest

from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.worker import BatchLimits, FramesInWork, FrameWorker


class Raw:
    def __init__(self, stamp: int) -> None:
        self.header = SimpleNamespace(stamp=SimpleNamespace(sec=stamp, nanosec=5))
        self.data = b'1'


def test_the_worker_serves_cameras_in_turn() -> None:
    cameras = [CameraState(name) for name in 'abc']
    served, finished = [], threading.Event()

    def handle(taken, in_work) -> None:
        ((camera, _),) = taken
        served.append(camera.name)
        if len(served) <= 4:
            cameras[0].offer(Raw(len(served)))  # a fast camera always has another frame
        if len(served) == 5:
            finished.set()

    for camera in cameras:
        camera.offer(Raw(0))
    worker = FrameWorker(cameras, handle)
    worker.start()
    worker.notify()
    assert finished.wait(10)
    assert worker.stop(timeout_s=5)
    assert served == ['a', 'b', 'c', 'a', 'a']


def test_the_worker_stops_after_its_frame_and_starts_again() -> None:
    camera, begun, go_on = CameraState('a'), threading.Event(), threading.Event()
    served = []

    def handle(taken, in_work) -> None:
        ((_, frame),) = taken
        begun.set()
        go_on.wait(10)
        served.append(frame.message.header.stamp.sec)

    worker = FrameWorker([camera], handle)
    assert worker.stop(timeout_s=0)  # never started
    worker.start()
    camera.offer(Raw(1))
    worker.notify()
    assert begun.wait(10)
    assert not worker.stop(timeout_s=0.01)
    go_on.set()
    worker.unfinished.join(10)
    assert worker.stop(timeout_s=0)
    assert worker.stop(timeout_s=0)
    begun.clear()
    camera.offer(Raw(2))
    worker.start()
    assert begun.wait(10)
    assert worker.stop(timeout_s=10)
    assert served == [1, 2]


def test_a_worker_started_during_a_frame_waits_for_it_and_forbids_its_result() -> None:
    camera, begun, go_on, second = (
        CameraState('a'),
        threading.Semaphore(0),
        threading.Event(),
        threading.Event(),
    )
    busy, most, published = [], [], []

    def handle(taken, in_work) -> None:
        ((worked_on, frame),) = taken
        busy.append(frame)
        most.append(len(busy))
        begun.release()
        assert go_on.wait(20)
        busy.remove(frame)
        with in_work.claim(worked_on) as is_ours:
            if is_ours:
                published.append(frame.message.header.stamp.sec)
                second.set()

    first = FrameWorker([camera], handle)
    first.start()
    camera.offer(Raw(1))
    first.notify()
    assert begun.acquire(timeout=10)
    assert not first.stop(timeout_s=0.01)
    first.start()
    assert not first.stop(timeout_s=0.01)  # also a thread that still waits for the one before it
    worker = FrameWorker([camera], handle, after=first.unfinished)
    worker.start()
    camera.offer(Raw(2))
    worker.notify()
    assert not begun.acquire(timeout=0.2)
    go_on.set()
    assert second.wait(10)
    assert worker.stop(timeout_s=10)
    assert worker.unfinished is None
    assert (most, published) == ([1, 1], [2])


def counts(*cameras: CameraState) -> list[tuple[int, int]]:
    """Processed and failed frames of each camera."""
    found = [camera.snapshot() for camera in cameras]
    return [(snapshot.processed, snapshot.failed) for snapshot in found]


def test_a_frame_is_claimed_once_and_only_while_in_work() -> None:
    a, b = CameraState('a'), CameraState('b')
    in_work = FramesInWork()
    with in_work.claim(a) as is_ours:
        assert not is_ours
    in_work.begin([a, b])
    for expected in (True, False):
        with in_work.claim(a) as is_ours:
            assert is_ours is expected
    in_work.give_up('gone')
    in_work.give_up('gone')
    assert counts(a, b) == [(0, 0), (0, 1)]
    assert b.snapshot().last_reason == 'gone'
    with in_work.claim(b) as is_ours:
        assert not is_ours


def test_a_publication_that_dies_fails_its_frame() -> None:
    camera, in_work = CameraState('a'), FramesInWork()
    in_work.begin([camera])
    with pytest.raises(KeyboardInterrupt), in_work.claim(camera):
        raise KeyboardInterrupt('of old age')
    assert camera.snapshot().last_reason == 'KeyboardInterrupt: of old age'
    in_work.fail('again')
    assert counts(camera) == [(0, 1)]


def test_what_is_being_published_ends_before_the_work_is_given_up() -> None:
    camera, in_work, order = CameraState('a'), FramesInWork(), []
    in_work.begin([camera])
    begun, go_on = threading.Event(), threading.Event()

    def publish() -> None:
        with in_work.claim(camera):
            begun.set()
            assert go_on.wait(20)
            order.append('published')

    thread = threading.Thread(target=publish)
    thread.start()
    assert begun.wait(20)
    threading.Timer(0.05, go_on.set).start()
    in_work.give_up('too late')
    order.append('given up')
    thread.join(20)
    assert order == ['published', 'given up'] and counts(camera) == [(0, 0)]


class HeldWorker:
    """A worker of two cameras that counts the first frame of a batch and hangs on the second."""

    def __init__(self) -> None:
        self.cameras = [CameraState('a'), CameraState('b')]
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        limits = BatchLimits(size=2, tolerance_s=1.0)
        self.worker = FrameWorker(self.cameras, self._handle, limits=lambda: limits)
        for camera in self.cameras:
            camera.offer(Raw(1))
        self.worker.start()
        assert self.begun.wait(10)
        self.thread = self.worker.unfinished

    def _handle(self, taken, in_work) -> None:
        for camera, _ in taken:
            with in_work.claim(camera) as is_ours:
                if is_ours:
                    camera.record_processed(encoding='rgb8', image_size=(1, 1))
            if not self.begun.is_set():
                self.begun.set()
                assert self.go_on.wait(20)
                if self.error is not None:
                    raise self.error


@pytest.mark.parametrize('reason', ['it hangs', 'its activation ended'])
def test_a_frame_that_is_not_waited_for_counts_as_failed_once(reason: str) -> None:
    held = HeldWorker()
    assert not held.worker.stop(timeout_s=0.01, reason=reason)
    assert counts(*held.cameras) == [(1, 0), (0, 1)]
    assert held.cameras[1].snapshot().last_reason == reason
    assert not held.worker.stop(timeout_s=0.01)
    held.go_on.set()
    held.thread.join(10)
    assert held.worker.stop(timeout_s=0)
    assert counts(*held.cameras) == [(1, 0), (0, 1)]


def test_a_thread_that_dies_in_a_batch_fails_what_is_not_counted_yet() -> None:
    held = HeldWorker()
    held.error = KeyboardInterrupt('of old age')
    held.go_on.set()
    held.thread.join(10)
    assert counts(*held.cameras) == [(1, 0), (0, 1)]
    assert (held.worker.death, held.worker.busy_for_s) == ('KeyboardInterrupt: of old age', 0.0)
