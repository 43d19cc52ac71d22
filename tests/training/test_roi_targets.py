# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Sampling of regions on cases computed by hand."""

import torch

from training.matching.roi_sampling import RoiTargets, sample_rois
from training.models.box_coding import BOX_HEAD_WEIGHTS, encode_boxes


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def draw_rois(
    proposals: torch.Tensor,
    boxes: torch.Tensor,
    classes: list[int],
    *,
    crowds: torch.Tensor | None = None,
    crowd_classes: tuple[int, ...] = (),
    match_crowds: bool = True,
    scale: float = 1.0,
    per_image: int = 8,
    foreground: int = 4,
) -> RoiTargets:
    return sample_rois(
        proposals,
        boxes,
        torch.tensor(classes, dtype=torch.long),
        crowd_boxes=torch.zeros(0, 4) if crowds is None else crowds,
        crowd_classes=torch.tensor(crowd_classes, dtype=torch.long),
        match_crowds=match_crowds,
        scale=scale,
        per_image=per_image,
        foreground=foreground,
        generator=generator(),
    )


def test_overlaps_are_judged_at_the_size_of_the_image_on_disk() -> None:
    # At half size the +1 convention lifts the overlap of these two from below 0.5 to above it.
    box, proposal = torch.tensor([[0.0, 0, 3, 3]]), torch.tensor([[0.0, 0, 3, 1]])
    at_input = draw_rois(proposal, box, [1])
    on_disk = draw_rois(proposal, box, [1], scale=0.25)
    assert at_input.classes.tolist() == [1, 1]  # 8 of 16 pixels
    assert on_disk.classes.tolist() == [1, 0]  # 65 of 169 pixels


def test_rois_are_foreground_first_with_the_class_of_their_box() -> None:
    boxes = torch.tensor([[0.0, 0, 49, 49], [100, 100, 149, 149]])
    proposals = torch.tensor([[2.0, 2, 51, 51], [300, 300, 340, 340], [100, 100, 149, 120]])
    targets = draw_rois(proposals, boxes, [3, 5])
    foreground = len(targets.matched)
    assert foreground == 3  # both boxes and the first proposal
    assert targets.mask_rows.tolist() == [0, 1, 2]
    assert sorted(targets.classes[:foreground].tolist()) == [3, 3, 5]
    assert targets.classes[foreground:].tolist() == [0, 0]
    assert len(targets.deltas) == foreground


def test_deltas_are_those_of_the_image_on_disk() -> None:
    box, proposal = torch.tensor([[20.0, 40, 99, 139]]), torch.tensor([[24.0, 36, 121, 181]])
    targets = draw_rois(proposal, box, [2], scale=2.0)
    expected = encode_boxes(
        torch.cat((box, proposal)) / 2, (box / 2).repeat(2, 1), weights=BOX_HEAD_WEIGHTS
    )
    torch.testing.assert_close(targets.deltas, expected)
    assert targets.deltas[0].abs().max() == 0


def test_foreground_is_capped() -> None:
    box = torch.tensor([[10.0, 10, 60, 60]])
    proposals = box.repeat(50, 1)
    targets = draw_rois(proposals, box, [1], per_image=16, foreground=4)
    assert len(targets.matched) == 4
    assert len(targets.boxes) == 4  # nothing overlaps too little to be background


def test_no_region_is_drawn_twice() -> None:
    proposals = torch.arange(40.0).view(40, 1) + torch.tensor([0.0, 0, 30, 30])
    targets = draw_rois(proposals, proposals[:1] + 0.5, [1], per_image=30, foreground=6)
    assert len(targets.boxes) == 30
    assert len(targets.boxes.unique(dim=0)) == 30


def test_rois_of_an_image_without_objects_are_background() -> None:
    proposals = torch.tensor([[2.0, 2, 51, 51], [30, 30, 40, 40]])
    targets = draw_rois(proposals, torch.zeros(0, 4), [])
    assert targets.classes.tolist() == [0, 0]
    assert len(targets.deltas) == len(targets.matched) == len(targets.mask_rows) == 0


def test_no_proposals_and_no_objects_give_no_rois() -> None:
    targets = draw_rois(torch.zeros(0, 4), torch.zeros(0, 4), [])
    assert len(targets.boxes) == len(targets.classes) == len(targets.deltas) == 0
    alone = draw_rois(torch.zeros(0, 4), torch.tensor([[1.0, 1, 5, 5]]), [4])
    assert alone.classes.tolist() == [4]


def test_a_proposal_that_is_not_finite_is_never_drawn() -> None:
    proposals = torch.tensor([[float('nan'), 0, 10, 10], [50, 50, 60, 60]])
    targets = draw_rois(proposals, torch.tensor([[0.0, 0, 10, 10]]), [1])
    assert targets.boxes.tolist() == [[0, 0, 10, 10], [50, 50, 60, 60]]


# One object far left, a crowd on the right, and a proposal on the crowd.
OBJECT = torch.tensor([[0.0, 0, 49, 49]])
CROWD = torch.tensor([[100.0, 0, 199, 49]])
ON_CROWD = torch.tensor([[100.0, 0, 189, 49]])  # IoU 0.9


def test_a_proposal_on_a_crowd_is_a_positive_with_the_mask_of_an_object() -> None:
    targets = draw_rois(ON_CROWD, OBJECT, [3], crowds=CROWD, crowd_classes=(7,))
    by_box = dict(zip(map(tuple, targets.boxes.tolist()), targets.classes.tolist(), strict=True))
    assert by_box == {tuple(OBJECT[0].tolist()): 3, tuple(ON_CROWD[0].tolist()): 7}
    assert targets.matched.tolist() == [0, 0]
    row = targets.classes.tolist().index(7)
    expected = encode_boxes(ON_CROWD, CROWD, weights=BOX_HEAD_WEIGHTS)
    torch.testing.assert_close(targets.deltas[row], expected[0])


def test_a_crowd_itself_is_never_drawn() -> None:
    targets = draw_rois(torch.zeros(0, 4), OBJECT, [3], crowds=CROWD, crowd_classes=(7,))
    assert targets.boxes.tolist() == OBJECT.tolist()


def test_an_object_on_the_pixels_of_a_crowd_stays_itself() -> None:
    targets = draw_rois(torch.zeros(0, 4), CROWD, [3], crowds=CROWD, crowd_classes=(7,))
    assert targets.classes.tolist() == [3]


def test_two_objects_of_one_box_are_both_drawn() -> None:
    boxes = torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 9]])
    targets = draw_rois(torch.zeros(0, 4), boxes, [3, 5])
    assert sorted(zip(targets.classes.tolist(), targets.matched.tolist(), strict=True)) == [
        (3, 0),
        (5, 1),
    ]


def test_crowds_can_be_left_out() -> None:
    targets = draw_rois(
        ON_CROWD, OBJECT, [3], crowds=CROWD, crowd_classes=(7,), match_crowds=False
    )
    assert targets.classes.tolist() == [3, 0]


def test_an_image_of_crowds_alone_learns_boxes_but_no_masks() -> None:
    far = torch.tensor([[0.0, 300, 20, 320]])
    targets = draw_rois(
        torch.cat((far, ON_CROWD)), torch.zeros(0, 4), [], crowds=CROWD, crowd_classes=(7,)
    )
    assert targets.classes.tolist() == [7, 0]
    assert len(targets.deltas) == 1
    assert len(targets.mask_rows) == len(targets.matched) == 0
