# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An exported model, and frames that it never saw: the command line of both and the frames."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from training.data.formats import open_data_set
from training.synthetic.drive import visit_world
from upsnet_ros.manifest import ModelManifest

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
SEED, WORLD_SIZE, FRAMES_PER_WORLD = 4711, (1024, 512), 2


def parse_options(description: str | None) -> argparse.Namespace:
    """`model`, `data` (None: synthetic worlds), `frames` and `output` (None: no file)."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument('--model', type=Path, default=MODEL, help='an exported model')
    parser.add_argument('--data', type=Path, help='a data set in Cityscapes layout; its val split')
    parser.add_argument('--frames', type=int, default=40, help='how many frames (default: 40)')
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    return parser.parse_args()


def read_frames(
    data: Path | None, count: int, manifest: ModelManifest
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Camera and label images of a data set's split `val`, or of worlds no model saw."""
    if data:
        reader = open_data_set(data, 'cityscapes', manifest.label_set)
        for frame in reader.frames('val')[:count]:
            yield reader.read_image(frame), reader.read_label_image(frame)
        return
    for index in range(count // FRAMES_PER_WORLD):
        for seen in visit_world(SEED, 'val', index, size=WORLD_SIZE, count=FRAMES_PER_WORLD):
            yield seen.image, seen.label
