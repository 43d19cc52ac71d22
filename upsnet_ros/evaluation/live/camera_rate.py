# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rate at which a demo's camera runs: what the computer can do now, measured before.

The frames of the drive stay the same at any rate, and with them their labels: the player gives
the same images faster or slower.
"""

from __future__ import annotations

import itertools
import math
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

from upsnet_ros.bags.cameras import CameraTopics
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError, ImageError
from upsnet_ros.images.messages import decode_image
from upsnet_ros.images.video import VideoDecoder
from upsnet_ros.pipeline import PanopticPipeline

SLOWEST_HZ, FASTEST_HZ = 2, 30
# Of what the pipeline alone labels: player, recorder and messages take their part, and not every
# frame takes the same time.
USED_SHARE = 0.7
MEASURED_SECONDS = 4.0
# How long each frame takes is of the moment on a busy computer, so a few count at least.
LEAST_FRAMES = 5
WARM_UP_RUNS = 3
# Images that tell at which rate a camera was recorded.
INTERVALS = 50


@dataclass(frozen=True)
class CameraRate:
    """At which rate images are sent, and why.

    Attributes:
        hz: images a second.
        recorded_hz: those of the bag; None where it has one image.
        measured_hz: frames that the pipeline labelled a second; None where the rate was given.
    """

    hz: float
    recorded_hz: float | None
    measured_hz: float | None = None

    @property
    def pace(self) -> float:
        """How many times as fast as recorded the bag is played."""
        return 1.0 if self.recorded_hz is None else self.hz / self.recorded_hz

    @property
    def sentence(self) -> str:
        """What was measured, and the rate that follows from it."""
        if self.measured_hz is None:
            return f'The camera runs at {self.hz:g} Hz, as asked for.'
        measured = f'This computer labels {self.measured_hz:.1f} frames of the drive a second now'
        if self.hz > self.measured_hz * USED_SHARE:
            return (
                f'{measured}; the camera runs at {self.hz:g} Hz all the same, the slowest of a '
                'demo, and frames may be dropped.'
            )
        reason = ', the fastest of a demo' if self.hz == FASTEST_HZ else ''
        return f'{measured}, so its camera runs at {self.hz:g} Hz{reason}.'


def fitting_hz(measured_hz: float) -> int:
    """A whole rate of a camera [Hz], for a pipeline that labels so many frames a second."""
    return min(max(math.floor(USED_SHARE * measured_hz), SLOWEST_HZ), FASTEST_HZ)


def fitting_rate(
    bag: BagReader, camera: CameraTopics, model: Path, *, seconds: float = MEASURED_SECONDS
) -> CameraRate:
    """The rate that this computer can follow now, with everything that runs beside.

    Args:
        bag: the opened bag.
        camera: whose images are labelled.
        model: file of the model.
        seconds: how long is measured.

    Raises:
        ModelError: the model cannot be loaded or fails.
        EvaluationError: the bag has no image of the camera that can be read.
    """
    with PanopticPipeline.load(model) as pipeline:
        pipeline.warm_up(WARM_UP_RUNS)
        measured = measure_hz(bag, camera, pipeline, seconds=seconds)
    return CameraRate(fitting_hz(measured), recorded_hz(bag, camera), measured)


def measure_hz(
    bag: BagReader, camera: CameraTopics, pipeline: PanopticPipeline, *, seconds: float
) -> float:
    """Frames that a pipeline labels a second, decoding included, one after the other.

    Raises:
        ModelError: the model fails.
        EvaluationError: the bag has no image of the camera that can be read.
    """
    began, labelled = time.monotonic(), 0
    while True:
        video = VideoDecoder()
        for message in bag.messages([camera.images]):
            try:
                image, _ = decode_image(bag.decode(camera.images, message.data), video=video)
            except ImageError:  # the node refuses it as well
                continue
            pipeline.process(image)
            labelled += 1
            passed = time.monotonic() - began
            if passed >= seconds and labelled >= LEAST_FRAMES:
                return labelled / passed
        if not labelled:
            raise EvaluationError(
                f'{bag.path} has no image of {camera.name} that can be read, so nothing can be '
                'measured; give another bag, or another --camera'
            )


def recorded_hz(bag: BagReader, camera: CameraTopics) -> float | None:
    """Images of a camera a second by their times of recording; None where it has but one."""
    first = itertools.islice(bag.messages([camera.images]), INTERVALS + 1)
    times = [message.recorded_ns for message in first]
    intervals = [later - earlier for earlier, later in itertools.pairwise(times)]
    usual_ns = statistics.median(intervals) if intervals else 0
    return 1e9 / usual_ns if usual_ns > 0 else None
