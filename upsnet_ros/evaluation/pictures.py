# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of frames: what there is to see, on disk, and of the few worst ones of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.overlay import draw_difference, draw_overlay
from upsnet_ros.evaluation.frame_record import FrameRecord
from upsnet_ros.evaluation.judge import LabelledFrame
from upsnet_ros.evaluation.label_files import camera_in_a_file_name
from upsnet_ros.evaluation.replay_report import WorstFrame, rounded

WORST_FRAMES = 6
# Worst frames follow each other; one of a camera within so long is enough to see it [ns].
APART_NS = 1_000_000_000
FOLDER = 'worst'
LARGEST_WIDTH = 1280
JPEG_FLAGS = [cv2.IMWRITE_JPEG_QUALITY, 88]
KINDS = ('image', 'labels', 'truth', 'difference')


def fit_width(picture: np.ndarray, width: int) -> np.ndarray:
    """The picture at another width, its proportions kept."""
    height = max(1, round(picture.shape[0] * width / picture.shape[1]))
    shrinks = width < picture.shape[1]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(picture, (width, height), interpolation=method)


def frame_pictures(
    image: np.ndarray, label_images: Mapping[str, np.ndarray | None], label_set: LabelSet
) -> dict[str, np.ndarray]:
    """What there is to see of a frame, BGR uint8 [H, W, 3] by kind.

    Args:
        image: BGR uint8 [H, W, 3]; it comes first, as `image`.
        label_images: uint16 [H, W] by kind; those that are missing or of another size are left
            out, the image under the others.
        label_set: colours of the classes.
    """
    return {'image': image} | {
        kind: draw_overlay(image, labels, label_set)
        for kind, labels in label_images.items()
        if labels is not None and labels.shape == image.shape[:2]
    }


def write_picture(path: Path, picture: np.ndarray, *, widest: int | None = None) -> None:
    """Write a picture as PNG or JPEG, made narrower than `widest` [px]; its folder is made.

    Raises:
        EvaluationError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if widest is not None and widest < picture.shape[1]:
        picture = fit_width(picture, widest)
    if not cv2.imwrite(str(path), picture, JPEG_FLAGS if path.suffix == '.jpg' else []):
        raise EvaluationError(f'{path} could not be written. Is the disk full?')


def badness(record: FrameRecord) -> tuple[int, float]:
    """Orders frames, the greatest being the worst: by quality, without truth by unknown pixels."""
    if record.pq is not None:
        return 1, 100.0 - record.pq
    return 0, record.unknown_share


@dataclass(frozen=True)
class _Kept:
    record: FrameRecord
    pictures: dict[str, str]


class WorstPictures:
    """Writes pictures of the frames that are the worst so far, and removes those that no more are.

    Args:
        folder: the run's output.
        label_set: colours of the classes.
        count: frames to keep.
    """

    def __init__(self, folder: Path, label_set: LabelSet, *, count: int = WORST_FRAMES) -> None:
        self._folder = folder
        self._label_set = label_set
        self._count = count
        self._kept: list[_Kept] = []

    def remember(self, record: FrameRecord) -> None:
        """Take over a frame whose pictures an earlier run wrote."""
        paths = {kind: _path(record, kind) for kind in KINDS}
        found = {kind: path for kind, path in paths.items() if (self._folder / path).is_file()}
        if 'image' in found:
            self._kept.append(_Kept(record, found))

    def offer(self, record: FrameRecord, done: LabelledFrame) -> None:
        """Keep a frame with labels if it is one of the worst; without an image it is black.

        Raises:
            EvaluationError: a picture cannot be written.
        """
        if done.result is None or badness(record)[1] == 0.0:
            return  # nothing is wrong with it
        by_badness = sorted(self._kept, key=lambda kept: badness(kept.record))
        # It stands for those beside it in time, or takes the place of the least bad.
        rivals = [kept for kept in by_badness if _is_near(kept.record, record)]
        if not rivals and len(by_badness) >= self._count:
            rivals = by_badness[:1]
        if any(badness(kept.record) >= badness(record) for kept in rivals):
            return
        for kept in rivals:
            self._kept.remove(kept)
            for path in kept.pictures.values():
                (self._folder / path).unlink(missing_ok=True)
        labels, truth = done.result.label_image, done.truth
        image = np.zeros((*labels.shape, 3), np.uint8) if done.image is None else done.image
        pictures = frame_pictures(image, {'labels': labels, 'truth': truth}, self._label_set)
        if truth is not None and 'truth' in pictures:
            pictures['difference'] = draw_difference(image, labels, truth)
        paths = {kind: _path(record, kind) for kind in pictures}
        for kind, picture in pictures.items():
            write_picture(self._folder / paths[kind], picture, widest=LARGEST_WIDTH)
        self._kept.append(_Kept(record, paths))

    def ranked(self) -> tuple[WorstFrame, ...]:
        """The frames kept, the worst first."""
        ordered = sorted(self._kept, key=lambda kept: badness(kept.record), reverse=True)
        return tuple(
            WorstFrame(
                camera=kept.record.camera,
                stamp_ns=kept.record.stamp_ns,
                pq=rounded(kept.record.pq),
                unknown_share=round(kept.record.unknown_share, 6),
                pictures=kept.pictures,
            )
            for kept in ordered
        )


def _path(record: FrameRecord, kind: str) -> str:
    """Where a picture lies below the run's output."""
    camera = camera_in_a_file_name(record.camera)
    return f'{FOLDER}/{camera}_{record.stamp_ns}_{kind}.jpg'


def _is_near(one: FrameRecord, other: FrameRecord) -> bool:
    return one.camera == other.camera and abs(one.stamp_ns - other.stamp_ns) < APART_NS
