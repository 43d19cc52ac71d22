# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import threading
from types import SimpleNamespace

from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.publish_permit import FramesInWork
from upsnet_ros.node.worker import FrameWorker


def message(stamp: int) -> SimpleNamespace:
    stamp = SimpleNamespace(sec=stamp, nanosec=0)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), data=b'')


def failed(*cameras: CameraState) -> list[int]:
    return [camera.snapshot().failed for camera in cameras]


def test_a_frame_is_settled_once_and_only_while_in_work() -> None:
    a, b = CameraState('a'), CameraState('b')
    in_work = FramesInWork()
    assert not in_work.settle(a)
    in_work.begin([a, b])
    assert in_work.settle(a)
    assert not in_work.settle(a)
    in_work.fail_all('gone')
    in_work.fail_all('gone')
    assert failed(a, b) == [0, 1]
    assert b.snapshot().last_reason == 'gone'
    assert not in_work.settle(b)


class HeldWorker:
    """A worker of two cameras that counts the first frame of a batch and hangs on the second."""

    def __init__(self) -> None:
        self.cameras = [CameraState('a'), CameraState('b')]
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.error: BaseException | None = None
        self.worker = FrameWorker(self.cameras, self._handle, limits=self._limits)
        for camera in self.cameras:
            camera.offer(message(1))
        self.worker.start()
        assert self.begun.wait(10)

    def _limits(self) -> SimpleNamespace:
        return SimpleNamespace(size=2, tolerance_s=1.0, tolerance_ns=10**9, allow_batches=True)

    def _handle(self, taken, permit) -> None:
        (first, _), (second, _) = taken
        assert permit.in_work.settle(first)
        first.record_processed(encoding='rgb8', image_size=(1, 1))
        self.begun.set()
        assert self.go_on.wait(20)
        if self.error is not None:
            raise self.error
        if permit.in_work.settle(second):
            second.record_processed(encoding='rgb8', image_size=(1, 1))

    @property
    def counts(self) -> list[tuple[int, int]]:
        """Processed and failed of each camera."""
        found = [camera.snapshot() for camera in self.cameras]
        return [(snapshot.processed, snapshot.failed) for snapshot in found]


def test_a_frame_that_its_activation_does_not_wait_for_counts_as_failed_once() -> None:
    held = HeldWorker()
    assert not held.worker.stop(timeout_s=0.01)
    assert held.counts == [(1, 0), (0, 1)]
    assert 'its activation ended' in held.cameras[1].snapshot().last_reason
    assert not held.worker.stop(timeout_s=0.01)
    held.go_on.set()
    held.worker.unfinished.join(10)
    assert held.worker.stop(timeout_s=0)
    assert held.counts == [(1, 0), (0, 1)]


def test_a_thread_that_is_given_up_fails_what_is_not_counted_yet() -> None:
    held = HeldWorker()
    thread = held.worker._thread
    held.worker.abandon('it hangs')
    assert held.cameras[1].snapshot().last_reason == 'it hangs'
    held.go_on.set()
    thread.join(10)
    assert held.counts == [(1, 0), (0, 1)]


def test_a_thread_that_dies_in_a_batch_fails_what_is_not_counted_yet() -> None:
    held = HeldWorker()
    held.error = KeyboardInterrupt('of old age')
    held.go_on.set()
    held.worker._thread.join(10)
    assert held.counts == [(1, 0), (0, 1)]
    assert held.worker.death == 'KeyboardInterrupt: of old age'
