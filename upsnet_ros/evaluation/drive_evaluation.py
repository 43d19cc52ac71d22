# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One pass over a replayed drive: every frame scored, its pictures written, the film made."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.joining import StampedMessages
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError, ImageError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frame_scores import (
    FrameMaterial,
    FrameScore,
    WorstFrames,
    evenly_spaced,
    score_frame,
)
from upsnet_ros.evaluation.frames import JoinedFrames
from upsnet_ros.evaluation.ordered_work import ordered_map
from upsnet_ros.evaluation.panels import labels_panel, sweep_panel
from upsnet_ros.evaluation.video import DriveVideo, MovingPicture, sweep_position
from upsnet_ros.images.messages import image_to_bgr, label_image

WORKERS = 2
SAMPLE_FRAMES = 6
WORST_FRAMES = 3
JPEG_QUALITY = 88
# Label images are flat areas: the run-length strategy packs them as well as the default, faster.
PNG_FLAGS = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, 3]
# Rate of the film where too few frames were sent to tell the camera's.
DEFAULT_RATE_HZ = 10.0
# Height and width of a picture that can neither be read nor told from its labels [px].
BLANK_SIZE = (512, 1024)

logger = logging.getLogger(__name__)

Shown = tuple[FrameMaterial, FrameScore]


@dataclass(frozen=True)
class OutputFolder:
    """Where the files of a report lie."""

    path: Path

    @property
    def labels(self) -> Path:
        """16-bit PNG of every label image."""
        return self.path / 'labels'

    @property
    def overlays(self) -> Path:
        """JPEG of every labelled frame under its labels."""
        return self.path / 'overlays'

    @property
    def contact_sheet(self) -> Path:
        """Sample frames in one picture."""
        return self.path / 'contact_sheet.png'

    @property
    def report_json(self) -> Path:
        """The measures for programs."""
        return self.path / 'report.json'

    @property
    def report_html(self) -> Path:
        """The measures for people."""
        return self.path / 'report.html'


@dataclass(frozen=True)
class DriveEvaluation:
    """What a pass over a drive found.

    Attributes:
        scores: One per frame sent, in that order.
        quality: Over all frames with label and truth; None where there is no such frame.
        samples: Frames spread over the drive.
        worst: Frames with the lowest quality, the worst first.
        moving_picture: Animated WebP of the beginning.
        still: A picture of it, BGR.
        video: The film.
        image_size: Height and width of the camera images [px].
    """

    scores: tuple[FrameScore, ...]
    quality: PanopticQuality | None
    samples: tuple[Shown, ...]
    worst: tuple[Shown, ...]
    moving_picture: bytes
    still: np.ndarray | None
    video: Path | None
    image_size: tuple[int, int]

    @property
    def unknown_share(self) -> float | None:
        """Mean share of unknown pixels over the labelled frames."""
        shares = [s.unknown_share for s in self.scores if s.unknown_share is not None]
        return float(np.mean(shares)) if shares else None


@dataclass(frozen=True)
class _Messages:
    """The undecoded messages of one frame; decoding them is left to the workers."""

    position: int
    image: tuple[object, str]
    predicted: object | None
    truth: object | None


@dataclass(frozen=True)
class _Finished:
    material: FrameMaterial
    score: FrameScore
    sweep: np.ndarray


def _read_messages(
    drive: BagReader, recording: BagReader, joined: JoinedFrames, *, camera: str, label_topic: str
) -> Iterator[_Messages]:
    """The messages that belong to each frame, in the order sent."""
    (topics,) = find_cameras(drive, names=[camera])
    images = StampedMessages(drive, topics.images)
    labels = StampedMessages(recording, label_topic)
    truths = StampedMessages(drive, topics.truth) if topics.truth else None
    for position, outcome in enumerate(joined.outcomes):
        image = images.take(outcome.frame.bag_stamp_ns)
        if image is None:
            raise EvaluationError(
                f'frame {outcome.frame.index} was sent with the bag stamp '
                f'{outcome.frame.bag_stamp_ns}, but {drive.path} has no such image. '
                'Was the bag changed while it was played?'
            )
        label = labels.take(outcome.frame.stamp_ns) if outcome.labelled else None
        truth = truths.take(outcome.frame.bag_stamp_ns) if truths else None
        yield _Messages(
            position,
            (drive.decode(topics.images, image), drive.topics[topics.images]),
            label and recording.decode(label_topic, label),
            truth and drive.decode(topics.truth, truth),
        )


