# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An imported checkpoint computes what the published network computes.

Every stage of an inspection is compared with the reference applied to the stage before it, so that
a deviation shows where it arises; then the whole with the reference's own way from image to map.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.fakes.official_checkpoint import lively_checkpoint, smooth_image
from tests.training import reference_inference, reference_upsnet
from tests.training.reference_inference import PanopticMaps, Regions
from training.build import load_trained_model
from training.import_official import convert_weights
from training.inference.predictor import Predictor
from training.inspection.arrays import LEVELS
from training.inspection.steps import inspect_image
from training.models.upsnet import UPSNet

TOLERANCE = 1e-4  # of the largest value of a stage; both sides compute in float32
PIXELS = 1e-3  # boxes, in pixels
# Boxes for each of P2..P5, some reaching out of the image.
ALL_LEVELS = ((3, 2, 50, 60), (5, 5, 160, 150), (0, -9, 255, 255), (-20, -10, 480, 470.5))
EQUAL_SHARE = 0.999  # of the pixels of a map; rounding decides where two logits are equal


@dataclass(frozen=True)
class Setting:
    """A variant with an image; no input has sides that are multiples of 32."""

    variant: str
    image_size: tuple[int, int]
    short: int
    longest: int
    area_limit: int  # published: 2048 and 4096, for images 20 times as large


SETTINGS = (
    Setting('r50_cityscapes', (170, 270), 192, 320, 2048),
    Setting('r50_coco', (125, 401), 192, 310, 200),  # the long side decides
    Setting('r101_cityscapes', (150, 100), 96, 160, 100),
    Setting('r101_dcn_coco', (100, 150), 96, 160, 100),
)


@dataclass
class Case:
    """The arrays of an inspection, and the weights with the reference's first stages."""

    setting: Setting
    model: UPSNet
    num_stuff: int
    arrays: dict[str, np.ndarray]
    weights: dict[str, Tensor]
    pixels: Tensor
    content: tuple[int, int]
    scale: float
    levels: list[Tensor]
    semantic: Tensor

    def __getitem__(self, name: str) -> Tensor:
        return torch.from_numpy(self.arrays[name])

    def regions(self) -> tuple[Tensor, Tensor, Tensor, tuple[int, int]]:
        """What instances are selected from."""
        heads = (self['proposal_class_logits'], self['proposal_box_deltas'])
        return (self['proposals'], *heads, self.content)

    def own_levels(self) -> list[Tensor]:
        return [self[f'p{level}'][None] for level in LEVELS]


@pytest.fixture(scope='module', autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope='module', params=SETTINGS, ids=lambda setting: setting.variant)
def case(request) -> Case:
    setting: Setting = request.param
    image = smooth_image(setting.image_size)
    sides = {'short': setting.short, 'longest': setting.longest}
    weights = lively_checkpoint(setting.variant, image, **sides)
    checkpoint = convert_weights(weights, setting.variant)
    predictor = Predictor(
        load_trained_model(checkpoint), short_side=setting.short, max_long_side=setting.longest
    )
    labels = checkpoint.recipe.data.label_set
    head = replace(checkpoint.recipe.panoptic_head, stuff_area_limit=setting.area_limit)
    arrays = inspect_image(predictor, image, label_set=labels, head=head)
    pixels, content, scale = reference_upsnet.preprocess(image, **sides)
    levels = reference_upsnet.pyramid(weights, reference_upsnet.backbone(weights, pixels))
    semantic = reference_upsnet.semantic_head(weights, levels)
    start = (labels.num_stuff, arrays, weights, pixels, content, scale)
    return Case(setting, predictor.model, *start, levels, semantic)


def assert_close(ours: Tensor, reference: Tensor) -> None:
    """Equal shapes, and values within the tolerance of the largest one."""
    assert ours.shape == reference.shape
    assert float((ours - reference).abs().max()) <= TOLERANCE * float(reference.abs().max())


def own_masks(case: Case, levels: list[Tensor], boxes: Tensor, classes: Tensor) -> np.ndarray:
    """The reference's mask logits of each box's own class: [n, 28, 28]."""
    masks = reference_upsnet.mask_head(case.weights, levels, boxes)
    return masks[torch.arange(len(masks)), classes].numpy()


def test_pixels(case: Case) -> None:
    assert_close(case['pixels'][None], case.pixels)
    assert case.arrays['content_size'].tolist() == list(case.content)
    assert float(case.arrays['scale']) == case.scale
    assert any(side % 32 for side in case.content)


def test_pyramid(case: Case) -> None:
    for ours, reference in zip(case.own_levels(), case.levels, strict=True):
        assert_close(ours, reference)


def test_proposals(case: Case) -> None:
    logits, deltas = reference_upsnet.rpn(case.weights, case.own_levels())
    for level, level_logits, level_deltas in zip(LEVELS, logits, deltas, strict=True):
        assert_close(case[f'rpn_logits_p{level}'].flatten(), level_logits)
        assert_close(case[f'rpn_deltas_p{level}'].reshape(-1, 4), level_deltas)
    own_logits = [case[f'rpn_logits_p{level}'].flatten() for level in LEVELS]
    own_deltas = [case[f'rpn_deltas_p{level}'].reshape(-1, 4) for level in LEVELS]
    found = reference_upsnet.proposals(own_logits, own_deltas, case.own_levels(), case.content)
    assert len(found) > 300
    torch.testing.assert_close(case['proposals'], found, rtol=0, atol=PIXELS)


