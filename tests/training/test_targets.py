# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Assignment and sampling of targets on cases computed by hand."""

import numpy as np
import pytest
import torch

from training.matching.mask_targets import mask_targets
from training.matching.panoptic_targets import draw_kept, panoptic_targets, quarter
from training.matching.roi_sampling import sample_rois
from training.matching.rpn_targets import match_anchors
from training.models.anchors import level_anchors


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_panoptic_targets_equal_the_published_example() -> None:
    semantic = torch.tensor([[0, 10, 11, 18, 255, 12, 11, 3]], dtype=torch.uint8)
    masks = torch.zeros(3, 1, 8, dtype=torch.bool)
    masks[0, 0, 2] = masks[1, 0, 3] = masks[1, 0, 4] = True
    masks[2, 0, 5] = masks[2, 0, 7] = True
    labels = panoptic_targets(semantic, masks[[2, 0]], num_stuff=11)
    assert labels.tolist() == [[0, 10, 12, 13, -1, 11, 13, 11]]  # -1: 255 as published


def test_without_instances_every_thing_pixel_is_unknown() -> None:
    semantic = torch.tensor([[3, 12, 255]], dtype=torch.uint8)
    empty = torch.zeros(0, 1, 3, dtype=torch.bool)
    assert panoptic_targets(semantic, empty, num_stuff=11).tolist() == [[3, 11, -1]]


@pytest.mark.parametrize(('count', 'kept'), [(0, 0), (1, 1), (2, 1), (3, 2), (10, 7)])
def test_kept_share(count: int, kept: int) -> None:
    chosen = draw_kept(count, keep_share=0.7, generator=generator())
    assert len(chosen) == kept
    assert len(set(chosen.tolist())) == kept


def test_quarter_takes_every_fourth_pixel() -> None:
    labels = torch.arange(64 * 32).view(64, 32)
    assert quarter(labels).shape == (16, 8)
    assert quarter(labels)[3, 5] == labels[12, 20]


def test_anchor_equal_to_a_box_is_positive_with_zero_deltas() -> None:
    anchors = level_anchors(8, (40, 40))
    box = anchors[3 * (20 * 40 + 20) + 1]
    targets = match_anchors(anchors, box[None], image_size=(320, 320), generator=generator())
    assert 3 * (20 * 40 + 20) + 1 in targets.positives.tolist()
    index = targets.positives.tolist().index(3 * (20 * 40 + 20) + 1)
    assert targets.deltas[index].abs().max() < 1e-6
    assert len(targets.positives) + len(targets.negatives) <= 256


def test_best_anchor_of_a_tiny_box_is_positive_although_the_overlap_is_small() -> None:
    anchors = level_anchors(16, (20, 20))
    box = torch.tensor([[100.0, 100, 109, 109]])
    targets = match_anchors(anchors, box, image_size=(320, 320), generator=generator())
    assert len(targets.positives) >= 1


def test_anchors_outside_the_image_take_no_part() -> None:
    anchors = level_anchors(32, (10, 10))
    boxes = torch.tensor([[0.0, 0, 150, 150]])
    targets = match_anchors(anchors, boxes, image_size=(300, 310), generator=generator())
    chosen = anchors[torch.cat((targets.positives, targets.negatives))]
    assert (chosen[:, :2] >= 0).all()
    assert (chosen[:, 2] < 310).all()
    assert (chosen[:, 3] < 300).all()


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


def test_overlaps_are_judged_at_the_size_of_the_image_on_disk() -> None:
    # At half size the +1 convention lifts the overlap of these two from below 0.5 to above it.
    box, proposal = torch.tensor([[0.0, 0, 3, 3]]), torch.tensor([[0.0, 0, 3, 1]])
    classes = torch.tensor([1])
    limits = {'per_image': 4, 'foreground': 4, 'generator': generator()}
    at_input = sample_rois(proposal, box, classes, scale=1.0, **limits)
    on_disk = sample_rois(proposal, box, classes, scale=0.25, **limits)
    assert at_input.classes.tolist() == [1, 1]  # 8 of 16 pixels
    assert on_disk.classes.tolist() == [1, 0]  # 65 of 169 pixels


def draw_rois(proposals: torch.Tensor, boxes: torch.Tensor, classes: list[int], **limits: int):
    return sample_rois(
        proposals,
        boxes,
        torch.tensor(classes, dtype=torch.long),
        scale=1.0,
        per_image=limits.get('per_image', 8),
        foreground=limits.get('foreground', 4),
        generator=generator(),
    )


def test_rois_are_foreground_first_with_the_class_of_their_box() -> None:
    boxes = torch.tensor([[0.0, 0, 49, 49], [100, 100, 149, 149]])
    proposals = torch.tensor([[2.0, 2, 51, 51], [300, 300, 340, 340], [100, 100, 149, 120]])
    targets = draw_rois(proposals, boxes, [3, 5])
    foreground = len(targets.matched)
    assert foreground == 3  # both boxes and the first proposal
    assert sorted(targets.classes[:foreground].tolist()) == [3, 3, 5]
    assert targets.classes[foreground:].tolist() == [0, 0]
    assert len(targets.deltas) == foreground


def test_foreground_is_capped() -> None:
    box = torch.tensor([[10.0, 10, 60, 60]])
    proposals = box.repeat(50, 1)
    targets = draw_rois(proposals, box, [1], per_image=16, foreground=4)
    assert len(targets.matched) == 4
    assert len(targets.boxes) == 4  # nothing overlaps too little to be background


def test_rois_of_an_image_without_objects_are_background() -> None:
    proposals = torch.tensor([[2.0, 2, 51, 51], [30, 30, 40, 40]])
    targets = draw_rois(proposals, torch.zeros(0, 4), [])
    assert targets.classes.tolist() == [0, 0]
    assert len(targets.deltas) == len(targets.matched) == 0


def test_mask_target_of_its_own_box_is_full() -> None:
    masks = torch.zeros(1, 60, 60, dtype=torch.bool)
    masks[0, 10:40, 20:50] = True
    box = torch.tensor([[20.0, 10, 49, 39]])
    assert mask_targets(masks, torch.tensor([0]), box).min() == 1


def test_mask_target_of_the_left_half() -> None:
    masks = torch.zeros(2, 56, 56, dtype=torch.bool)
    masks[1, :, :28] = True
    box = torch.tensor([[0.0, 0, 56, 56]])
    target = mask_targets(masks, torch.tensor([1]), box)[0].numpy()
    expected = np.zeros((28, 28), np.float32)
    expected[:, :14] = 1
    np.testing.assert_array_equal(target, expected)


def test_mask_target_outside_the_image_is_empty() -> None:
    masks = torch.ones(1, 20, 20, dtype=torch.bool)
    box = torch.tensor([[40.0, 40, 60, 60]])
    assert mask_targets(masks, torch.tensor([0]), box).max() == 0
