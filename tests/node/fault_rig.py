# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An active node with one camera, into which faults are injected."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticStatus
from sensor_msgs.msg import Image

from tests.node.node_harness import (
    NodeHarness,
    find_status,
    half_blue_image,
    image_message,
    wait_until,
)
from upsnet_ros.node.camera import COUNTERS, CameraState


def uncounted(camera: CameraState) -> int:
    """How many of a camera's messages are in none of its counters and do not wait."""
    snapshot = camera.snapshot()
    fates = [name for name in COUNTERS if name != 'received']
    return snapshot.received - snapshot.waiting - sum(getattr(snapshot, name) for name in fates)


def check_accounts(harness: NodeHarness) -> None:
    """Fails unless every message of every camera is counted once, after frames in work ended."""
    for pipeline in harness.loader.pipelines:
        pipeline.gate.set()
    for camera in list(harness.node.parts.cameras):
        wait_until(lambda camera=camera: uncounted(camera) == 0, f'accounts: {camera.snapshot()}')


class FaultRig:
    """An active node with one camera, its labels and its diagnostics."""

    def __init__(self, harness: NodeHarness) -> None:
        self.harness = harness.activate()
        self.diagnostics = harness.diagnostics()
        self.labels = harness.subscribe(Image, 'camera/panoptic/image')
        self.raw = harness.publisher(Image, 'camera/image_raw')
        self._stamps = itertools.count(1)

    def send(self) -> int:
        """Sends an image and returns its stamp."""
        stamp = next(self._stamps)
        self.raw.publish(image_message(half_blue_image(), stamp=stamp))
        return stamp

    def serve(self) -> None:
        """Sends an image and waits for its labels."""
        stamp = self.send()
        self.labels.wait_for(
            lambda seen: bool(seen) and seen[-1].header.stamp.sec == stamp, f'labels {stamp}'
        )

    def fail(self, count: int = 1) -> None:
        """Sends so many images, each after the last one has failed."""
        camera = self.harness.node.parts.cameras[0]
        for _ in range(count):
            failed = camera.snapshot().failed
            self.send()
            wait_until(lambda failed=failed: camera.snapshot().failed > failed, 'a failure')

    def wait_for(
        self, name: str, condition: Callable[[DiagnosticStatus], bool], what: str
    ) -> DiagnosticStatus:
        """The newest status of a name, once a condition on it holds."""
        seen = self.diagnostics.wait_for(lambda seen: condition(find_status(seen, name)), what)
        return find_status(seen, name)