def test_box_head(case: Case) -> None:
    logits, deltas = reference_upsnet.box_head(case.weights, case.own_levels(), case['proposals'])
    assert_close(case['proposal_class_logits'], logits)
    assert_close(case['proposal_box_deltas'], deltas)


def test_regions_of_all_levels(case: Case) -> None:
    boxes, levels = torch.tensor(ALL_LEVELS), case.own_levels()
    reference = reference_upsnet.box_head(case.weights, levels, boxes)
    for ours, theirs in zip(case.model.box_outputs(levels, [boxes]), reference, strict=True):
        assert_close(ours, theirs)
    masks = case.model.mask_outputs(levels, [boxes])
    assert_close(masks, reference_upsnet.mask_head(case.weights, levels, boxes))


def test_detections(case: Case) -> None:
    found = reference_inference.detections(*case.regions())
    order = torch.argsort(found.scores, descending=True, stable=True)
    boxes, classes = found.boxes[order], found.classes[order]
    assert len(order) >= 20 and len(classes.unique()) > 4
    assert_close(case['detection_scores'], found.scores[order])
    torch.testing.assert_close(
        case['detection_boxes'], boxes / case.scale, rtol=0, atol=PIXELS / case.scale
    )
    assert (case['detection_classes'] - case.num_stuff + 1).tolist() == classes.tolist()
    masks = own_masks(case, case.own_levels(), boxes, classes)
    size = case.setting.image_size
    pasted = [
        reference_inference.pasted_mask(mask, box, size)
        for mask, box in zip(masks, (boxes / case.scale).double().numpy(), strict=True)
    ]
    assert np.mean(pasted == case.arrays['detection_masks']) >= EQUAL_SHARE
    assert np.mean(pasted) > 0.001


def test_candidates(case: Case) -> None:
    found = reference_inference.candidates(*case.regions())
    assert 10 <= len(found.scores) and len(found.classes.unique()) > 3
    assert len(found.scores) == 100 or found.scores.min() < 0.75  # the limit or the threshold
    assert_close(case['candidate_scores'], found.scores)
    torch.testing.assert_close(case['candidate_boxes'], found.boxes, rtol=0, atol=PIXELS)
    assert (case['candidate_classes'] - case.num_stuff + 1).tolist() == found.classes.tolist()
    masks = own_masks(case, case.own_levels(), found.boxes, found.classes)
    assert_close(case['candidate_mask_logits'], torch.from_numpy(masks))


def test_semantic_logits(case: Case) -> None:
    assert_close(case['semantic_logits'], case.semantic)


def test_panoptic_maps(case: Case) -> None:
    classes = case['candidate_classes'] - case.num_stuff + 1
    found = Regions(case['candidate_boxes'], case['candidate_scores'], classes)
    masks = case.arrays['candidate_mask_logits']
    maps = reference_inference.panoptic_maps(case['semantic_logits'], found, masks, case.num_stuff)
    kept = case.arrays['kept_rows']
    assert len(kept) >= 5
    assert classes[kept].tolist() == maps.classes
    rows, columns = (slice(0, side) for side in case.content)
    assert share_equal(case.arrays['semantic_labels'], maps.semantic[rows, columns])
    channels = case.arrays['panoptic_channels'].astype(int)
    channels[channels == case.num_stuff + len(kept)] = reference_inference.VOID
    assert share_equal(channels, maps.labels[rows, columns])
    assert_result(case, maps)


def test_from_the_image_to_the_final_map(case: Case) -> None:
    rpn = reference_upsnet.rpn(case.weights, case.levels)
    proposals = reference_upsnet.proposals(*rpn, case.levels, case.content)
    box_outputs = reference_upsnet.box_head(case.weights, case.levels, proposals)
    found = reference_inference.candidates(proposals, *box_outputs, case.content)
    masks = own_masks(case, case.levels, found.boxes, found.classes)
    assert_result(
        case, reference_inference.panoptic_maps(case.semantic, found, masks, case.num_stuff)
    )


def share_equal(ours: np.ndarray, reference: np.ndarray) -> bool:
    return ours.shape == reference.shape and np.mean(ours == reference) >= EQUAL_SHARE


def assert_result(case: Case, maps: PanopticMaps) -> None:
    """The two-channel result equals the reference's from these maps."""
    classes, index = reference_inference.unified_result(
        maps,
        content=case.content,
        scale=case.scale,
        num_stuff=case.num_stuff,
        area_limit=case.setting.area_limit,
    )
    expected = np.stack((classes, per_class_numbers(classes, index)), axis=-1)
    assert expected.shape == case.arrays['result'].shape
    equal = (case.arrays['result'] == expected).all(axis=-1)
    assert equal.mean() >= EQUAL_SHARE
    segments = np.unique(expected.reshape(-1, 2), axis=0)
    assert len(segments) >= 10 and np.mean(index > 0) > 0.02


def per_class_numbers(classes: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Published instance indices, unique per image, as ours that count from 1 in each class."""
    numbers = np.zeros_like(index)
    for class_id in np.unique(classes[index > 0]):
        own = (classes == class_id) & (index > 0)
        numbers[own] = np.unique(index[own], return_inverse=True)[1] + 1
    numbers[classes == reference_inference.VOID] = reference_inference.VOID
    return numbers
