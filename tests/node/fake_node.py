# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real executable with the fake pipeline: `python -m tests.node.fake_node [OPTION]`.

With `--blocked` a frame in work never ends. With `--slow` it takes a while, and the red value of
its first pixel is printed when work on it begins. With `--broken` intake cannot be closed.
"""

import sys
import time
from types import SimpleNamespace

import numpy as np

from tests.node.fake_pipeline import FakeLoader, FakePipeline
from upsnet_ros.node.intake import Intake
from upsnet_ros.node.main import main

SLOW_S = 0.3


class BlockedLoader(FakeLoader):
    """Loads pipelines that do not come back from a frame."""

    def __call__(self, *args, **options) -> FakePipeline:
        pipeline = super().__call__(*args, **options)
        pipeline.gate.clear()
        return pipeline


class SlowPipeline(FakePipeline):
    """Tells which frame it begins, and takes its time."""

    def process(self, image_bgr: np.ndarray) -> SimpleNamespace:
        print(image_bgr[0, 0, 2], flush=True)
        time.sleep(SLOW_S)
        return super().process(image_bgr)


class SlowLoader(FakeLoader):
    """Loads pipelines that take their time."""

    def __call__(self, *args, **options) -> FakePipeline:
        super().__call__(*args, **options)
        self.pipelines[-1] = SlowPipeline()
        return self.pipelines[-1]


LOADERS = {'--blocked': BlockedLoader, '--slow': SlowLoader}


def refuse(intake: Intake) -> None:
    """Stands for the closing of intake."""
    raise OSError('out of handles')


if __name__ == '__main__':
    if '--broken' in sys.argv:
        Intake.close = refuse
    chosen = next((LOADERS[name] for name in LOADERS if name in sys.argv), FakeLoader)
    sys.exit(main(load_pipeline=chosen()))
