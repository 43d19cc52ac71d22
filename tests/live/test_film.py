# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of a drive, without any node: where labels are wrong, the film, the contact sheet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.bags.small_drive import (
    image_of,
    image_row,
    labels_by_colour,
    stamp_of,
    truth_of,
    write_drive,
    write_rows,
)
from tests.evaluation.replay_folders import changed
from tests.evaluation.replay_reports import BAG, record_of, write_replay
from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.evaluation.contact_sheet import CAPTIONS, draw_contact_sheet, empty_cell
from upsnet_ros.evaluation.film import (
    FilmWriter,
    rate_hz,
    sample_stamps,
    sweep_panel,
    sweep_position,
    write_film,
)
from upsnet_ros.evaluation.frame_record import NO_LABEL, SkippedFrame
from upsnet_ros.evaluation.label_files import write_label
from upsnet_ros.evaluation.replay_report import ReplayReport, read_report
from upsnet_ros.report.document import Frame, Picture

LABELS = cityscapes_label_set()


def count(picture: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((picture == np.array(colour, np.uint8)).all(axis=2).sum())


def frames_of(path: Path) -> tuple[list[np.ndarray], float]:
    """The pictures of a film and its rate."""
    film, frames = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        frames.append(read[1])
    return frames, film.get(cv2.CAP_PROP_FPS)


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


@pytest.mark.parametrize(
    ('frames', 'dropped', 'expected'),
    [
        (0, [], []),
        (3, [1], [0, 1, 2]),
        (60, [], [5, 15, 25, 35, 45, 55]),
        # Beside one that was dropped is one that was answered.
        (60, [5, 24, 25, 26], [4, 15, 23, 35, 45, 55]),
        # Nothing of the second part was answered, of the last one its first frame alone.
        (60, [*range(10, 20), *range(51, 60)], [5, 15, 25, 35, 45, 50]),
        (60, range(60), [5, 15, 25, 35, 45, 55]),
    ],
)
def test_samples_are_spread_evenly_and_answered_where_one_near_was(
    frames: int, dropped: Iterable[int], expected: list[int]
) -> None:
    answered = set(range(frames)) - set(dropped)
    assert sorted(sample_stamps(range(frames), answered)) == expected


def test_a_rate_needs_a_span_and_asks_for_no_order() -> None:
    assert rate_hz([400_000_000, 0, 200_000_000]) == 5.0
    assert rate_hz([]) == rate_hz([7]) == rate_hz([7, 7]) == 10.0


@pytest.mark.parametrize('size', [(96, 192), (95, 191)])
def test_a_film_has_the_frames_that_were_added(tmp_path: Path, size: tuple[int, int]) -> None:
    film = FilmWriter(tmp_path / 'drive', frames_per_second=10.0)
    for index in range(7):
        film.add(image_of(index)[: size[0], : size[1]])
    film.close()
    frames, rate = frames_of(film.path)
    assert (len(frames), rate) == (7, pytest.approx(10.0))
    even = tuple(side - side % 2 for side in size)
    assert frames[0].shape[:2] == even
    shown = image_of(0)[: even[0], : even[1]]
    assert np.abs(frames[0].astype(int) - shown).mean() < 12


def test_a_film_without_frames_leaves_no_file(tmp_path: Path) -> None:
    film = FilmWriter(tmp_path / 'drive', frames_per_second=10.0)
    film.close()
    assert film.path is None and list(tmp_path.iterdir()) == []


def test_the_contact_sheet_grows_by_rows_and_names_every_colour() -> None:
    panels = (Picture(CAPTIONS[kind], image_of(0)) for kind in ('image', 'labels'))
    moment = Frame('Frame 0', tuple(panels), ('PQ 64 · 40 ms',))
    empty, sheet = (draw_contact_sheet([moment] * rows, LABELS) for rows in (0, 3))
    assert sheet.shape[0] - empty.shape[0] == 3 * (240 + 8)
    for label_class in LABELS.classes:
        assert count(sheet[-120:], label_class.colour[::-1]) >= 300, label_class.name
    labelled, truth = (sheet[60:260, x : x + 380].reshape(-1, 3) for x in (520, 1010))
    assert len(np.unique(labelled, axis=0)) > 1
    # There is no truth, and a sentence in its place: dark letters on one light colour.
    assert len(np.unique(truth, axis=0)) > 1 and np.mean(truth == truth[0]) > 0.9


def test_a_dropped_frame_says_so_in_place_of_its_labels() -> None:
    seen, answer = (Picture(CAPTIONS[kind], image_of(0)) for kind in ('image', 'labels'))
    cells = []
    for pictures in ((seen, answer), (seen,)):
        sheet = draw_contact_sheet([Frame('Frame 0', pictures)], LABELS)
        cells.append(sheet[40:280, 496:976])
    told = empty_cell(240, 'dropped: no labels came')
    assert (cells[0] != told).any() and (cells[1] == told).all()
    assert (told != empty_cell(240, '')).any()


def report_of(drive: Path, folder: Path, *, frames: int, dropped: tuple[int, ...]) -> ReplayReport:
    """The report of a drive answered by colour, as an evaluation leaves it with its labels."""
    lines = []
    for index in range(frames):
        stamp, labels = stamp_of(index), labels_by_colour(image_of(index))
        if index in dropped:
            lines.append(SkippedFrame('camera', index, stamp, NO_LABEL))
            continue
        record = record_of(index, labels, truth_of(index), camera='camera', label_set=LABELS)
        lines.append(replace(record, stamp_ns=stamp))
        write_label(folder, 'camera', stamp, labels)
    bag = replace(BAG, path=str(drive))
    write_replay(folder, lines, kind='live', bag=bag, label_set=LABELS)
    part = asdict(BagPart())
    changed(folder, options={'truths': [], 'truth_format': 'panoptic', 'part': part})
    return read_report(folder)


def test_a_drive_is_filmed_with_its_labels_where_they_came(tmp_path: Path) -> None:
    drive, folder = write_drive(tmp_path / 'drive', frames=8, truth_every=3), tmp_path / 'out'
    film = write_film(report_of(drive, folder, frames=8, dropped=(2, 6)), folder)
    frames, rate = frames_of(film.path)
    assert (len(frames), rate) == (8, pytest.approx(10.0)) and film.still.shape == (96, 192, 3)
    answered = [str(stamp_of(index)) for index in (0, 1, 3, 4, 5, 7)]
    overlays = sorted((folder / 'overlays' / 'camera').iterdir())
    assert [path.stem for path in overlays] == answered
    # A sixth of the drive each, with its truth where there is one; frame 6 has no other beside it.
    assert [frame.title for frame in film.samples] == [f'Frame {i}' for i in (1, 3, 4, 5, 6, 7)]
    for frame, kinds in zip(film.samples, ('il', 'ilt', 'il', 'il', 'it', 'il'), strict=True):
        shown = {'i': 'image', 'l': 'labels', 't': 'truth'}
        assert [each.caption for each in frame.pictures] == [CAPTIONS[shown[k]] for k in kinds]
        image, other, *_ = frame.pictures
        assert (other.image != image.image).any()
        if 'l' in kinds:
            assert 'PQ ' in frame.notes[0] and '40 ms' in frame.notes[0]
        else:
            assert frame.notes == ('dropped: no labels came',)
    assert (folder / 'contact_sheet.png').stat().st_size > 1000


def test_an_image_that_cannot_be_read_is_black_and_the_film_goes_on(tmp_path: Path) -> None:
    rows = [image_row(index) for index in range(3)]
    rows[1][3].data = rows[1][3].data[:40]
    drive, folder = write_rows(tmp_path / 'drive', rows), tmp_path / 'out'
    film = write_film(report_of(drive, folder, frames=3, dropped=(1,)), folder)
    frames, _ = frames_of(film.path)
    assert len(frames) == 3 and frames[1].mean() < 60 < frames[0].mean()
    assert [frame.notes[0][:7] for frame in film.samples] == ['PQ 100 ', 'dropped', 'PQ 100 ']
