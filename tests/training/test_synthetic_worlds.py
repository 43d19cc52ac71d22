# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import cv2
import numpy as np
import pytest

from training.synthetic.camera import Camera
from training.synthetic.canvas import Canvas, Part
from training.synthetic.drive import (
    VISIT_TIMES,
    drive_world_seed,
    render_drive,
    split_world_seed,
    visit_world,
)
from training.synthetic.light import make_light
from training.synthetic.render import MIN_PIXELS, Frame, render_frame
from training.synthetic.world import make_world
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.labels import cityscapes_label_set

SIZE = (512, 256)
LABELS = cityscapes_label_set()


@pytest.fixture(scope='module')
def visits() -> list[Frame]:
    """Two frames of each of ten training worlds."""
    return [
        frame
        for index in range(10)
        for frame in visit_world(3, 'train', index, size=SIZE, count=2)
    ]


@pytest.fixture(scope='module')
def drive() -> list[Frame]:
    """Twelve frames at 10 Hz."""
    return list(render_drive(1, size=SIZE, frames=12, rate=10.0))


def test_all_classes_appear_in_twenty_frames(visits: list[Frame]) -> None:
    found = set(np.unique(np.concatenate([frame.label.ravel() for frame in visits]) >> 8))
    assert found == set(range(LABELS.num_classes))


def test_a_frame_is_rich(visits: list[Frame]) -> None:
    classes = [len(np.unique(frame.label >> 8)) for frame in visits]
    things = [
        len(np.unique(frame.label[frame.label >> 8 >= LABELS.num_stuff])) for frame in visits
    ]
    assert min(classes) >= 9 and np.mean(classes) >= 13
    assert min(things) >= 2 and 6 <= np.mean(things) <= 25


def test_stuff_has_no_instance_and_things_have_one(visits: list[Frame]) -> None:
    for frame in visits:
        class_ids, instances = frame.label >> 8, frame.label & 255
        is_thing = class_ids >= LABELS.num_stuff
        assert not instances[~is_thing].any()
        assert instances[is_thing].all()


def test_no_thing_is_tiny(visits: list[Frame]) -> None:
    smallest = MIN_PIXELS * (SIZE[0] / 1024) ** 2
    for frame in visits:
        values, areas = np.unique(frame.label, return_counts=True)
        assert areas[values >> 8 >= LABELS.num_stuff].min() >= smallest


def test_a_frame_does_not_depend_on_those_before_it() -> None:
    world = make_world(12, duration=5.0)
    render_frame(world, 0.0, size=SIZE)
    after_another = render_frame(world, 4.5, size=SIZE)
    alone = render_frame(make_world(12, duration=5.0), 4.5, size=SIZE)
    assert np.array_equal(after_another.image, alone.image)
    assert np.array_equal(after_another.label, alone.label)


def test_other_seeds_and_splits_give_other_worlds() -> None:
    images = [
        visit_world(seed, split, index, size=(256, 128), count=1)[0].image
        for seed, split, index in (
            (0, 'train', 0),
            (0, 'train', 1),
            (0, 'val', 0),
            (1, 'train', 0),
        )
    ]
    for index, image in enumerate(images):
        for other in images[index + 1 :]:
            assert not np.array_equal(image, other)


def test_no_world_is_shared_by_train_val_and_drives() -> None:
    indices = (0, 1, 2, 999, 899_999)
    train = {split_world_seed(seed, 'train', index) for seed in range(20) for index in indices}
    val = {split_world_seed(seed, 'val', index) for seed in range(20) for index in indices}
    drives = {drive_world_seed(seed) for seed in range(20)}
    assert len(train) == len(val) == 20 * len(indices) and len(drives) == 20
    assert not train & val and not train & drives and not val & drives


