# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real executable with the fake pipeline: `python -m tests.node.fake_node [OPTION]`.

With `--blocked` a frame in work never ends. With `--slow` it takes a while, and the red value of
its first pixel is printed when work on it begins. With `--loading` a model never comes. With
`--failing` the network fails on every frame, with `--dying` it ends the worker's thread. With
`--broken` intake cannot be closed. With `--raising` the callback of an image raises when the red
value of its first pixel is 13. A thread that gets SIGUSR1 stands still from then on.
"""

import ctypes
import signal
import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.node.fake_pipeline import FakeLoader, FakePipeline
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.image_view import ImageView
from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.intake import Intake
from upsnet_ros.node.main import main

SLOW_S = 0.3


def block(pipeline: FakePipeline) -> None:
    pipeline.gate.clear()


def slow_down(pipeline: FakePipeline) -> None:
    process = pipeline.process

    def process_slowly(image_bgr: np.ndarray, view: ImageView) -> SimpleNamespace:
        print(image_bgr[0, 0, 2], flush=True)
        time.sleep(SLOW_S)
        return process(image_bgr, view)

    pipeline.process = process_slowly


def load_for_ever(pipeline: FakePipeline) -> None:
    print('loading', flush=True)
    time.sleep(600)


def fail(pipeline: FakePipeline) -> None:
    pipeline.error = ModelError('no memory on the device')


def die(pipeline: FakePipeline) -> None:
    pipeline.error = SystemExit('no way to go on')


CHANGES = {
    '--blocked': block,
    '--dying': die,
    '--failing': fail,
    '--loading': load_for_ever,
    '--slow': slow_down,
}
UNLUCKY = 13


def refuse(intake: Intake) -> None:
    """Stands for the closing of intake."""
    raise OSError('out of handles')


def raising(offer: Callable[..., bool]) -> Callable[..., bool]:
    """Stands for a callback with a fault that shows on some images only."""

    def offer_or_raise(camera: CameraState, message: Any, **options) -> bool:
        if message.data[2] == UNLUCKY:
            raise ZeroDivisionError('a fault that nobody foresaw')
        return offer(camera, message, **options)

    return offer_or_raise


if __name__ == '__main__':
    libc = ctypes.CDLL(None)
    libc.signal(signal.SIGUSR1, libc.pause)
    if '--broken' in sys.argv:
        Intake.close = refuse
    if '--raising' in sys.argv:
        CameraState.offer = raising(CameraState.offer)
    chosen = [change for name, change in CHANGES.items() if name in sys.argv]
    sys.exit(main(load_pipeline=FakeLoader(*chosen)))
