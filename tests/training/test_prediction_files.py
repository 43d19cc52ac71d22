# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions read from files, and what is wrong with some of them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.fakes.panoptic_data import CAR, PERSON, UNTRAINED, WALL, segment, write_ids
from training.data.errors import DataError
from training.evaluation.prediction_files import PredictionFiles
from training.label_sets import find_label_set
from upsnet_ros.core.errors import ImageError, UpsnetError
from upsnet_ros.core.labels import UNKNOWN_LABEL, encode_label
from upsnet_ros.core.panoptic_quality import PanopticQuality

LABELS = find_label_set('coco')
TRAIN_ID = {entry.dataset_id: entry.train_id for entry in LABELS.classes}
IDS = np.array([[7, 7, 300, 300], [300, 70000, 70000, 0], [90000, 8, 8, 8]], np.uint32)
SEGMENTS = [
    segment(90000, PERSON),
    segment(70000, PERSON),
    segment(300, WALL),
    segment(7, CAR, crowd=True),
    segment(8, CAR),
]
SIZE = IDS.shape
NAME = '000000000139'


def entry(stem: str, image_id: Any, segments: list | None = None) -> dict[str, Any]:
    info = SEGMENTS if segments is None else segments
    return {'image_id': image_id, 'file_name': f'{stem}.png', 'segments_info': info}


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    """The official format of results: annotations alone."""
    (tmp_path / 'mine').mkdir()
    write_ids(tmp_path / 'mine' / f'{NAME}.png', IDS)
    return write(tmp_path, [entry(NAME, 139)])


def write(folder: Path, annotations: list, **more: Any) -> Path:
    path = folder / 'mine.json'
    path.write_text(json.dumps({'annotations': annotations, **more}))
    return path


def open_files(path: Path) -> PredictionFiles:
    return PredictionFiles(path, LABELS)


def test_labels_by_hand(predictions: Path) -> None:
    labels = open_files(predictions).read(NAME, SIZE)
    wall, person, car = (TRAIN_ID[category] for category in (WALL, PERSON, CAR))
    # What a prediction calls a crowd is an object like others.
    one, two = encode_label(car, 1), encode_label(car, 2)
    first, second, stuff = encode_label(person, 1), encode_label(person, 2), wall << 8
    assert labels.dtype == np.uint16
    assert labels.tolist() == [
        [one, one, stuff, stuff],
        [stuff, second, second, UNKNOWN_LABEL],
        [first, two, two, two],
    ]


