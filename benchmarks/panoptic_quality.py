# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic quality beside the evaluation of cityscapesScripts, on maps in memory.

    .venv/training/bin/python benchmarks/panoptic_quality.py --output out/bench/quality.json

One process, one thread, image by image in turns. cityscapesScripts evaluates as it is; only its
reading of image files is replaced by arrays. The two must agree to 1e-9, or the benchmark fails.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import cv2
import numpy as np
from cityscapesscripts.evaluation import evalPanopticSemanticLabeling as cityscapes

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.model_parts.results import write_results  # noqa: E402
from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set  # noqa: E402
from upsnet_ros.core.panoptic_quality import PanopticQuality  # noqa: E402

LABELS = cityscapes_label_set()
CATEGORIES = {entry.train_id: {'isthing': int(entry.is_thing)} for entry in LABELS.classes}
SIZE = (1024, 2048)
CELLS = 74  # many share a class of stuff, some are void: about 40 segments remain
AGREEMENT = 1e-9
LEAST_RATIO = 5.0
# Memory that may come between the tenth image and the last [MB].
LARGEST_GROWTH = 16.0


def make_pair(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return a predicted and a true label image of the same cells with unlike curved borders."""
    coarse = (SIZE[0] // 4, SIZE[1] // 4)
    y, x = np.indices(coarse, dtype=np.float32)
    centres = rng.random((CELLS, 2)) * coarse
    cells = np.stack([(y - a) ** 2 + (x - b) ** 2 for a, b in centres]).argmin(axis=0)
    classes = rng.integers(0, LABELS.num_classes, CELLS)
    is_thing = classes >= LABELS.num_stuff
    labels = (classes << 8 | np.where(is_thing, np.arange(1, CELLS + 1), 0)).astype(np.uint16)
    labels[np.flatnonzero(is_thing)[:1]] &= 0xFF00  # a crowd
    labels[rng.random(CELLS) < 0.05] = UNKNOWN_LABEL
    wrong = rng.random(CELLS) < 0.1
    other = np.where(wrong, np.roll(labels, 1), labels)
    return bend(rng, other[cells]), bend(rng, labels[cells])


def bend(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """Return a coarse label image at full size, with waves and single pixels along borders."""
    y, x = np.indices(SIZE, dtype=np.float32)
    phase = (rng.random(4) * 6.3).tolist()
    moved_x = x / 4 + 3 * np.sin(y / 37 + phase[0]) + np.sin(y / 9 + phase[1])
    moved_y = y / 4 + 3 * np.sin(x / 43 + phase[2]) + np.sin(x / 8 + phase[3])
    moved_x += rng.normal(0, 0.15, SIZE).astype(np.float32)
    return cv2.remap(
        labels, moved_x, moved_y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
    )  # fmt: skip


def as_colours(labels: np.ndarray, *, is_truth: bool) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Return what cityscapesScripts reads: uint8 [H, W, 3] of ids, and the segments."""
    ids = np.where(labels == UNKNOWN_LABEL, 0, labels.astype(np.uint32) + 1)
    colours = np.stack([ids & 255, ids >> 8, np.zeros_like(ids)], axis=-1).astype(np.uint8)
    segments = []
    values, areas = np.unique(ids, return_counts=True)
    for value, area in zip(values.tolist(), areas.tolist(), strict=True):
        class_id, instance = value - 1 >> 8, value - 1 & 255
        if value:
            crowd = is_truth and LABELS.classes[class_id].is_thing and instance == 0
            segments.append(
                {'id': value, 'category_id': class_id, 'iscrowd': int(crowd), 'area': area}
            )
    return colours, segments


def time_official(
    predicted: np.ndarray, truth: np.ndarray
) -> tuple[float, cityscapes.PQStat, int]:
    """Return the seconds of cityscapesScripts, its counts and the number of true segments."""
    arrays, annotations = {}, []
    for name, labels in (('truth', truth), ('predicted', predicted)):
        arrays[name], segments = as_colours(labels, is_truth=name == 'truth')
        annotations.append({'image_id': 0, 'file_name': name, 'segments_info': segments})
    from_memory = SimpleNamespace(open=arrays.__getitem__)
    with (
        mock.patch.object(cityscapes, 'Image', from_memory),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        start = time.perf_counter()
        counts = cityscapes.pq_compute_single_core(0, [annotations], '', '', CATEGORIES)
        seconds = time.perf_counter() - start
    return seconds, counts, len(annotations[0]['segments_info'])


def resident_mb() -> float:
    """Resident memory of this process [MB]."""
    status = Path('/proc/self/status').read_text()
    (line,) = [line for line in status.splitlines() if line.startswith('VmRSS:')]
    return int(line.split()[1]) * 1024 / 1e6


def largest_difference(ours: PanopticQuality, theirs: cityscapes.PQStat) -> float:
    """Return the largest difference of any figure of any class or group, as a share of one."""
    summary, figures = ours.summary(), cityscapes.average_pq(theirs, CATEGORIES)
    pairs = [(entry, figures['per_class'][entry.class_id]) for entry in summary.per_class]
    groups = (('All', summary.all), ('Things', summary.things), ('Stuff', summary.stuff))
    pairs += [(group, figures[name]) for name, group in groups]
    return max(
        abs(getattr(own, key) / 100 - other[key])
        for own, other in pairs
        for key in ('pq', 'sq', 'rq')
    )


def measure(images: int) -> dict[str, float]:
    """Evaluate the same maps with both."""
    rng = np.random.default_rng(0)
    ours, theirs = PanopticQuality(LABELS), cityscapes.PQStat()
    own_times, other_times, segments, memory = [], [], [], []
    for _ in range(images):
        predicted, truth = make_pair(rng)
        start = time.perf_counter()
        ours.update(predicted, truth)
        own_times.append(time.perf_counter() - start)
        seconds, counts, number = time_official(predicted, truth)
        other_times.append(seconds)
        segments.append(number)
        theirs += counts
        memory.append(resident_mb())
    return {
        'images': images,
        'segments': float(np.mean(segments)),
        'pq': ours.summary().all.pq,
        'images_per_s': images / sum(own_times),
        'cityscapes_images_per_s': images / sum(other_times),
        'ratio': sum(other_times) / sum(own_times),
        'largest_difference': largest_difference(ours, theirs),
        'resident_mb_after_10': memory[min(9, images - 1)],
        'resident_mb_after_all': memory[-1],
    }


def problems_of(result: dict[str, float]) -> list[str]:
    """Return what is not as it must be."""
    growth = result['resident_mb_after_all'] - result['resident_mb_after_10']
    checks = (
        (result['largest_difference'] <= AGREEMENT, f'figures differ by more than {AGREEMENT}'),
        (result['ratio'] >= LEAST_RATIO, f'less than {LEAST_RATIO} times as fast'),
        (growth <= LARGEST_GROWTH, f'memory grew by {growth:.0f} MB'),
    )
    return [text for good, text in checks if not good]


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description='Panoptic quality beside cityscapesScripts')
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    parser.add_argument('--images', type=int, default=100, help='maps of 2048x1024 (100)')
    options = parser.parse_args()
    cv2.setNumThreads(1)
    result = measure(options.images)
    for name, value in result.items():
        print(f'{name:26}{value:12.4g}')
    write_results(options.output, 'panoptic_quality', (np,), {'size': SIZE, 'threads': 1} | result)
    for problem in problems_of(result):
        print(f'FAILED: {problem}')
    return 1 if problems_of(result) else 0


if __name__ == '__main__':
    sys.exit(main())
