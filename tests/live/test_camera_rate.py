# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rate of a demo's camera: chosen by what the pipeline was measured to label, and told."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

from tests.bags.small_drive import image_of, image_row, write_drive, write_rows
from tests.fakes.fake_backend import make_manifest
from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.demo import main
from upsnet_ros.evaluation.live import camera_rate
from upsnet_ros.evaluation.live.camera_rate import (
    CameraRate,
    fitting_hz,
    fitting_rate,
    measure_hz,
    recorded_hz,
)
from upsnet_ros.evaluation.replay_report import read_report


class Clock:
    """Stands where the pipeline puts it: nothing else takes time."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


class TimedPipeline:
    """Takes a given time for each frame, by that clock."""

    manifest = make_manifest()

    def __init__(self, clock: Clock, *, seconds: float) -> None:
        self._clock, self._seconds = clock, seconds
        self.seen: list[np.ndarray] = []

    def process(self, image_bgr: np.ndarray) -> None:
        self.seen.append(image_bgr)
        self._clock.now += self._seconds

    def warm_up(self, runs: int) -> None:
        """The first frames take longer, and are not measured."""
        self._clock.now += 60.0 * runs

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """There is nothing to close."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(camera_rate, 'time', clock)
    return clock


def open_drive(path: Path) -> tuple[BagReader, Any]:
    bag = BagReader(path)
    with bag:
        (camera,) = find_cameras(bag, names=('camera',))
    return BagReader(path), camera


@pytest.mark.parametrize(
    ('measured', 'expected'),
    [
        (0.3, 2),
        (2.0, 2),
        (2.9, 2),
        (4.3, 3),
        (10.0, 7),
        (21.6, 15),
        (42.8, 29),
        (43.0, 30),
        (900, 30),
    ],
)
def test_the_rate_is_whole_and_seven_tenths_of_what_was_measured_at_most(
    measured: float, expected: int
) -> None:
    assert fitting_hz(measured) == expected


@pytest.mark.parametrize(
    ('rate', 'told'),
    [
        (CameraRate(3.0, 9.0), 'The camera runs at 3 Hz, as asked for.'),
        (CameraRate(15, 9.0, 21.64), 'labels 21.6 frames of the drive a second now, so its'),
        (CameraRate(30, 9.0, 99.0), 'a second now, so its camera runs at 30 Hz, the fastest'),
        (CameraRate(2, 9.0, 1.2), 'a second now; the camera runs at 2 Hz all the same'),
        (CameraRate(2, 9.0, 2.4), 'frames may be dropped'),
    ],
)  # fmt: skip
def test_rate_and_measurement_are_told_in_a_sentence(rate: CameraRate, told: str) -> None:
    assert told in rate.sentence and rate.sentence.count('. ') == 0
    assert ('dropped' in rate.sentence) == (rate.hz == 2)


def test_a_short_bag_is_measured_again_and_again_with_its_own_images(
    tmp_path: Path, clock: Clock
) -> None:
    bag, camera = open_drive(write_drive(tmp_path / 'drive', frames=3))
    pipeline = TimedPipeline(clock, seconds=0.125)
    with bag:
        assert measure_hz(bag, camera, pipeline, seconds=1.0) == 8.0
    assert len(pipeline.seen) == 8
    for index, image in enumerate(pipeline.seen):
        assert np.abs(image.astype(int) - image_of(index % 3)).mean() < 5


def test_what_is_slow_is_measured_by_some_frames_at_least(tmp_path: Path, clock: Clock) -> None:
    bag, camera = open_drive(write_drive(tmp_path / 'drive', frames=3))
    with bag:
        assert measure_hz(bag, camera, TimedPipeline(clock, seconds=4.0), seconds=1.0) == 0.25


def test_images_that_cannot_be_read_are_not_counted(tmp_path: Path, clock: Clock) -> None:
    rows = [image_row(index) for index in range(3)]
    rows[1][3].data = rows[1][3].data[:40]
    bag, camera = open_drive(write_rows(tmp_path / 'drive', rows))
    with bag:
        assert measure_hz(bag, camera, TimedPipeline(clock, seconds=0.5), seconds=3.0) == 2.0
    bag, camera = open_drive(write_rows(tmp_path / 'broken', rows[1:2]))
    with bag, pytest.raises(EvaluationError, match='no image of camera that can be read'):
        measure_hz(bag, camera, TimedPipeline(clock, seconds=0.5), seconds=3.0)


def test_the_pace_follows_from_the_rate_of_recording(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tmp_path / 'model.onnx'
    loaded = {model: TimedPipeline(clock, seconds=0.0625)}
    monkeypatch.setattr(camera_rate.PanopticPipeline, 'load', loaded.__getitem__)
    bag, camera = open_drive(write_drive(tmp_path / 'drive', frames=6))  # at 10 Hz
    with bag:
        rate = fitting_rate(bag, camera, model)
    # Warming up, which took three minutes, is no part of it.
    assert rate.measured_hz == pytest.approx(16.0) and rate.hz == 11
    assert rate.pace == pytest.approx(1.1)


def test_a_lone_image_is_played_whatever_its_rate(tmp_path: Path) -> None:
    bag, camera = open_drive(write_drive(tmp_path / 'drive', frames=1))
    with bag:
        assert recorded_hz(bag, camera) is None
    assert CameraRate(5.0, None).pace == 1.0


@pytest.mark.usefixtures('colour_node')
def test_a_demo_that_is_told_no_rate_measures_says_and_keeps_it(
    tmp_path: Path,
    model_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipeline = TimedPipeline(clock, seconds=0.2)
    monkeypatch.setattr(camera_rate.PanopticPipeline, 'load', lambda model: pipeline)
    drive, output = write_drive(tmp_path / 'drive', frames=4), tmp_path / 'out'
    words = ['--bag', str(drive), '--output', str(output), '--model', str(model_path)]
    assert main(words) == 0
    speed = read_report(output).speed
    assert (speed['camera_hz'], speed['measured_hz']) == (3.0, 5.0)
    assert speed['rate'] == pytest.approx(0.3)
    told = capsys.readouterr().out
    assert 'This computer labels 5.0 frames of the drive a second now' in told
    page = (output / 'report.html').read_text()
    assert 'at 0.3 times its pace, 3 Hz; measured before, this computer labelled 5.0' in page
