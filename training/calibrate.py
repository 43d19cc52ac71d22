# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Scores that are right as often as they say: a temperature for a trained network's classes.

``python -m training.calibrate --checkpoint FILE.pt --data DIR --output FILE.pt`` looks at the
instances that a network finds in images it was not trained on, and divides the logits of their
classes by the one number under which the true classes are likeliest (Guo et al. 2017, "On
Calibration of Modern Neural Networks"). Which class it prefers stays; a network that is too sure
of itself gets lower scores, so that in strange surroundings an object whose class it does not know
stays below the panoptic head's threshold and becomes unknown.

The number goes into the checkpoint's recipe (model.class_temperature), and with it into exported
graphs and their manifests.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import logging
import math
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

from training.build import load_trained_model
from training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from training.data.errors import DataError
from training.data.formats import add_place_options, guess_format, open_data_set
from training.data.frames import Frame, FrameReader, Places
from training.data.label_runs import LabelRuns
from training.data.objects import find_objects
from training.inference.preparation import prepare_image
from training.inference.views import View
from training.interruption import interruptible
from training.models.box_coding import pairwise_iou
from training.models.detections import rank_candidates, score_regions
from training.models.upsnet import UPSNet
from training.recipe.model import ModelRecipe
from upsnet_ros.core.errors import ModelError, UpsnetError
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL

LOGGER = logging.getLogger(__name__)

RIGHT_IOU = 0.5  # a candidate is an object's from here on, as in panoptic quality
NO_TRUTH_SHARE = 0.5  # of a box, in crowds and void pixels: nobody knows what it holds
FEWEST = 50  # candidates; a temperature of fewer would be chance
BINS = 15


@dataclass(frozen=True)
class Candidates:
    """What the box head said of candidates, and what they were.

    Attributes:
        logits: float32 ``[n, T + 1]`` as trained, index 0 = background.
        classes: int64 ``[n]`` the true class 1..T, 0 = none.
    """

    logits: Tensor
    classes: Tensor

    def likelihood(self, temperature: float) -> float:
        """Mean logarithm of the true classes' probabilities; at most 0."""
        return -float(F.cross_entropy(self.logits / temperature, self.classes))

    def calibration_error(self, temperature: float) -> float:
        """Expected calibration error of the scores, 0..1: distance of score and share of right.

        Over 15 bins of equal width, weighted by their candidates; a score is the largest
        probability of a thing class.
        """
        scores, best = (self.logits / temperature).softmax(dim=1)[:, 1:].max(dim=1)
        right = (best + 1 == self.classes).float()
        bins = (scores * BINS).long().clamp(max=BINS - 1)
        gap = torch.zeros(BINS).index_add(0, bins, right - scores)
        return float(gap.abs().sum() / len(scores))

    def above(self, threshold: float, temperature: float) -> tuple[int, float]:
        """How many have a score above a threshold, and how many of these are right, 0..1."""
        scores, best = (self.logits / temperature).softmax(dim=1)[:, 1:].max(dim=1)
        right = (best + 1 == self.classes)[scores > threshold]
        return len(right), float(right.float().mean()) if len(right) else 0.0


def fit_temperature(candidates: Candidates) -> float:
    """The temperature under which the true classes are likeliest, 0.05 to 20.

    The likelihood has a single maximum, which golden section finds.
    """
    low, high = math.log(0.05), math.log(20.0)
    ratio = (math.sqrt(5.0) - 1.0) / 2.0
    while high - low > 1e-4:
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if candidates.likelihood(math.exp(left)) > candidates.likelihood(math.exp(right)):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2.0)


@torch.no_grad()
def find_candidates(
    model: UPSNet, frames: Iterable[tuple[np.ndarray, np.ndarray]], view: View
) -> Candidates:
    """Run a network on images with truth.

    Args:
        model: In evaluation mode, with temperature 1.
        frames: Images uint8 ``[H, W, 3]`` BGR and label images uint16 ``[H, W]``.
        view: At which size.

    Raises:
        DataError: If there are too few candidates.
    """
    logits = [torch.zeros(0, model.num_things + 1)]
    classes = [torch.zeros(0, dtype=torch.long)]
    for image, truth in frames:
        geometry = view.geometry(image.shape[:2])
        size = (geometry.content_height, geometry.content_width)
        pixels = prepare_image(image, geometry, model.normalise)[None]
        found = score_regions(model, model.pyramid_output(pixels), image_size=size)
        (boxes, _, _), rows = rank_candidates(
            found.proposals,
            found.class_logits,
            found.deltas,
            image_size=size,
            limit=model.test_candidates,
        )
        own, known = true_classes(
            (boxes / geometry.scale).numpy(), truth, num_stuff=model.num_stuff
        )
        logits.append(found.class_logits[rows][known].float())
        classes.append(own[known])
    result = Candidates(torch.cat(logits), torch.cat(classes))
    if len(result.classes) < FEWEST:
        raise DataError(
            f'the network finds {len(result.classes)} candidates in these images, expected at '
            f'least {FEWEST}; give more images, or a network that was trained longer'
        )
    return result


