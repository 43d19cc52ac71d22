# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training worlds of drawn styles: exact labels, void where nobody could tell, all repeatable."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.synthetic.cityscapes import encode_instance_ids, encode_label_ids, encode_train_ids
from training.synthetic.dataset import plan_jobs, write_dataset
from training.synthetic.development import develop, distort, roughen
from training.synthetic.drive import visit_world
from training.synthetic.foliage import bare_tree, conifer
from training.synthetic.render import MIN_PIXELS, Frame, render_frame
from training.synthetic.style import KINDS, PLAIN, SHARES, Lens, draw_kind, make_style
from training.synthetic.world import make_world
from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set

SIZE = (512, 256)
LABELS = cityscapes_label_set()
STUFF = LABELS.num_stuff


@pytest.fixture(scope='module')
def visits() -> list[Frame]:
    """One frame of each of sixteen worlds."""
    return [
        visit_world(3, 'train', index, size=SIZE, count=1, varied=True)[0] for index in range(16)
    ]


def mean_edge(frame: Frame) -> float:
    """How much more the picture changes across label borders than elsewhere."""
    grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    step = np.abs(np.diff(grey, axis=1))
    border = frame.label[:, 1:] != frame.label[:, :-1]
    return float(step[border].mean() / step[~border].mean())


def test_all_classes_and_void_appear(visits: list[Frame]) -> None:
    found = set(np.unique(np.concatenate([frame.label.ravel() for frame in visits]) >> 8))
    assert found == {*range(LABELS.num_classes), 255}


def test_labels_are_whole(visits: list[Frame]) -> None:
    for frame in visits:
        assert frame.label.shape == frame.image.shape[:2] == SIZE[::-1]
        known = frame.label[frame.label != UNKNOWN_LABEL]
        is_thing = known >> 8 >= STUFF
        assert not (known[~is_thing] & 255).any()
        assert (known[is_thing] & 255).all()
        assert len(known) > 0.6 * frame.label.size


def test_labels_lie_where_the_image_is_painted(visits: list[Frame]) -> None:
    assert all(mean_edge(frame) > 1.2 for frame in visits)
    assert np.mean([mean_edge(frame) for frame in visits]) > 2.0


def test_smaller_things_are_labelled_than_in_the_demo(visits: list[Frame]) -> None:
    areas = [
        area
        for frame in visits
        for value, area in zip(*np.unique(frame.label, return_counts=True), strict=True)
        if value != UNKNOWN_LABEL and value >> 8 >= STUFF
    ]
    assert min(areas) < MIN_PIXELS * (SIZE[0] / 1024) ** 2
    assert min(areas) >= 3


def test_pictures_differ_far_more_than_those_of_the_demo(visits: list[Frame]) -> None:
    plain = [visit_world(3, 'train', index, size=SIZE, count=1)[0] for index in range(16)]
    means, demo = (
        np.array([frame.image.mean((0, 1)) for frame in frames]) for frames in (visits, plain)
    )
    assert means.std(0).mean() > 1.3 * demo.std(0).mean()


def test_a_varied_world_can_be_made_again_and_in_any_order() -> None:
    world = make_world(10, duration=5.0, varied=True)
    assert not world.style.is_plain
    render_frame(world, 0.0, size=SIZE)
    after_another = render_frame(world, 4.5, size=SIZE)
    alone = render_frame(make_world(10, duration=5.0, varied=True), 4.5, size=SIZE)
    assert np.array_equal(after_another.image, alone.image)
    assert np.array_equal(after_another.label, alone.label)


def test_plain_worlds_among_varied_ones_are_those_of_the_demo() -> None:
    seed = next(
        s for s in range(0, 200, 2) if make_world(s, duration=0.0, varied=True).style == PLAIN
    )
    one, other = (
        render_frame(make_world(seed, duration=1.0, varied=varied), 0.0, size=SIZE)
        for varied in (True, False)
    )
    assert np.array_equal(one.image, other.image) and np.array_equal(one.label, other.label)


