# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the engine's half precision changes: panoptic maps and quality beside the model's own.

    .venv/runtime/bin/python benchmarks/half_precision.py --data data/synthetic --frames 200

The engine's mixed-precision graph with every half-precision tensor rounded, on the CPU, beside the
shipped model on the same frames. Fails below the aims. Without `--data`, frames of synthetic
worlds.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.labelled_frames import (  # noqa: E402 - after the path of this checkout
    parse_options,
    read_frames,
)
from benchmarks.model_parts.results import write_results  # noqa: E402
from training.engine.half_rounding import round_as_half  # noqa: E402
from training.engine.variant import EngineForm, build_variant  # noqa: E402
from upsnet_ros.backends.graph_interface import to_network_output  # noqa: E402
from upsnet_ros.core.geometry import InputGeometry, place_image  # noqa: E402
from upsnet_ros.core.panoptic_head import PanopticHead  # noqa: E402
from upsnet_ros.core.panoptic_quality import PanopticQuality  # noqa: E402
from upsnet_ros.core.structures import NetworkOutput  # noqa: E402
from upsnet_ros.manifest import ModelManifest  # noqa: E402

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
    options = parse_options(__doc__)
    result = measure(options.model, options.data, options.frames)
    for name, value in result.items():
        print(f'{name:30}{value:10.4f}')
    write_results(options.output, 'half_precision', (onnxruntime, np), result)
    loss = abs(result['panoptic_quality_single'] - result['panoptic_quality_half'])
    return 0 if result['equal_pixels'] >= LEAST_EQUAL and loss <= LARGEST_LOSS else 1


if __name__ == '__main__':
    sys.exit(main())
