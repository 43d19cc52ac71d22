# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records of frames on disk: kept over an interrupt, refused when they are of something else."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from training.data.frames import Frame
from training.evaluation.frame_record import Detection, FrameRecord, TrueObject
from training.evaluation.journal import Journal, JournalError, forget_records

SETTINGS = {'model': 'a.pt', 'options': {'flip': True}}
RUNS = {'size': [4, 5], 'counts': '05O1'}
CLASSES = 3


def make_record(name: str, *, seed: int = 0) -> FrameRecord:
    generator = np.random.default_rng(seed)
    quality = np.zeros((4, CLASSES))
    quality[:, 1] = generator.random(4)  # digits that a short decimal would lose
    return FrameRecord(
        name=name,
        size=(4, 5),
        quality=quality,
        confusion=generator.integers(0, 9, (CLASSES, CLASSES + 1)).astype(float),
        unknown_share=1 / 3,
        seconds=0.1,
        segments=2,
        detections=(Detection(2, 0.7, (0.1, 1.0, 2.0, 3.0), RUNS),),
        objects=(TrueObject(2, False, (0.0, 1.0, 2.0, 3.0), RUNS),),
    )


def assert_equal(found: FrameRecord | None, want: FrameRecord) -> None:
    assert found is not None
    for name, value in vars(want).items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(getattr(found, name), value)
        else:
            assert getattr(found, name) == value, name


@pytest.fixture
def frame(tmp_path: Path) -> Frame:
    image, labels = tmp_path / 'image.png', tmp_path / 'labels.png'
    image.write_bytes(b'1234')
    labels.write_bytes(b'123')
    return Frame('one', image, labels)


def open_journal(folder: Path, **options: object) -> Journal:
    return Journal(folder / 'journal', SETTINGS, num_classes=CLASSES, **options)


@pytest.mark.parametrize('left_out', [{}, {'confusion': None, 'detections': None, 'objects': ()}])
def test_a_record_comes_back_to_the_last_digit(
    frame: Frame, tmp_path: Path, left_out: dict[str, object]
) -> None:
    record = FrameRecord(**vars(make_record('one')) | left_out)
    with open_journal(tmp_path) as journal:
        assert journal.find(frame) is None
        journal.keep(frame, record)
    with open_journal(tmp_path) as journal:
        assert_equal(journal.find(frame), record)


def test_every_part_is_read_whoever_wrote_it(frame: Frame, tmp_path: Path) -> None:
    with open_journal(tmp_path, rank=3) as journal:
        journal.keep(frame, make_record('one'))
    with open_journal(tmp_path, rank=0) as journal:
        assert_equal(journal.find(frame), make_record('one'))


def test_a_changed_file_makes_the_record_void(frame: Frame, tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.keep(frame, make_record('one'))
    frame.instances.write_bytes(b'456')
    os.utime(frame.instances, ns=(1, 1))
    with open_journal(tmp_path) as journal:
        assert journal.find(frame) is None
    frame.instances.unlink()
    with open_journal(tmp_path) as journal:
        assert journal.find(frame) is None


def test_a_damaged_record_is_made_again(frame: Frame, tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.keep(frame, make_record('one'))
    path = tmp_path / 'journal' / 'part_0.jsonl'
    path.write_text(path.read_text().replace('"at":[', '"at":[900,'))
    with open_journal(tmp_path) as journal:
        assert journal.find(frame) is None


@pytest.mark.parametrize(
    'settings, told',
    [
        (SETTINGS | {'model': 'b.pt'}, "model: 'a.pt' there, 'b.pt' now"),
        (SETTINGS | {'options': {'flip': False}}, 'options'),
        (SETTINGS | {'split': 'test'}, 'split: None there'),
    ],
)
def test_records_of_something_else_are_refused(
    frame: Frame, tmp_path: Path, settings: dict, told: str
) -> None:
    with open_journal(tmp_path) as journal:
        journal.keep(frame, make_record('one'))
    with pytest.raises(JournalError, match=told) as error:
        Journal(tmp_path / 'journal', settings, num_classes=CLASSES)
    assert '--restart' in str(error.value)
    forget_records(tmp_path / 'journal')
    with Journal(tmp_path / 'journal', settings, num_classes=CLASSES) as journal:
        assert journal.find(frame) is None


def test_another_version_is_refused(frame: Frame, tmp_path: Path) -> None:
    with open_journal(tmp_path):
        pass
    path = tmp_path / 'journal' / 'part_0.jsonl'
    header = json.loads(path.read_text())
    path.write_text(json.dumps(header | {'version': 0}))
    with pytest.raises(JournalError, match='version'):
        open_journal(tmp_path)
