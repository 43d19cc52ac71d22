# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The loop over frames: order, bad frames, threads that end."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.data.frames import Frame
from training.evaluation.frame_loop import BadFrame, FrameError, evaluate_frames
from training.inference.labeller import Labelled
from upsnet_ros.core.errors import ImageError, ModelError
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.structures import PanopticResult

LABELS = cityscapes_label_set()
SIZE = (6, 8)


class Files:
    """A data set in memory; frame ``bad`` cannot be read, ``wide`` has another size."""

    label_set = LABELS

    def read_image(self, frame: Frame) -> np.ndarray:
        if frame.name == 'bad':
            raise ImageError('bad.png: the file is empty')
        return np.full((*SIZE, 3), int(frame.name) if frame.name.isdigit() else 0, np.uint8)

    def read_label_image(self, frame: Frame) -> np.ndarray:
        height, width = SIZE
        return np.zeros((height, width + (frame.name == 'wide')), np.uint16)


def frames_of(*names: str) -> list[Frame]:
    return [Frame(name, Path(f'{name}.png'), Path(f'{name}_ids.png')) for name in names]


def road(frame: Frame, image: np.ndarray, truth: np.ndarray) -> Labelled:
    assert frame.name == str(image[0, 0, 0]) or not frame.name.isdigit()
    labels = np.zeros(image.shape[:2], np.uint16)
    return Labelled(PanopticResult(labels, (), 0.0), np.zeros(image.shape[:2], np.uint8))


def run(names: list[str], answer: Callable = road, **options: object) -> list:
    return list(evaluate_frames(answer, frames_of(*names), Files(), label_set=LABELS, **options))


@pytest.mark.parametrize('workers', [0, 1, 3])
def test_records_come_in_the_order_of_the_frames(workers: int) -> None:
    names = [str(index) for index in range(12)]
    kept: list[str] = []
    found = run(names, workers=workers, keep=lambda frame, *_: kept.append(frame.name))
    assert [record.name for record in found] == names
    assert sorted(kept) == sorted(names)
    assert {record.pq(LABELS) for record in found} == {100.0}
    assert all(record.segments == 1 and record.confusion.sum() == 48 for record in found)


@pytest.mark.parametrize('workers', [0, 2])
def test_no_frames_are_no_records(workers: int) -> None:
    assert run([], workers=workers) == []


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize(
    'name, told', [('bad', 'bad.png: the file is empty'), ('wide', 'wide_ids.png 9x6')]
)
def test_a_bad_frame_costs_no_other(name: str, told: str, workers: int) -> None:
    names = ['1', '2', name, '3', '4']
    found = run(names, skip_bad=True, workers=workers)
    assert [record.name for record in found] == names
    assert isinstance(found[2], BadFrame) and told in found[2].problem
    with pytest.raises(FrameError, match=f'{name}: .*{told}'):
        run(names, workers=workers)


def test_the_frames_before_a_bad_one_are_told_of() -> None:
    found = []
    with pytest.raises(FrameError):
        for record in evaluate_frames(
            road, frames_of('1', '2', '3', 'bad', '4'), Files(), label_set=LABELS
        ):
            found.append(record.name)
    assert found == ['1', '2', '3']


def test_what_a_network_gets_wrong_is_a_bad_frame_too() -> None:
    def answer(frame: Frame, image: np.ndarray, truth: np.ndarray) -> Labelled:
        if frame.name == '1':
            raise ModelError('the answer holds NaN')
        if frame.name == '2':  # of a class that does not exist
            return Labelled(PanopticResult(np.full(SIZE, 99 << 8, np.uint16), (), 0.0), None)
        return road(frame, image, truth)

    found = run(['1', '2', '3'], answer, skip_bad=True)
    assert 'NaN' in found[0].problem and '25344' in found[1].problem
    assert found[2].pq(LABELS) == 100


def test_files_that_cannot_be_written_stop_the_run() -> None:
    def keep(frame: Frame, *answer: object) -> None:
        raise OSError('No space left on device')

    with pytest.raises(OSError, match='No space'):
        run(['1', '2'], keep=keep, skip_bad=True)


def test_no_thread_outlives_the_loop() -> None:
    before = threading.active_count()
    records = evaluate_frames(
        road, frames_of(*map(str, range(50))), Files(), label_set=LABELS, workers=2
    )
    next(records)
    records.close()
    assert threading.active_count() == before
