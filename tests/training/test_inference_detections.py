# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Selection of instances against literal loops over all pairs, with torchvision's suppression."""

import pytest
import torch
from torch import Tensor
from torchvision.ops import nms

from training.models.box_coding import BOX_HEAD_WEIGHTS, clip_boxes, decode_boxes
from training.models.detections import select_candidates, select_detections

SIZE = (100, 160)
Rows = list[tuple[float, int, list[float]]]  # score, class, box


def random_regions(
    seed: int, count: int, num_things: int, *, sharpness: float = 2.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Proposals, class logits and deltas; many of the boxes lie close together."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.rand(max(count // 6, 1), 2, generator=generator) * torch.tensor([160.0, 100.0])
    chosen = centres[torch.randint(len(centres), (count,), generator=generator)]
    middle = chosen + torch.randn(count, 2, generator=generator) * 3
    half = 5 + 20 * torch.rand(count, 2, generator=generator)
    proposals = clip_boxes(torch.cat((middle - half, middle + half), 1), height=100, width=160)
    logits = sharpness * torch.randn(count, num_things + 1, generator=generator)
    deltas = torch.randn(count, num_things + 1, 4, generator=generator)
    return proposals, logits, deltas


def all_pairs(proposals: Tensor, logits: Tensor, deltas: Tensor, threshold: float) -> Rows:
    """Every pair of proposal and class above a score, decoded one by one."""
    probabilities = logits.softmax(dim=1)
    rows = []
    for p in range(len(proposals)):
        for c in range(1, logits.shape[1]):
            if probabilities[p, c] > threshold:
                box = decode_boxes(proposals[p], deltas[p, c], weights=BOX_HEAD_WEIGHTS)
                box = clip_boxes(box, height=SIZE[0], width=SIZE[1])
                rows.append((float(probabilities[p, c]), c, box.tolist()))
    return rows


def suppressed(rows: Rows) -> Rows:
    """What torchvision keeps; its boxes are half open, so one pixel is added."""
    if not rows:
        return []
    boxes = torch.tensor([box for _, _, box in rows]) + torch.tensor([0.0, 0.0, 1.0, 1.0])
    return [rows[i] for i in nms(boxes, torch.tensor([score for score, _, _ in rows]), 0.5)]


def literal_detections(rows: Rows, num_things: int, limit: int) -> Rows:
    kept = []
    for c in range(1, num_things + 1):
        kept += suppressed([row for row in rows if row[1] == c])
    kept.sort(key=lambda row: -row[0])
    if len(kept) > limit:
        kept = [row for row in kept if row[0] >= kept[limit - 1][0]]
    return kept


def as_rows(selected: tuple[Tensor, Tensor, Tensor]) -> Rows:
    boxes, scores, classes = (part.tolist() for part in selected)
    return list(zip(scores, classes, boxes, strict=True))


def assert_same(have: Rows, want: Rows) -> None:
    assert [row[1] for row in have] == [row[1] for row in want]
    assert [row[0] for row in have] == pytest.approx([row[0] for row in want])
    for (_, _, box), (_, _, wanted) in zip(have, want, strict=True):
        assert box == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize('num_things', [1, 3, 20])
@pytest.mark.parametrize('count', [0, 1, 60])
@pytest.mark.parametrize('seed', range(3))
def test_detections_equal_a_loop_over_classes(seed: int, count: int, num_things: int) -> None:
    regions = random_regions(seed, count, num_things)
    rows = all_pairs(*regions, threshold=0.05)
    for limit in (100, 7):
        have = as_rows(select_detections(*regions, image_size=SIZE, limit=limit))
        assert_same(have, literal_detections(rows, num_things, limit))


def test_a_proposal_can_be_detected_as_several_classes() -> None:
    logits = torch.tensor([[0.0, 2.0, 2.0]])
    boxes, scores, classes = select_detections(
        torch.tensor([[10.0, 10.0, 30.0, 30.0]]),
        logits,
        torch.zeros(1, 3, 4),
        image_size=SIZE,
        limit=100,
    )
    assert classes.tolist() == [1, 2]  # of equal scores, the lower class
    assert scores[0] == scores[1] == logits.softmax(1)[0, 1]
    assert boxes.tolist() == [[10.0, 10.0, 30.0, 30.0]] * 2


def test_detections_as_good_as_the_last_one_are_kept() -> None:
    proposals = torch.tensor([[40.0 * i, 0.0, 40.0 * i + 20, 20.0] for i in range(4)])
    logits = torch.tensor([[0.0, 3.0], [0.0, 2.0], [0.0, 2.0], [0.0, 1.0]])
    found = select_detections(
        proposals, logits, torch.zeros(4, 2, 4), image_size=(100, 200), limit=2
    )
    assert found[0][:, 0].tolist() == [0.0, 40.0, 80.0]


@pytest.mark.parametrize('threshold', [0.5, 0.6, 0.9])
@pytest.mark.parametrize('num_things', [1, 3, 20])
@pytest.mark.parametrize('seed', range(4))
def test_candidates_above_a_threshold_equal_all_pairs_above_it(
    seed: int, num_things: int, threshold: float
) -> None:
    regions = random_regions(seed, 80, num_things, sharpness=4.0)
    want = suppressed(all_pairs(*regions, threshold=threshold))
    assert len(want) > 3
    have = as_rows(select_candidates(*regions, image_size=SIZE, limit=100))
    assert_same([row for row in have if row[0] > threshold], want)


def test_candidates_have_a_limit() -> None:
    regions = random_regions(0, 80, 3, sharpness=4.0)
    every = select_candidates(*regions, image_size=SIZE, limit=100)
    best = select_candidates(*regions, image_size=SIZE, limit=5)
    assert len(every[1]) > 5
    for whole, part in zip(every, best, strict=True):
        assert torch.equal(whole[:5], part)
