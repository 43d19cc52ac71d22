# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measure a model: ``python -m training.evaluate --model M --data DIR --output OUT``.

The model is a training checkpoint (``.pt``) or an exported model (``.onnx`` beside its
``.json``); both go through the same panoptic head, at the full size of the labels.
"""

import argparse
import json
import logging
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from training.build import build_label_set, load_trained_model
from training.checkpoint import load_checkpoint
from training.data.cityscapes import Frame, find_frames, read_image, read_label_image
from training.torch_backend import TorchBackend
from upsnet_ros.backends.select import create_backend
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.core.structures import NetworkOutput, PanopticResult
from upsnet_ros.manifest import ModelManifest

LOGGER = logging.getLogger(__name__)


class Network(Protocol):
    """What evaluation needs of a backend."""

    input_size: tuple[int, int]

    def infer(self, image: np.ndarray) -> NetworkOutput: ...  # noqa: D102


@dataclass(frozen=True)
class Evaluated:
    """A network with the panoptic head it is evaluated with."""

    network: Network
    head: PanopticHead
    label_set: LabelSet

    def process(self, image: np.ndarray) -> PanopticResult:
        """Label one uint8 ``[H, W, 3]`` BGR image at its own size."""
        geometry = InputGeometry.fit(
            image_size=image.shape[:2], input_size=self.network.input_size
        )
        return self.head(self.network.infer(place_image(image, geometry)), geometry)


def load_model(path: Path) -> Evaluated:
    """Load a checkpoint or an exported model.

    Raises:
        UpsnetError: If the file is neither, is missing or damaged.
    """
    if path.suffix == '.onnx':
        manifest = ModelManifest.load(path)
        backend = create_backend(path, manifest, name='onnxruntime')
        head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
        return Evaluated(backend, head, manifest.label_set)
    checkpoint = load_checkpoint(path)
    recipe = checkpoint.recipe
    model = load_trained_model(checkpoint)
    labels = build_label_set(recipe)
    size = (recipe.data.input_height, recipe.data.input_width)
    head = PanopticHead(labels, **vars(recipe.panoptic_head))
    return Evaluated(TorchBackend(model, input_size=size), head, labels)


def evaluate(
    evaluated: Evaluated, frames: list[Frame]
) -> tuple[PanopticQuality, dict[str, float]]:
    """Label every frame and compare it with its truth.

    Returns:
        The panoptic quality, and the mean share of unknown pixels and seconds per frame.
    """
    quality = PanopticQuality(evaluated.label_set)
    unknown, seconds = [], []
    for frame in tqdm(frames, unit='frame', dynamic_ncols=True):
        image = read_image(frame.image)
        started = time.perf_counter()
        result = evaluated.process(image)
        seconds.append(time.perf_counter() - started)
        truth = read_label_image(frame.instances, evaluated.label_set)
        quality.update(result.label_image, truth)
        unknown.append(result.unknown_share)
    return quality, {
        'frames': len(frames),
        'unknown_share': float(np.mean(unknown)),
        'seconds_per_frame': float(np.median(seconds)),
    }


def format_table(summary: dict[str, Any]) -> str:
    """Human-readable table of a quality summary."""
    lines = [f'{"":16}{"PQ":>8}{"SQ":>8}{"RQ":>8}']
    rows = [(group, summary[group]) for group in ('all', 'things', 'stuff')]
    rows += [(row['name'], row) for row in summary['per_class']]
    for name, row in rows:
        cells = ''.join(f'{row[key]:8.1f}' for key in ('pq', 'sq', 'rq'))
        lines.append(f'{name:16}{cells}')
    return '\n'.join(lines)


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the evaluation command."""
    parser = argparse.ArgumentParser(prog='python -m training.evaluate', description=__doc__)
    parser.add_argument('--model', type=Path, required=True, help='checkpoint (.pt) or .onnx')
    parser.add_argument('--data', type=Path, required=True, help='folder in Cityscapes layout')
    parser.add_argument('--split', default='val', help='part of the data set (default: val)')
    parser.add_argument('--limit', type=int, help='evaluate only the first N frames')
    parser.add_argument('--output', type=Path, required=True, help='folder for metrics.json')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    try:
        frames = find_frames(options.data, options.split)[: options.limit]
        quality, facts = evaluate(load_model(options.model), frames)
    except UpsnetError as error:
        LOGGER.error('evaluation stopped: %s', error)
        return 1
    summary = quality.summary().to_dict()
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / 'metrics.json'
    path.write_text(json.dumps({'pq': summary} | facts, indent=2) + '\n')
    LOGGER.info('%s\nwritten to %s', format_table(summary), path)
    return 0


if __name__ == '__main__':
    sys.exit(main())
