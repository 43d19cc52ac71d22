# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a frame costs beside the bare network: the whole pipeline over ONNX Runtime alone.

Both run the shipped model on the same frames of a synthetic drive, alternately, in one process.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import onnxruntime  # noqa: E402 - after the path of this checkout

from benchmarks.model_parts.results import write_results  # noqa: E402
from training.synthetic.drive import render_drive  # noqa: E402
from upsnet_ros.pipeline import PanopticPipeline  # noqa: E402

MODEL = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
FRAMES = 20
STAGES = ('preprocess', 'inference', 'panoptic_head', 'total')


def measure(frames: list[np.ndarray]) -> dict[str, float]:
    """Median milliseconds of the bare session and of each stage, and the ratio of the totals."""
    pipeline = PanopticPipeline.load(MODEL)
    session = onnxruntime.InferenceSession(str(MODEL), providers=['CPUExecutionProvider'])
    (image,) = session.get_inputs()
    height, width = image.shape[1:3]
    pipeline.warm_up(3)
    bare: list[float] = []
    stages: dict[str, list[float]] = {name: [] for name in STAGES}
    for frame in frames:
        placed = cv2.resize(frame, (width, height))[None]
        started = time.perf_counter()
        session.run(None, {image.name: placed})
        bare.append(1e3 * (time.perf_counter() - started))
        timing = pipeline.process(frame).timing_ms
        for name in STAGES:
            stages[name].append(timing[name])
    result = {f'{name}_ms': statistics.median(values) for name, values in stages.items()}
    result['bare_session_ms'] = statistics.median(bare)
    result['total_over_bare_session'] = result['total_ms'] / result['bare_session_ms']
    result['resident_mb'] = psutil.Process().memory_info().rss / 1e6
    return result


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    options = parser.parse_args()
    drive = render_drive(6, size=(1024, 512), frames=FRAMES, rate=2.0)
    result = measure([frame.image for frame in drive])
    for name, value in result.items():
        print(f'{name:26}{value:9.2f}')
    write_results(options.output, 'pipeline', (onnxruntime, np), {'frames': FRAMES} | result)
    return 0


if __name__ == '__main__':
    sys.exit(main())
