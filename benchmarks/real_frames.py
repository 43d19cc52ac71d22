# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a model makes of real street frames that it was never trained on.

    .venv/runtime/bin/python -m benchmarks.real_frames --data DIR --sheet out/bench/real.jpg

Semantic mIoU of the panoptic labels, through a mapping file of the classes (CamVid's by default).
Unknown pixels count as misses. Only the recordings that models are chosen with are looked at;
`--frames rest` is the last word on a model that was chosen already.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.labelled_frames import MODEL  # noqa: E402 - after this checkout's path
from benchmarks.model_parts.real_street import (  # noqa: E402
    CHOOSE,
    SHARES,
    Mapping,
    RealFrame,
    RealFramesError,
    as_label_image,
)
from benchmarks.model_parts.results import write_results  # noqa: E402
from upsnet_ros.backends.select import BACKENDS, PRECISIONS  # noqa: E402
from upsnet_ros.core.errors import UpsnetError  # noqa: E402
from upsnet_ros.core.labels import class_image  # noqa: E402
from upsnet_ros.core.mean_iou import MeanIou  # noqa: E402
from upsnet_ros.core.overlay import draw_difference, draw_overlay  # noqa: E402
from upsnet_ros.pipeline import PanopticPipeline  # noqa: E402

MAPPING = ROOT / 'benchmarks' / 'model_parts' / 'camvid.yaml'
SHEET_FRAMES, PANEL_HEIGHT, QUALITY = 12, 240, 88
TOLD = 3  # what a class is most often taken for


def figures_of(counts: MeanIou, mapping: Mapping, frames: int) -> dict[str, Any]:
    """IoU by class, their mean, share of unknown pixels, what is taken for what [%]."""
    summary, pixels = counts.summary(), counts.state()
    answers = [entry.name for entry in mapping.label_set.classes] + ['unknown']
    taken_for = {}
    for entry in mapping.label_set.classes:
        row = 100.0 * pixels[entry.train_id] / max(pixels[entry.train_id].sum(), 1.0)
        order = np.argsort(-row, kind='stable')[:TOLD]
        taken_for[entry.name] = {answers[i]: float(row[i]) for i in order if row[i]}
    return {
        'frames': frames,
        'miou': summary.miou,
        'unknown_percent': 100.0 * float(pixels[:, -1].sum() / max(pixels.sum(), 1.0)),
        'iou': summary.per_class,
        'taken_for': taken_for,
    }


def judge(
    pipeline: PanopticPipeline, mapping: Mapping, folder: Path, frames: Sequence[RealFrame]
) -> tuple[MeanIou, list[np.ndarray]]:
    """Label the frames; returns the counts, and rows of a sheet of some evenly spread frames."""
    counts, rows = MeanIou(mapping.label_set), []
    table = mapping.model_table(pipeline.label_set)
    shown = set(np.linspace(0, len(frames) - 1, min(SHEET_FRAMES, len(frames))).astype(int))
    for number, frame in enumerate(tqdm(frames, unit='frame', desc=folder.name, disable=None)):
        image, truth = mapping.read(frame)
        labels = pipeline.process(image).panoptic.label_image
        given = table[class_image(labels)]
        counts.update(given, truth)
        if number in shown:
            true_labels = as_label_image(truth)
            rows.append(_panels((
                image,
                draw_overlay(image, labels, pipeline.label_set, alpha=0.65),
                draw_overlay(image, true_labels, mapping.label_set, alpha=0.65),
                draw_difference(image, as_label_image(given), true_labels),
            )))  # fmt: skip
    return counts, rows


def _panels(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of one size side by side."""
    height, width = pictures[0].shape[:2]
    size = (round(PANEL_HEIGHT * width / height), PANEL_HEIGHT)
    return cv2.hconcat([cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures])


def write_sheet(path: Path, rows: list[np.ndarray]) -> None:
    """Write the rows one below the other: frame, labels, truth, wrong (red) and unknown (amber).

    Raises:
        RealFramesError: the file cannot be written.
    """
    width = max(row.shape[1] for row in rows)
    padded = [cv2.copyMakeBorder(row, 0, 2, 0, width - row.shape[1], cv2.BORDER_CONSTANT)
              for row in rows]  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), cv2.vconcat(padded), [cv2.IMWRITE_JPEG_QUALITY, QUALITY]):
        raise RealFramesError(f'cannot write {path}; expected a name that ends with .jpg or .png')


def print_figures(figures: dict[str, Any]) -> None:
    """Print the figures, a line for each class."""
    taken_for = figures['taken_for']
    for name, iou in figures['iou'].items():
        text = ', '.join(f'{answer} {share:.0f} %' for answer, share in taken_for[name].items())
        print(f'{name:12}{"" if iou is None else f"{iou:6.1f}":6}   seen as {text}')
    print(f'{"mIoU":12}{figures["miou"]:6.1f}   unknown {figures["unknown_percent"]:.1f} %, '
          f'{figures["frames"]} frames')  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.real_frames',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--data', type=Path, required=True, metavar='DIR', help='images/ and labels/ of frames')
    add('--mapping', type=Path, default=MAPPING, help='classes and recordings (camvid.yaml)')
    add('--model', type=Path, default=MODEL, help='an exported model (the shipped one)')
    add('--frames', choices=SHARES, default=CHOOSE, help='which recordings (choose)')
    add('--backend', choices=BACKENDS, default='auto', help='what runs the network (auto)')
    add('--precision', choices=PRECISIONS, default='auto', help='of its arithmetic (auto)')
    add('--sheet', type=Path, metavar='FILE', help='where to draw some of the frames (JPEG)')
    add('--output', type=Path, help='where to write the results as JSON')
    options = parser.parse_args(arguments)
    try:
        mapping = Mapping.load(options.mapping)
        frames = mapping.frames(options.data, options.frames)
        with PanopticPipeline.load(
            options.model, backend=options.backend, precision=options.precision
        ) as pipeline:
            counts, rows = judge(pipeline, mapping, options.data, frames)
        figures = figures_of(counts, mapping, len(frames))
        print_figures(figures)
        if options.sheet:
            write_sheet(options.sheet, rows)
    except UpsnetError as error:
        parser.error(str(error))
    write_results(
        options.output,
        'real_frames',
        (np, cv2),
        {'data': mapping.label_set.name, 'share': options.frames, **figures},
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
