# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Times of the panoptic head, beside the dense reference that builds every channel.

    python benchmarks/panoptic_head.py --output out/bench/panoptic_head.json

One thread. Times are medians; the ratio says how many times longer the reference takes. The two
must agree on the labels, or the benchmark fails: a fast wrong answer is not worth a number.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.model_parts.results import write_results  # noqa: E402
from tests.core.reference_panoptic_head import reference_panoptic_head  # noqa: E402
from tests.fakes.label_images import disturbed, random_label_image  # noqa: E402
from tests.fakes.network_output import street_output  # noqa: E402
from upsnet_ros.core.geometry import InputGeometry  # noqa: E402
from upsnet_ros.core.labels import cityscapes_label_set  # noqa: E402
from upsnet_ros.core.overlay import draw_overlay  # noqa: E402
from upsnet_ros.core.panoptic_head import PanopticHead  # noqa: E402
from upsnet_ros.core.panoptic_quality import PanopticQuality  # noqa: E402
from upsnet_ros.core.structures import NetworkOutput  # noqa: E402

LABELS = cityscapes_label_set()
# Input size, image size (height, width), label resolution, instances.
CASES = (
    ((320, 640), (512, 1024), 'input_frame', 0),
    ((320, 640), (512, 1024), 'input_frame', 10),
    ((320, 640), (512, 1024), 'input_frame', 50),
    ((320, 640), (512, 1024), 'image', 10),
    ((512, 1024), (512, 1024), 'input_frame', 10),
    ((512, 1024), (1024, 2048), 'input_frame', 10),
    ((1024, 2048), (1024, 2048), 'input_frame', 10),
)
# The reference holds every channel at full size in 64 bits: 2 GB for the largest case.
LARGEST_FOR_REFERENCE = 512 * 1024


def milliseconds(action: Callable[[], Any], *, repetitions: int) -> float:
    """Return the median duration of an action after one run to warm up."""
    action()
    durations = []
    for _ in range(repetitions):
        start = time.perf_counter()
        action()
        durations.append(time.perf_counter() - start)
    return float(np.median(durations)) * 1e3


def run_reference(output: NetworkOutput, geometry: InputGeometry, resolution: str) -> np.ndarray:
    """Return the dense reference's label image."""
    valid = slice(0, output.count)
    return reference_panoptic_head(
        output.semantic_logits,
        output.boxes[valid],
        output.scores[valid],
        output.classes[valid],
        output.mask_logits[valid],
        num_stuff=LABELS.num_stuff,
        image_size=(geometry.image_height, geometry.image_width),
        content_size=(geometry.content_height, geometry.content_width),
        scale=geometry.scale,
        label_resolution=resolution,
    ).label_image


def measure_head(
    input_size: tuple[int, int],
    image_size: tuple[int, int],
    resolution: str,
    count: int,
    repetitions: int,
) -> dict[str, Any]:
    """Return the times of one case."""
    geometry = InputGeometry.fit(image_size=image_size, input_size=input_size)
    output = street_output(np.random.default_rng(0), LABELS, geometry, count=count)
    head = PanopticHead(LABELS, label_resolution=resolution)
    labels = head(output, geometry).label_image
    result: dict[str, Any] = {
        'network_input': f'{input_size[1]}x{input_size[0]}',
        'image': f'{image_size[1]}x{image_size[0]}',
        'label_resolution': resolution,
        'instances': count,
        'head_ms': milliseconds(lambda: head(output, geometry), repetitions=repetitions),
    }
    if max(np.prod(input_size), np.prod(image_size)) <= LARGEST_FOR_REFERENCE:
        agreement = float((run_reference(output, geometry, resolution) == labels).mean())
        if agreement < 0.9999:
            raise SystemExit(f'head and reference agree on {agreement:.4%} of the pixels only')
        result['reference_ms'] = milliseconds(
            lambda: run_reference(output, geometry, resolution), repetitions=2
        )
        result['ratio'] = result['reference_ms'] / result['head_ms']
        result['agreement'] = agreement
    return result


def measure_others(image_size: tuple[int, int], repetitions: int) -> dict[str, Any]:
    """Return the times of the overlay and of panoptic quality for one image."""
    rng = np.random.default_rng(0)
    truth = random_label_image(rng, LABELS, image_size, cells=10)
    predicted = disturbed(rng, truth, LABELS, noise=0.0, shift=2)
    image = rng.integers(0, 256, (*image_size, 3), dtype=np.uint8)
    quality = PanopticQuality(LABELS)
    return {
        'image': f'{image_size[1]}x{image_size[0]}',
        'overlay_ms': milliseconds(
            lambda: draw_overlay(image, truth, LABELS), repetitions=repetitions
        ),
        'panoptic_quality_ms': milliseconds(
            lambda: quality.update(predicted, truth), repetitions=repetitions
        ),
    }


def print_tables(head: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Print what was measured."""
    print(f'{"network":>10} {"image":>10} {"labels at":>12} {"n":>4} {"head ms":>9} '
          f'{"dense ms":>9} {"ratio":>6}')  # fmt: skip
    for row in head:
        dense = f'{row["reference_ms"]:9.1f} {row["ratio"]:6.1f}' if 'ratio' in row else ''
        print(f'{row["network_input"]:>10} {row["image"]:>10} {row["label_resolution"]:>12} '
              f'{row["instances"]:>4} {row["head_ms"]:9.2f} {dense}')  # fmt: skip
    print(f'\n{"image":>10} {"overlay ms":>11} {"PQ ms":>7}')
    for row in others:
        print(f'{row["image"]:>10} {row["overlay_ms"]:11.2f} {row["panoptic_quality_ms"]:7.2f}')


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description='Times of the panoptic head')
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    parser.add_argument('--repetitions', type=int, default=30, help='runs per case (30)')
    options = parser.parse_args()
    cv2.setNumThreads(1)
    head = [measure_head(*case, options.repetitions) for case in CASES]
    others = [measure_others(size, options.repetitions) for size in ((512, 1024), (1024, 2048))]
    print_tables(head, others)
    write_results(
        options.output,
        'panoptic_head',
        (np, cv2),
        {'threads': 1, 'panoptic_head': head, 'others': others},
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
