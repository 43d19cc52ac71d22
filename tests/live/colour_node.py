# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The real node with a pipeline that finds the labels of the small drive by colour.

A picture from the wrong time would be labelled as it was then, so a wrong join shows as a loss of
quality. Like the real pipeline it refuses a model whose manifest does not fit. The environment may
make it slow (`COLOUR_NODE_DELAY_S`), or end after some frames (`COLOUR_NODE_DIES_AFTER`).
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.bags.small_drive import labels_by_colour  # noqa: E402
from upsnet_ros.core.structures import PanopticResult  # noqa: E402
from upsnet_ros.manifest import ModelManifest  # noqa: E402
from upsnet_ros.node.main import main  # noqa: E402


class ColourPipeline:
    """Answers at once, unless it is told to take its time."""

    max_batch = 1

    def __init__(self, model_path: Path | str) -> None:
        self.manifest = ModelManifest.load(model_path)
        self.label_set = self.manifest.label_set
        self._delay_s = float(os.environ.get('COLOUR_NODE_DELAY_S', 0))
        self._frames_left = int(os.environ.get('COLOUR_NODE_DIES_AFTER', -1))
        self.backend = SimpleNamespace(
            name='colour',
            device='none',
            precision='fp32',
            input_size=self.manifest.input_size,
        )

    def warm_up(self, runs: int) -> list[float]:
        return [0.0] * runs

    def set_thresholds(self, **thresholds: float) -> None:
        """There are none."""

    def process(self, image_bgr: np.ndarray, view: object) -> SimpleNamespace:
        time.sleep(self._delay_s)
        if self._frames_left == 0:
            print('out of colours', flush=True)
            os._exit(3)
        self._frames_left -= 1
        times = {'preprocess': 1.0, 'inference': 2.0, 'panoptic_head': 3.0, 'total': 6.0}
        panoptic = PanopticResult(labels_by_colour(image_bgr), (), 0.0)
        return SimpleNamespace(panoptic=panoptic, timing_ms=times)

    def close(self) -> None:
        """There is nothing to close."""


def load(model_path: Path | str, **options: object) -> ColourPipeline:
    """Stands for `PanopticPipeline.load`."""
    return ColourPipeline(model_path)


if __name__ == '__main__':
    sys.exit(main(load_pipeline=load))
