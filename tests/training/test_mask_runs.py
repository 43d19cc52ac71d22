# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run lengths of masks and the objects of label images, against pycocotools."""

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from training.evaluation.frame_judgement import mask_runs, paste_detections, true_objects
from training.evaluation.frame_record import RunLengths
from training.inference.found_instances import FoundInstances
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.masks import paste_mask
from upsnet_ros.core.window import EMPTY, Window

CAR = 13 << 8


def official_runs(mask: np.ndarray) -> RunLengths:
    packed = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    return {'size': list(packed['size']), 'counts': packed['counts'].decode('ascii')}


@pytest.mark.parametrize('seed', range(40))
def test_runs_are_those_of_the_whole_mask(seed: int) -> None:
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 12, 2).tolist()
    top, left = rng.integers(0, (height, width)).tolist()
    bottom = int(rng.integers(top, height)) + 1
    right = int(rng.integers(left, width)) + 1
    window = Window(top, left, bottom, right)
    pixels = rng.random((window.height, window.width)) < rng.choice([0.0, 0.3, 0.8, 1.0])
    whole = np.zeros((height, width), bool)
    whole[window.slices] = pixels
    assert mask_runs(window, pixels, (height, width)) == official_runs(whole)


def test_a_full_mask_and_an_empty_one() -> None:
    assert mask_runs(Window(0, 0, 5, 7), np.ones((5, 7), bool), (5, 7)) == official_runs(
        np.ones((5, 7))
    )
    nothing = mask_runs(EMPTY, np.zeros((0, 0), bool), (5, 7))
    assert nothing == official_runs(np.zeros((5, 7))) and coco_mask.area(nothing) == 0


def test_objects_of_a_label_image() -> None:
    truth = np.zeros((6, 8), np.uint16)
    truth[0, 0] = UNKNOWN_LABEL
    truth[1:4, 1:3] = CAR + 1
    truth[2, 2] = CAR + 2  # one pixel inside another object
    truth[5] = CAR  # a group
    group, whole, dot = true_objects(truth, num_stuff=11)  # by label value
    assert group.is_crowd and group.box == (0, 5, 7, 5)
    assert not whole.is_crowd and whole.box == (1, 1, 2, 3)
    assert whole.mask == official_runs(truth == CAR + 1)
    assert dot.box == (2, 2, 2, 2) and coco_mask.area(dot.mask) == 1
    assert {entry.class_id for entry in (group, whole, dot)} == {13}


def test_an_image_of_void_and_stuff_has_no_objects() -> None:
    for value in (UNKNOWN_LABEL, 3 << 8):
        assert true_objects(np.full((4, 4), value, np.uint16), num_stuff=11) == ()


def test_detections_fill_their_boxes_and_end_at_the_image() -> None:
    logits = np.full((3, 28, 28), 20, np.float32)
    logits[2] = -20
    found = FoundInstances(
        boxes=np.array([[2, 1, 5.5, 4], [6, 6, 20, 20], [0, 0, 3, 3]], np.float32),
        scores=np.array([0.9, 0.5, 0.25], np.float32),
        classes=np.array([13, 11, 13]),
        mask_logits=logits,
    )
    whole, cut, nothing = paste_detections(found, (8, 10))
    assert whole.box == (2, 1, 5.5, 4) and whole.score == pytest.approx(0.9)
    for detection, box in ((whole, (2, 1, 5.5, 4)), (cut, (6, 6, 20, 20))):
        window, pixels = paste_mask(box, logits[0], Window(0, 0, 8, 10))
        canvas = np.zeros((8, 10), bool)
        canvas[window.slices] = pixels
        assert detection.mask == official_runs(canvas) and canvas.sum() >= 8
    assert cut.box == (6, 6, 20, 20)  # not cut: COCO does not either
    assert (cut.class_id, coco_mask.area(nothing.mask)) == (11, 0)
