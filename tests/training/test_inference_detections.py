# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Selection of instances against the published rules written out."""

import pytest
import torch
from torch import Tensor

from tests.training.reference_inference import Regions, candidates, detections
from training.models.box_coding import clip_boxes
from training.models.detections import select_candidates, select_detections

SIZE = (100, 160)


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


def assert_same(have: tuple[Tensor, Tensor, Tensor], want: Regions) -> None:
    """The same regions, in the order of their scores."""
    order = want.scores.sort(descending=True, stable=True).indices
    boxes, scores, classes = have
    assert classes.tolist() == want.classes[order].tolist()
    torch.testing.assert_close(scores, want.scores[order])
    torch.testing.assert_close(boxes, want.boxes[order], rtol=0, atol=1e-4)


@pytest.mark.parametrize('num_things', [1, 3, 20])
@pytest.mark.parametrize('count', [0, 1, 60])
@pytest.mark.parametrize('seed', range(3))
def test_detections_equal_a_loop_over_classes(seed: int, count: int, num_things: int) -> None:
    regions = random_regions(seed, count, num_things)
    for limit in (100, 7):
        have = select_detections(*regions, image_size=SIZE, limit=limit)
        assert_same(have, detections(*regions, SIZE, limit))


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
    want = candidates(*regions, SIZE, threshold)
    assert len(want.scores) > 3
    boxes, scores, classes = select_candidates(*regions, image_size=SIZE, limit=100)
    above = scores > threshold
    assert_same((boxes[above], scores[above], classes[above]), want)


def test_candidates_have_a_limit() -> None:
    regions = random_regions(0, 80, 3, sharpness=4.0)
    every = select_candidates(*regions, image_size=SIZE, limit=100)
    best = select_candidates(*regions, image_size=SIZE, limit=5)
    assert len(every[1]) > 5
    for whole, part in zip(every, best, strict=True):
        assert torch.equal(whole[:5], part)