@pytest.mark.parametrize(
    ('call', 'words'),
    [
        (lambda: split_world_seed(0, 'test', 0), "'test'"),
        (lambda: split_world_seed(-1, 'val', 0), '-1'),
        (lambda: split_world_seed(0, 'val', 900_000), '900000'),
        (lambda: drive_world_seed(-3), '-3'),
        (lambda: render_drive(0, size=SIZE, frames=0, rate=10.0), '0 frames'),
        (lambda: render_drive(0, size=SIZE, frames=1, rate=0.0), '0.0 Hz'),
        (lambda: make_world(1, duration=-1.0), '-1.0 s'),
        (lambda: visit_world(0, 'val', 0, size=(1024, 2052), count=1), '1024 x 2052'),
        (lambda: visit_world(0, 'val', 0, size=(124, 512), count=1), '124 x 512'),
        (lambda: visit_world(0, 'val', 0, size=(1026, 512), count=1), '1026 x 512'),
    ],
)
def test_impossible_arguments_are_refused(call: object, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        call()


def test_image_and_label_have_the_asked_size_and_type() -> None:
    for size in ((128, 128), (640, 320), (200, 300), (2048, 1024)):
        frame = visit_world(0, 'train', 0, size=size, count=1)[0]
        assert frame.image.shape == (size[1], size[0], 3) and frame.image.dtype == np.uint8
        assert frame.label.shape == (size[1], size[0]) and frame.label.dtype == np.uint16
        assert frame.image.flags.c_contiguous


def test_frames_of_a_visit_are_far_apart() -> None:
    first, second = visit_world(3, 'train', 0, size=SIZE, count=len(VISIT_TIMES))
    assert second.camera.s - first.camera.s > 15
    assert (first.label != second.label).mean() > 0.1


def test_a_drive_keeps_its_rate(drive: list[Frame]) -> None:
    assert [frame.time for frame in drive] == pytest.approx([0.1 * n for n in range(12)])


def test_a_drive_moves_forward_smoothly(drive: list[Frame]) -> None:
    steps = np.diff([frame.camera.s for frame in drive])
    assert (steps > 0.3).all() and (steps < 1.2).all() and np.ptp(steps) < 0.2
    near = np.mean(
        [
            np.abs(one.image.astype(int) - two.image).mean()
            for one, two in zip(drive[:-1], drive[1:], strict=True)
        ]
    )
    far = np.abs(drive[0].image.astype(int) - drive[-1].image).mean()
    assert 0 < near < 0.75 * far


def test_objects_keep_their_ids_and_move_little_in_a_drive(drive: list[Frame]) -> None:
    kept = moved = 0
    width, height = SIZE
    for one, two in zip(drive[:-1], drive[1:], strict=True):
        for value in np.unique(one.label):
            rows, columns = np.nonzero(one.label == value)
            at_border = columns.min() < 12 or columns.max() > width - 13
            if value >> 8 < LABELS.num_stuff or len(rows) < 500 or at_border:
                continue
            next_rows, next_columns = np.nonzero(two.label == value)
            moved += 1
            if len(next_rows):
                shift = np.hypot(
                    next_rows.mean() - rows.mean(), next_columns.mean() - columns.mean()
                )
                kept += shift < 6 + 0.35 * np.sqrt(len(rows))
    assert moved > 30 and kept / moved > 0.97


def test_labels_lie_where_the_image_is_painted() -> None:
    canvas = Canvas(Camera(96, 64, 0.0, 1.4, 0.0), make_light(np.random.default_rng(0)))
    canvas.draw(Part(np.array([[10.3, 8.2], [70.7, 20.4], [30.5, 55.9]]), (255, 255, 255), 777))
    bright = canvas.image[..., 0] > 127
    labelled = canvas.label == 777
    assert labelled.sum() > 1000
    # Smooth edges end on hard ones: they differ at most by pixels along the outline.
    kernel = np.ones((3, 3), np.uint8)
    outer = cv2.dilate(labelled.astype(np.uint8), kernel).astype(bool)
    inner = cv2.erode(labelled.astype(np.uint8), kernel).astype(bool)
    assert inner.sum() > 800
    assert bright[inner].all() and not bright[~outer].any()