def quality_state(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    quality = PanopticQuality(LABELS)
    quality.update(predicted, truth)
    return quality.state()


@pytest.mark.parametrize(
    ('annotation', 'images', 'frame'),
    [
        (entry('x', 5), [], 'x'),
        (entry('sub/x', 5), [], 'x'),
        (entry('y', 5), [{'id': 5, 'file_name': 'x.jpg'}], 'x'),
        (entry('y', 'ulm_000001_000019'), [], 'ulm_000001_000019'),
        (entry('ulm_000001_000019_gtFine_panoptic', 1), [], 'ulm_000001_000019'),
        (
            entry('y', 1),
            [{'id': 1, 'file_name': 'ulm/ulm_000001_000019_leftImg8bit.png'}],
            'ulm_000001_000019',
        ),
    ],
)
def test_frames_are_found_by_stem(
    annotation: dict, images: list, frame: str, tmp_path: Path
) -> None:
    path = write(tmp_path, [annotation], images=images)
    write_ids_at(tmp_path / 'mine' / annotation['file_name'])
    assert open_files(path).read(frame, SIZE).shape == SIZE


def write_ids_at(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_ids(path, IDS)


def test_folders_keep_frames_of_one_name_apart(tmp_path: Path) -> None:
    path = write(tmp_path, [entry('a/x', 1), entry('b/x', 2)])
    write_ids_at(tmp_path / 'mine' / 'a' / 'x.png')
    write_ids_at(tmp_path / 'mine' / 'b' / 'x.png')
    assert open_files(path).read('b/x', SIZE).shape == SIZE
    with pytest.raises(DataError, match='no annotation of the frame c/x'):
        open_files(path).read('c/x', SIZE)
    with pytest.raises(DataError, match='frame x is annotated 2 times'):
        open_files(path).read('x', SIZE)
    write(tmp_path, [entry('x', 1)])
    write_ids_at(tmp_path / 'mine' / 'x.png')
    files = open_files(path)
    assert files.read('a/x', SIZE).shape == files.read('a/x', SIZE).shape
    with pytest.raises(DataError, match='image_id 1 fits the frames a/x and b/x'):
        files.read('b/x', SIZE)


Change = Callable[[list[dict[str, Any]]], Any]
SEGMENT_CHANGES: dict[str, Change] = {
    'image 139: segment id 8 is there 2 times': lambda s: s[0].update(id=8),
    'segment id 0, expected 1 to': lambda s: s[0].update(id=0),
    'segment id 16777216, expected': lambda s: s[0].update(id=1 << 24),
    "segment id is '9', expected a whole number": lambda s: s[0].update(id='9'),
    rf'has the unknown category {UNTRAINED}': lambda s: s[1].update(category_id=UNTRAINED),
    r'category of segment 70000 is 1.5, expected': lambda s: s[1].update(category_id=1.5),
    "iscrowd of segment 90000 is '0', expected": lambda s: s[0].update(iscrowd='0'),
    r"an entry is malformed .KeyError: 'id'": lambda s: s[0].pop('id'),
    r'segment id is \[1\], expected': lambda s: s[0].update(id=[1]),
    rf"{NAME}\.png: no pixel of the JSON file's ids \[55\]": lambda s: s.append(segment(55, CAR)),
    rf'{NAME}\.png: ids without an entry in the JSON file \[8\]': lambda s: s.pop(),
}


def test_ids_written_as_floats_are_numbers(predictions: Path) -> None:
    wanted = open_files(predictions).read(NAME, SIZE)
    floats = [{key: float(entry[key]) for key in ('id', 'category_id')} for entry in SEGMENTS]
    path = write(
        predictions.parent,
        [entry('y', 139.0, floats) | {'file_name': f'{NAME}.png'}],
        images=[{'id': 139, 'file_name': f'{NAME}.jpg'}],
    )
    assert np.array_equal(open_files(path).read(NAME, SIZE), wanted)


def test_segments_of_one_stuff_class_are_one_as_in_the_truth(predictions: Path) -> None:
    segments = [values | {'category_id': WALL} for values in SEGMENTS[:2]]
    write(predictions.parent, [entry(NAME, 139, [*segments, *SEGMENTS[2:]])])
    labels = open_files(predictions).read(NAME, SIZE)
    wall = TRAIN_ID[WALL] << 8
    assert (labels[(IDS == 90000) | (IDS == 70000) | (IDS == 300)] == wall).all()


def test_a_listed_category_that_is_not_trained_is_unknown_as_in_the_truth(
    predictions: Path,
) -> None:
    segments = [SEGMENTS[0] | {'category_id': UNTRAINED}, *SEGMENTS[1:]]
    categories = [{'id': key} for key in (WALL, PERSON, CAR, UNTRAINED)]
    path = write(predictions.parent, [entry(NAME, 139, segments)], categories=categories)
    labels = open_files(path).read(NAME, SIZE)
    assert (labels[IDS == 90000] == UNKNOWN_LABEL).all()
    assert (labels[IDS == 70000] != UNKNOWN_LABEL).all()


def test_frames_that_differ_in_the_ending_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / 'mine').mkdir()
    for name, identity in (('one', 7), ('two', 8)):
        write_ids(tmp_path / 'mine' / f'{name}.png', np.full(SIZE, identity))
    path = write(
        tmp_path,
        [entry('one', 1, [segment(7, WALL)]), entry('two', 2, [segment(8, PERSON)])],
        images=[{'id': 1, 'file_name': 'a.jpg'}, {'id': 2, 'file_name': 'a.png'}],
    )
    files = open_files(path)
    assert (files.read('a.jpg', SIZE) == TRAIN_ID[WALL] << 8).all()
    assert (files.read('a.png', SIZE) == encode_label(TRAIN_ID[PERSON], 1)).all()


@pytest.mark.parametrize('message', SEGMENT_CHANGES)
def test_wrong_segments_are_named_with_file_and_value(predictions: Path, message: str) -> None:
    segments = [dict(values) for values in SEGMENTS]
    SEGMENT_CHANGES[message](segments)
    write(predictions.parent, [entry(NAME, 139, segments)])
    files = open_files(predictions)  # other frames may be good
    with pytest.raises(DataError, match=message) as caught:
        files.read(NAME, SIZE)
    assert str(predictions.with_suffix('')) in str(caught.value)


@pytest.mark.parametrize('size', [(6, 8), (4, 3), (3, 5)])
def test_another_size_is_never_stretched(predictions: Path, size: tuple[int, int]) -> None:
    width, height = size[1], size[0]
    with pytest.raises(DataError, match=rf'{NAME}\.png is 4x3 .* {NAME} {width}x{height}'):
        open_files(predictions).read(NAME, size)


@pytest.mark.parametrize(
    'damage',
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b''),
        lambda path: path.write_bytes(path.read_bytes()[:40]),
        lambda path: cv2.imwrite(str(path), np.zeros(SIZE, np.uint8)),
        lambda path: cv2.imwrite(str(path), np.zeros((*SIZE, 3), np.uint16)),
    ],
    ids=['missing', 'empty', 'cut off', 'one channel', '16 bits'],
)
def test_an_unreadable_png_is_named(predictions: Path, damage: Callable[[Path], Any]) -> None:
    damage(predictions.parent / 'mine' / f'{NAME}.png')
    with pytest.raises(ImageError, match=rf'mine/{NAME}\.png'):
        open_files(predictions).read(NAME, SIZE)


