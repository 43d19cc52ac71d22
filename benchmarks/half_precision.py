# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the engine's half precision changes: panoptic maps and quality beside the model's own.

    .venv/runtime/bin/python benchmarks/half_precision.py --data data/synthetic --frames 200

The engine's mixed-precision graph with every half-precision tensor rounded, on the CPU, beside the
shipped model on the same frames. Fails below the aims. Without `--data`, frames of synthetic
worlds.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import psutil
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from training.data.formats import open_data_set  # noqa: E402 - after the path of this checkout
from training.engine.half_rounding import round_as_half  # noqa: E402
from training.engine.variant import EngineForm, build_variant  # noqa: E402
from training.synthetic.drive import visit_world  # noqa: E402
from upsnet_ros.backends.graph_interface import to_network_output  # noqa: E402
from upsnet_ros.core.geometry import InputGeometry, place_image  # noqa: E402
from upsnet_ros.core.panoptic_head import PanopticHead  # noqa: E402
from upsnet_ros.core.panoptic_quality import PanopticQuality  # noqa: E402
from upsnet_ros.core.structures import NetworkOutput  # noqa: E402
from upsnet_ros.manifest import ModelManifest  # noqa: E402

MODEL = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
SEED, WORLD_SIZE, FRAMES_PER_WORLD = 4711, (1024, 512), 2
LEAST_EQUAL = 0.995  # of the pixels
LARGEST_LOSS = 0.2  # of panoptic quality, in points


def make_runner(model: onnx.ModelProto) -> Callable[[np.ndarray], NetworkOutput]:
    """Return a function from a placed image to a network's output, with no cast optimised away."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=['CPUExecutionProvider']
    )
    names = [value.name for value in session.get_outputs()]
    image = session.get_inputs()[0].name

    def run(placed: np.ndarray) -> NetworkOutput:
        values = session.run(names, {image: placed[None]})
        return to_network_output(dict(zip(names, values, strict=True)))

    return run


def read_frames(
    data: Path | None, count: int, manifest: ModelManifest
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Return camera and label images of a data set's split `val`, or of worlds no model saw."""
    if data:
        reader = open_data_set(data, 'cityscapes', manifest.label_set)
        for frame in reader.frames('val')[:count]:
            yield reader.read_image(frame), reader.read_label_image(frame)
        return
    for index in range(count // FRAMES_PER_WORLD):
        for frame in visit_world(SEED, 'val', index, size=WORLD_SIZE, count=FRAMES_PER_WORLD):
            yield frame.image, frame.label


def measure(path: Path, data: Path | None, count: int) -> dict[str, float]:
    """Return shares of equal pixels, both qualities and the largest differences."""
    manifest = ModelManifest.load(path)
    model = onnx.load(path)
    mixed = round_as_half(build_variant(model, EngineForm(deform_conv='builtin')))
    runners = make_runner(model), make_runner(mixed)
    head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
    qualities = PanopticQuality(manifest.label_set), PanopticQuality(manifest.label_set)
    equal, semantic = [], []
    for image, truth in tqdm(read_frames(data, count, manifest), total=count):
        geometry = InputGeometry.fit(image_size=image.shape[:2], input_size=manifest.input_size)
        placed = place_image(image, geometry)
        outputs = [run(placed) for run in runners]
        labels = [head(output, geometry).label_image for output in outputs]
        for quality, label in zip(qualities, labels, strict=True):
            quality.update(label, truth)
        equal.append(float((labels[0] == labels[1]).mean()))
        difference = outputs[0].semantic_logits - outputs[1].semantic_logits
        semantic.append(float(np.abs(difference).max()))
    single, half = (quality.summary().all.pq for quality in qualities)
    return {
        'frames': len(equal),
        'equal_pixels': float(np.mean(equal)),
        'equal_pixels_of_worst_frame': float(np.min(equal)),
        'panoptic_quality_single': single,
        'panoptic_quality_half': half,
        'largest_semantic_difference': float(np.max(semantic)),
    }


def main() -> int:
    """Measure, print, write; fail below the aims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--model', type=Path, default=MODEL, help='an exported model')
    parser.add_argument('--data', type=Path, help='a data set in Cityscapes layout; its val split')
    parser.add_argument('--frames', type=int, default=40, help='how many frames (default: 40)')
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    options = parser.parse_args()
    result = measure(options.model, options.data, options.frames)
    for name, value in result.items():
        print(f'{name:30}{value:10.4f}')
    if options.output:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        report = {
            'benchmark': 'half_precision',
            'date': time.strftime('%Y-%m-%d'),
            'machine': {'processor': platform.processor(), 'cores': psutil.cpu_count()},
            'versions': {'onnxruntime': onnxruntime.__version__, 'numpy': np.__version__},
        }
        options.output.write_text(json.dumps(report | result, indent=2) + '\n')
    loss = abs(result['panoptic_quality_single'] - result['panoptic_quality_half'])
    return 0 if result['equal_pixels'] >= LEAST_EQUAL and loss <= LARGEST_LOSS else 1


if __name__ == '__main__':
    sys.exit(main())
