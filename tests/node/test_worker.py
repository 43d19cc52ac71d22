# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each frame that the worker took is counted once, whatever becomes of its thread."""

import threading

from tests.node.node_harness import stamped
from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.worker import BatchLimits, FramesInWork, FrameWorker


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


def test_what_is_being_published_ends_before_the_work_is_given_up() -> None:
    camera, in_work, order = CameraState('a'), FramesInWork(), []
    in_work.begin([camera])
    begun, go_on = threading.Event(), threading.Event()

    def publish() -> None:
        with in_work.claim(camera):
            begun.set()
            assert go_on.wait(60)
            order.append('published')

    thread = threading.Thread(target=publish)
    thread.start()
    assert begun.wait(60)
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
        limits = BatchLimits(size=2, tolerance_s=1.0)
        self.worker = FrameWorker(self.cameras, self._handle, limits=lambda: limits)
        for camera in self.cameras:
            camera.offer(stamped(1))
        self.worker.start()
        assert self.begun.wait(60)
        self.thread = self.worker.unfinished

    def _handle(self, taken, in_work) -> None:
        for camera, _ in taken:
            with in_work.claim(camera) as is_ours:
                if is_ours:
                    camera.record_processed(encoding='rgb8', image_size=(1, 1))
            if not self.begun.is_set():
                self.begun.set()
                assert self.go_on.wait(60)


def test_a_frame_that_is_not_waited_for_counts_as_failed_once() -> None:
    held = HeldWorker()
    assert not held.worker.stop(timeout_s=0.01, reason='it hangs')
    assert counts(*held.cameras) == [(1, 0), (0, 1)]
    assert held.cameras[1].snapshot().last_reason == 'it hangs'
    assert not held.worker.stop(timeout_s=0.01)
    held.go_on.set()
    held.thread.join(10)
    assert held.worker.stop(timeout_s=0)
    assert counts(*held.cameras) == [(1, 0), (0, 1)]