@pytest.mark.parametrize('stem', ['../secret', '/etc/secret', 'a/../../secret'])
def test_pngs_outside_the_folder_are_refused(predictions: Path, stem: str) -> None:
    write_ids(predictions.parent / 'secret.png', IDS)
    write(predictions.parent, [entry(stem, 1)])
    with pytest.raises(DataError, match='leads out of'):
        open_files(predictions).read('secret', SIZE)


@pytest.mark.parametrize(
    'text',
    [
        '{"annotations": [',
        '{"annotations": 5}',
        '{"annotations": [{"image_id": 1.5, "file_name": "x.png"}]}',
        '{"annotations": [{"image_id": 1, "file_name": ""}]}',
        '{"annotations": [{"image_id": 1}]}',
        '{"annotations": [{"image_id": 1, "file_name": "x.png"}], "images": [{"id": 1}]}',
        '\x00',
        '[' * 100_000,
    ],
)
def test_a_malformed_json_file_is_named(predictions: Path, text: str) -> None:
    predictions.write_text(text)
    with pytest.raises(DataError, match=r'mine\.json'):
        open_files(predictions)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'no predictions at .*mine\.json'):
        open_files(tmp_path / 'mine.json')
    path = write(tmp_path, [entry(NAME, 139)])
    with pytest.raises(DataError, match=r'no folder .*mine beside .*mine\.json'):
        open_files(path)
    with pytest.raises(DataError, match='expected exactly one NAME.json .* found none'):
        open_files(tmp_path)


def test_a_folder_with_two_predictions_is_refused(predictions: Path) -> None:
    folder = predictions.parent
    (folder / 'metrics.json').write_text('{}')  # without PNGs, so it is none
    assert open_files(folder).path == predictions
    (folder / 'other.json').write_text('{}')
    (folder / 'other').mkdir()
    with pytest.raises(UpsnetError, match=r'found mine\.json, other\.json'):
        open_files(folder)
