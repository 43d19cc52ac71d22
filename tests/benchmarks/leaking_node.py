# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The node of the soak with a leak: `python -m tests.benchmarks.leaking_node ROS_ARGUMENTS`.

It keeps something of every image, opens a file every so often and leaves a thread behind as often.
"""

import os
import sys
import threading

import numpy as np

from benchmarks.node_parts.ready_pipeline import ReadyPipeline
from upsnet_ros.node.main import main

KEPT_BYTES = 200_000  # of every image
EVERY = 20  # images


class LeakingPipeline(ReadyPipeline):
    """Answers at once and forgets nothing."""

    def __init__(self) -> None:
        super().__init__(instances=1)
        self._kept = []
        self._files = []

    def process(self, image_bgr: np.ndarray, view: object) -> object:
        self._kept.append(bytearray(os.urandom(1) * KEPT_BYTES))
        if len(self._kept) % EVERY == 0:
            self._files.append(open(os.devnull))
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        return super().process(image_bgr, view)


if __name__ == '__main__':
    pipeline = LeakingPipeline()
    sys.exit(main(load_pipeline=lambda *_, **__: pipeline))
