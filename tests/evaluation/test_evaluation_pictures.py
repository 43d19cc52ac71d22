# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.evaluation.small_drive import (
    CAR,
    HEIGHT,
    ROAD,
    VOID,
    WIDTH,
    bare_score,
    image_of,
    material_of,
    truth_of,
)
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.evaluation.contact_sheet import draw_contact_sheet
from upsnet_ros.evaluation.panels import (
    UNKNOWN_BGR,
    WRONG_BGR,
    difference_panel,
    fit_width,
    sweep_panel,
)
from upsnet_ros.evaluation.video import DriveVideo, MovingPicture, sweep_position

LABELS = cityscapes_label_set()


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour, np.uint8)).all(axis=2).sum())


def test_differences_are_counted_where_the_truth_is_not_void() -> None:
    truth, predicted = truth_of(0), truth_of(0)
    predicted[truth == CAR] = ROAD
    predicted[:10] = VOID
    predicted[truth == VOID] = CAR
    panel = difference_panel(material_of(0, predicted=predicted, truth=truth))
    assert count(panel, WRONG_BGR) == int((truth == CAR).sum())
    assert count(panel, UNKNOWN_BGR) == 10 * WIDTH


def test_another_instance_number_is_no_difference_of_class() -> None:
    truth, predicted = truth_of(0), truth_of(0)
    predicted[truth == CAR] = CAR + 4
    panel = difference_panel(material_of(0, predicted=predicted, truth=truth))
    assert count(panel, WRONG_BGR) == 0


def test_no_difference_without_label_or_truth() -> None:
    assert difference_panel(material_of(0, predicted=None, truth=truth_of(0))) is None
    assert difference_panel(material_of(0, predicted=truth_of(0), truth=None)) is None


@pytest.mark.parametrize('divide', [-1.0, 0.0, 0.25, 0.5, 1.0, 7.0])
def test_the_sweep_shows_the_camera_left_of_its_line_and_labels_right_of_it(
    divide: float,
) -> None:
    image, labelled = np.zeros((64, 400, 3), np.uint8), np.full((64, 400, 3), 200, np.uint8)
    panel = sweep_panel(image, labelled, divide=divide, caption='0')
    line = int(np.clip(divide, 0, 1) * 400)
    middle = panel[30]
    assert (middle[: max(line - 4, 0)] == 0).all()
    assert (middle[line + 4 :] == 200).all()
    assert not image.any()


def test_the_sweep_begins_in_the_middle_and_stays_inside() -> None:
    assert sweep_position(0.0) == 0.5
    positions = [sweep_position(t / 10) for t in range(100)]
    assert 0.0 < min(positions) < 0.15
    assert 0.85 < max(positions) < 1.0


@pytest.mark.parametrize(('width', 'height'), [(96, 48), (192, 96), (400, 200)])
def test_pictures_keep_their_proportions(width: int, height: int) -> None:
    assert fit_width(image_of(0), width).shape == (height, width, 3)


@pytest.mark.parametrize('size', [(96, 192), (95, 191)])
def test_a_film_has_the_frames_that_were_added(tmp_path: Path, size: tuple[int, int]) -> None:
    video = DriveVideo(tmp_path / 'drive', frames_per_second=10.0)
    for index in range(7):
        video.add(image_of(index)[: size[0], : size[1]])
    video.close()
    film = cv2.VideoCapture(str(video.path))
    frames = []
    while (read := film.read())[0]:
        frames.append(read[1])
    assert len(frames) == 7
    assert film.get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)
    even = tuple(side - side % 2 for side in size)
    assert frames[0].shape[:2] == even
    shown = image_of(0)[: even[0], : even[1]]
    assert np.abs(frames[0].astype(int) - shown).mean() < 12


def test_a_film_without_frames_leaves_no_file(tmp_path: Path) -> None:
    video = DriveVideo(tmp_path / 'drive', frames_per_second=10.0)
    video.close()
    assert video.path is None
    assert list(tmp_path.iterdir()) == []


def test_the_moving_picture_is_an_endless_webp_of_the_frames() -> None:
    moving = MovingPicture(frames_per_second=10.0)
    for index in range(5):
        moving.add(image_of(index))
    read, animation = cv2.imdecodeanimation(np.frombuffer(moving.encode(), np.uint8))
    assert read
    assert len(animation.frames) == 5
    assert list(animation.durations) == [100] * 5
    assert animation.loop_count == 0
    assert moving.still().shape == (HEIGHT, WIDTH, 3)


def test_the_moving_picture_stays_small_however_long_the_drive() -> None:
    moving = MovingPicture(frames_per_second=10.0)
    for _ in range(200):
        moving.add(image_of(0))
    read, animation = cv2.imdecodeanimation(np.frombuffer(moving.encode(), np.uint8))
    assert read
    assert sum(animation.durations) <= 6000


def test_no_frames_make_no_moving_picture() -> None:
    moving = MovingPicture(frames_per_second=10.0)
    assert moving.encode() == b''
    assert moving.still() is None


@pytest.mark.parametrize('rows', [0, 1, 3])
def test_the_contact_sheet_grows_by_rows_and_names_every_colour(rows: int) -> None:
    shown = [
        (
            material_of(i, predicted=truth_of(i), truth=truth_of(i)),
            bare_score(i, pq=100.0),
        )
        for i in range(rows)
    ]
    sheet = draw_contact_sheet(shown, LABELS)
    empty = draw_contact_sheet([], LABELS)
    assert sheet.shape[0] - empty.shape[0] == rows * (240 + 8)
    for label_class in LABELS.classes:
        assert count(sheet[-120:], label_class.colour[::-1]) >= 300, label_class.name


def test_the_contact_sheet_shows_a_dropped_frame_as_an_empty_place() -> None:
    dropped = material_of(0, predicted=None, truth=truth_of(0))
    answered = material_of(0, predicted=truth_of(0), truth=truth_of(0))
    sheets = [
        draw_contact_sheet([(m, bare_score(0, pq=None, unknown_share=None))], LABELS)
        for m in (dropped, answered)
    ]
    middle = [sheet[60:260, 520:900].reshape(-1, 3) for sheet in sheets]
    assert len(np.unique(middle[0], axis=0)) == 1
    assert len(np.unique(middle[1], axis=0)) > 1