class FrameWork:
    """What is done with each frame, safe to run in several threads at once."""

    def __init__(
        self, joined: JoinedFrames, label_set: LabelSet, folder: OutputFolder, *, rate_hz: float
    ) -> None:
        self._joined = joined
        self._label_set = label_set
        self._folder = folder
        self._rate_hz = rate_hz
        folder.labels.mkdir(parents=True)
        folder.overlays.mkdir(parents=True)

    def __call__(self, messages: _Messages) -> _Finished:
        """Decode, score and write one frame."""
        predicted = None if messages.predicted is None else label_image(messages.predicted)
        truth = None if messages.truth is None else label_image(messages.truth)
        labels = predicted if predicted is not None else truth
        image = _image_or_blank(messages.image, None if labels is None else labels.shape)
        material = FrameMaterial(self._joined.outcomes[messages.position], image, predicted, truth)
        overlay = labels_panel(material, self._label_set)
        name = f'{material.index:06d}'
        if material.predicted is not None:
            _write(self._folder.labels / f'{name}.png', material.predicted, PNG_FLAGS)
            _write(
                self._folder.overlays / f'{name}.jpg',
                overlay,
                [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY],
            )
        latency = material.outcome.latency_ms
        caption = f'{material.index:04d}  ' + (
            'dropped' if latency is None else f'{latency:.0f} ms'
        )
        sweep = sweep_panel(
            material.image,
            overlay,
            divide=sweep_position(messages.position / self._rate_hz),
            caption=caption,
        )
        return _Finished(material, score_frame(material, self._label_set), sweep)


def _image_or_blank(message: tuple[object, str], size: tuple[int, int] | None) -> np.ndarray:
    """The picture, or a black one where the recording is damaged: the drive goes on."""
    try:
        return image_to_bgr(message[0])
    except ImageError as error:
        logger.warning('an image of the drive is shown black: %s', error)
        return np.zeros((*(size or BLANK_SIZE), 3), np.uint8)


def _write(path: Path, picture: np.ndarray, flags: list[int]) -> None:
    if not cv2.imwrite(str(path), picture, flags):
        raise EvaluationError(f'{path} could not be written. Is the disk full?')


def evaluate_drive(
    joined: JoinedFrames,
    *,
    bag: Path,
    recording: Path,
    camera: str,
    label_topic: str,
    label_set: LabelSet,
    folder: OutputFolder,
    rate_hz: float | None,
    progress: Callable[[int], None],
) -> DriveEvaluation:
    """Score every frame of a replay and write its pictures.

    Args:
        joined: Frames and when they were answered.
        bag: The drive: images and, where it has it, ground truth.
        recording: What the node published.
        camera: Name of the camera.
        label_topic: Topic of the label images in the recording.
        label_set: What the labels mean.
        folder: Where to write; its `labels` and `overlays` must not exist.
        rate_hz: Rate at which the drive was recorded, for the film.
        progress: Called with the number of frames done.

    Raises:
        BagError: a bag cannot be read or lacks a topic.
        EvaluationError: bag and recording do not fit, or a file cannot be written.
    """
    rate = rate_hz or DEFAULT_RATE_HZ
    sample_indices = set(evenly_spaced(joined.sent, SAMPLE_FRAMES))
    scores, samples, worst = [], [], WorstFrames(WORST_FRAMES)
    quality: PanopticQuality | None = None
    video = DriveVideo(folder.path / 'drive', frames_per_second=rate)
    moving = MovingPicture(frames_per_second=rate)
    image_size = (0, 0)
    with BagReader(bag) as drive, BagReader(recording) as results:
        messages = _read_messages(drive, results, joined, camera=camera, label_topic=label_topic)
        work = FrameWork(joined, label_set, folder, rate_hz=rate)
        for position, done in enumerate(ordered_map(work, messages, workers=WORKERS)):
            scores.append(done.score)
            if done.score.quality is not None:
                quality = quality or PanopticQuality(label_set)
                quality.merge(done.score.quality)
            if position in sample_indices:
                samples.append((done.material, done.score))
            worst.offer(done.material, done.score)
            image_size = done.material.image.shape[:2]
            video.add(done.sweep)
            moving.add(done.sweep)
            progress(position + 1)
    video.close()
    return DriveEvaluation(
        scores=tuple(scores),
        quality=quality,
        samples=tuple(samples),
        worst=tuple(worst.ranked()),
        moving_picture=moving.encode(),
        still=moving.still(),
        video=video.path,
        image_size=image_size,
    )
