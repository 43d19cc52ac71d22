# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Assignment and sampling of anchors, by hand and against a literal reference."""

import numpy as np
import pytest
import torch

import training.matching.rpn_targets as rpn_targets
from training.matching.rpn_targets import match_anchors
from training.models.anchors import level_anchors


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_an_image_without_boxes_gives_only_negatives() -> None:
    anchors = level_anchors(8, (40, 40))
    targets = match_anchors(
        anchors, torch.zeros(0, 4), image_size=(320, 320), generator=generator()
    )
    assert len(targets.positives) == 0
    assert len(targets.negatives) == 256


def test_an_image_too_small_for_any_anchor_has_no_targets() -> None:
    anchors = level_anchors(8, (4, 4))
    box = torch.tensor([[2.0, 2, 20, 12]])
    targets = match_anchors(anchors, box, image_size=(16, 30), generator=generator())
    assert len(targets.positives) == len(targets.negatives) == 0


def test_positives_are_capped_at_128_of_256() -> None:
    anchors = level_anchors(4, (80, 80))
    boxes = anchors[(anchors >= 0).all(dim=1) & (anchors < 320).all(dim=1)][::40][:200]
    targets = match_anchors(anchors, boxes, image_size=(320, 320), generator=generator())
    assert len(targets.positives) <= 128
    assert len(targets.positives) + len(targets.negatives) == 256


def brute_force(anchors: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> tuple[set, set]:
    """Positive and background anchors, one pair at a time (facts of the published models)."""

    def overlap(a: np.ndarray, b: np.ndarray) -> float:
        width = min(a[2], b[2]) - max(a[0], b[0]) + 1
        height = min(a[3], b[3]) - max(a[1], b[1]) + 1
        if width <= 0 or height <= 0:
            return 0.0
        areas = [(c[2] - c[0] + 1) * (c[3] - c[1] + 1) for c in (a, b)]
        return np.float32(width * height) / np.float32(sum(areas) - width * height)

    inside = [
        i
        for i, a in enumerate(anchors)
        if a[0] >= 0 and a[1] >= 0 and a[2] < size[1] and a[3] < size[0]
    ]
    table = {i: [overlap(anchors[i], box) for box in boxes] for i in inside}
    highest = [max(table[i][j] for i in inside) for j in range(len(boxes))]
    positive = {
        i
        for i in inside
        if max(table[i]) >= 0.7
        or any(value == top > 0 for value, top in zip(table[i], highest, strict=True))
    }
    return positive, {i for i in inside if max(table[i]) < 0.3}


@pytest.mark.parametrize(('seed', 'pairs'), [(0, None), (1, None), (2, 1), (3, 100)])
def test_anchors_are_assigned_as_by_brute_force(
    seed: int, pairs: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if pairs is not None:  # in parts, as where there are many
        monkeypatch.setattr(rpn_targets, 'PAIRS_AT_ONCE', pairs)
    random = np.random.default_rng(seed)
    anchors = torch.cat([level_anchors(s, (96 // s, 128 // s)) for s in (8, 16)])
    corner = random.integers(0, 70, (5, 2))
    boxes = np.concatenate((corner, corner + random.integers(1, 60, (5, 2))), 1)
    boxes = np.concatenate((boxes, boxes[:1])).astype(np.float32)  # two objects of one box
    positive, background = brute_force(anchors.numpy(), boxes, (90, 125))
    targets = match_anchors(
        anchors, torch.from_numpy(boxes), image_size=(90, 125), generator=generator()
    )
    negatives = set(targets.negatives.tolist())
    wanted = 256 - len(positive)
    assert len(negatives) == (wanted if len(background) > wanted else 0)
    assert negatives <= background
    assert set(targets.positives.tolist()) == positive - negatives


def test_no_negatives_unless_there_are_more_than_needed() -> None:
    # With no positives, 256 are needed: 256 candidates are not more.
    anchors = torch.tensor([[0.0, 0, 9, 9]]).repeat(256, 1)
    far = torch.tensor([[90.0, 90, 99, 99]])
    few = match_anchors(anchors, far, image_size=(100, 100), generator=generator())
    assert len(few.positives) == len(few.negatives) == 0
    anchors = torch.tensor([[0.0, 0, 9, 9]]).repeat(257, 1)
    many = match_anchors(anchors, far, image_size=(100, 100), generator=generator())
    assert len(many.negatives) == 256


def test_a_weak_best_anchor_may_be_drawn_as_a_negative() -> None:
    # 400 equal anchors touch the box at an IoU of 25 / 175 = 1/7: all lead, all are background.
    anchors = torch.tensor([[0.0, 0, 9, 9]]).repeat(400, 1)
    box = torch.tensor([[5.0, 5, 14, 14]])
    targets = match_anchors(anchors, box, image_size=(100, 100), generator=generator())
    positives, negatives = set(targets.positives.tolist()), set(targets.negatives.tolist())
    assert len(negatives) == 128  # 256 less the 128 positives drawn before
    assert not positives & negatives
    assert 0 < len(positives) < 128


def test_a_box_that_no_anchor_touches_makes_no_positive() -> None:
    anchors = level_anchors(8, (40, 40))
    corner = torch.tensor([[0.0, 0, 1, 1]])
    targets = match_anchors(anchors, corner, image_size=(320, 320), generator=generator())
    assert len(targets.positives) == 0
    assert len(targets.negatives) == 256