def true_classes(boxes: np.ndarray, truth: np.ndarray, *, num_stuff: int) -> tuple[Tensor, Tensor]:
    """What boxes hold.

    Args:
        boxes: float ``[n, 4]`` inclusive, in pixels of the label image.
        truth: uint16 ``[H, W]`` label image.
        num_stuff: Number of stuff classes.

    Returns:
        int64 ``[n]`` thing class 1..T of the object with an IoU of at least 0.5, 0 without one;
        and bool ``[n]`` whether that is known: where there is no object, and half of the box has
        no truth or a crowd, it is not.
    """
    objects = find_objects(LabelRuns.of(truth), num_stuff=num_stuff)
    if not len(boxes):
        return torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.bool)
    classes = np.zeros(len(boxes), dtype=np.int64)
    if len(objects.values):
        overlap = pairwise_iou(
            torch.from_numpy(np.asarray(boxes, np.float32)), torch.from_numpy(objects.boxes)
        ).numpy()
        best = overlap.argmax(axis=1)
        own = (objects.values[best] >> INSTANCE_BITS).astype(np.int64) - num_stuff + 1
        classes = np.where(overlap.max(axis=1) >= RIGHT_IOU, own, 0)
    unknown = (truth == UNKNOWN_LABEL) | np.isin(truth, objects.crowd_values)
    hidden = np.array([unknown[_inside(box, truth.shape)].mean() for box in boxes])
    return torch.from_numpy(classes), torch.from_numpy((classes > 0) | (hidden < NO_TRUTH_SHARE))


def _inside(box: np.ndarray, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The pixels of a box, at least one."""
    x1, y1, x2, y2 = np.floor(box).astype(int)
    row, column = min(max(y1, 0), shape[0] - 1), min(max(x1, 0), shape[1] - 1)
    return slice(row, max(y2, row) + 1), slice(column, max(x2, column) + 1)


def with_temperature(checkpoint: Checkpoint, temperature: float) -> Checkpoint:
    """The same network with a temperature.

    Raises:
        ModelError: If it finds no instances.
    """
    recipe = checkpoint.recipe
    if not isinstance(recipe.model, ModelRecipe):
        raise ModelError('the checkpoint is a PSPNet, which finds no instances to calibrate')
    model = replace(recipe.model, class_temperature=temperature)
    return replace(checkpoint, recipe=replace(recipe, model=model))


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the calibration command."""
    parser = argparse.ArgumentParser(
        prog='python -m training.calibrate',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--checkpoint', type=Path, required=True, help='.pt file of a UPSNet or Mask R-CNN')
    add('--data', type=Path, required=True, help='folder of the data set')
    add('--split', default='val', help='images it was not trained on (default: val)')
    add_place_options(add)
    add('--limit', type=int, metavar='N', help='only N images, spread over the split')
    add('--output', type=Path, required=True, help='.pt file to write')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    options = parse_arguments(arguments)
    try:
        checkpoint = with_temperature(load_checkpoint(options.checkpoint), 1.0)
        data = checkpoint.recipe.data
        layout = guess_format(options.data) if options.format == 'auto' else options.format
        own = data.places if layout == data.format else Places()
        places = Places(options.images or own.images, options.truth or own.truth)
        reader = open_data_set(options.data, layout, data.label_set, places)
        frames = reader.frames(options.split)
        count = min(options.limit or len(frames), len(frames))
        frames = [frames[index * len(frames) // count] for index in range(count)]
        candidates = find_candidates(
            load_trained_model(checkpoint),
            _read(reader, frames),
            View(data.test_short_side, data.test_max_long_side),
        )
        temperature = round(fit_temperature(candidates), 4)
        save_checkpoint(with_temperature(checkpoint, temperature), options.output)
    except (UpsnetError, OSError) as error:
        LOGGER.error('calibration stopped: %s', error)
        return 1
    LOGGER.info('%d candidates in %d images', len(candidates.classes), count)
    threshold = checkpoint.recipe.panoptic_head.score_threshold
    for value in (1.0, temperature):
        kept, right = candidates.above(threshold, value)
        LOGGER.info(
            'temperature %.3f: log likelihood %.3f, calibration error %.1f %%, %d scores above '
            '%g, of which %.1f %% are right',
            *(value, candidates.likelihood(value), 100.0 * candidates.calibration_error(value)),
            *(kept, threshold, 100.0 * right),
        )
    LOGGER.info('written to %s', options.output)
    return 0


def _read(reader: FrameReader, frames: list[Frame]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Images and truth, with a progress bar."""
    for frame in tqdm(frames, unit='image', desc='finding instances', disable=None):
        yield reader.read_image(frame), reader.read_label_image(frame)


if __name__ == '__main__':
    sys.exit(interruptible(main))