def test_kinds_come_in_their_shares() -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_kind(rng) for _ in range(2000)]
    for kind, share in zip(KINDS, SHARES, strict=True):
        assert abs(drawn.count(kind) / 2000 - share) < 0.04
    assert sum(SHARES) == pytest.approx(1.0)


def test_only_training_worlds_are_varied(tmp_path: Path) -> None:
    jobs = plan_jobs(tmp_path, train=4, val=4, seed=0, size=SIZE, varied=True)
    assert {(job.split, job.varied) for job in jobs} == {('train', True), ('val', False)}
    assert write_dataset(jobs[:1], workers=1) == 2
    plain = plan_jobs(tmp_path / 'plain', train=2, val=0, seed=0, size=SIZE)
    write_dataset(plain, workers=1)
    name = next((tmp_path / 'leftImg8bit').rglob('*.png')).relative_to(tmp_path)
    assert (tmp_path / name).read_bytes() != (tmp_path / 'plain' / name).read_bytes()


def test_void_is_written_as_unlabelled(visits: list[Frame]) -> None:
    frame = next(frame for frame in visits if (frame.label == UNKNOWN_LABEL).any())
    void = frame.label == UNKNOWN_LABEL
    assert not encode_label_ids(frame.label)[void].any()
    assert not encode_instance_ids(frame.label)[void].any()
    assert (encode_train_ids(frame.label)[void] == 255).all()
    assert encode_label_ids(frame.label)[~void].all()


def test_a_lens_bends_picture_and_labels_alike() -> None:
    label = np.zeros((96, 160), np.uint16)
    label[20:70, 30:90] = 700
    image = np.repeat((label > 0).astype(np.uint8)[..., None] * 200, 3, axis=2)
    for amount in (-0.05, 0.12):
        bent_image, bent = distort(image, label, amount)
        assert set(np.unique(bent)) == {0, 700}
        assert ((bent_image[..., 0] > 100) == (bent == 700)).mean() > 0.995
        assert not np.array_equal(bent, label)


@pytest.mark.parametrize(
    'changes',
    [
        {'gamma': 1.6}, {'contrast': 1.6}, {'black': 25.0}, {'noise': 6.0}, {'rows': 2.0},
        {'blur': 4.0}, {'jpeg': 20}, {'vignette': 0.4}, {'glare': 0.3}, {'dirt': 5},
        {'brightness': 40.0}, {'balance': (1.1, 1.0, 0.9)},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_every_property_of_a_camera_is_seen(changes: dict) -> None:
    image = cv2.resize(
        np.random.default_rng(1).integers(0, 256, (32, 64, 3), dtype=np.uint8), (512, 256)
    )
    before = develop(image, Lens(), np.random.default_rng(0))
    after = develop(image, replace(Lens(), **changes), np.random.default_rng(0))
    assert np.array_equal(before, image)
    assert np.abs(after.astype(int) - before).mean() > 0.8


def test_wild_segments_lose_their_look_but_not_their_place() -> None:
    frame = visit_world(3, 'train', 0, size=SIZE, count=1)[0]
    style = make_style(np.random.default_rng(2), 'wild')
    changed = roughen(frame.image, frame.label, style, np.random.default_rng(0))
    again = roughen(frame.image, frame.label, style, np.random.default_rng(0))
    assert np.array_equal(changed, again)
    assert np.abs(changed.astype(int) - frame.image).mean() > 20


@pytest.mark.parametrize('make', [bare_tree, conifer])
def test_a_tree_stands_on_its_foot_and_leaves_the_corners_free(make) -> None:
    covers = [make(np.random.default_rng(seed)).levels[0][..., 3] for seed in range(6)]
    for cover in covers:
        middle = cover.shape[1] // 2
        assert 0.1 < (cover > 127).mean() < 0.8
        assert cover[:20, [0, -1]].max() < 128
        assert (cover[-3:, middle - 3 : middle + 3] > 127).all()
