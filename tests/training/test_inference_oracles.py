# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The truth in the place of boxes, classes and segmentation."""

import numpy as np
import pytest
import torch

from tests.fakes.small_networks import lively_model, make_small_recipe
from training.inference.oracles import CERTAIN_LOGIT, true_instances, true_semantic_logits
from training.models.upsnet import PyramidOutput, UPSNet
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import UNKNOWN_LABEL

ROAD, SKY, PERSON, CAR = 0, 10, 11, 13
SIZE = (96, 160)


@pytest.fixture(scope='module')
def model() -> UPSNet:
    return lively_model(make_small_recipe(), seed=1)


@pytest.fixture(scope='module')
def output(model: UPSNet) -> PyramidOutput:
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        return model.pyramid_output(60 * torch.randn(1, 3, *SIZE, generator=generator))


def street() -> np.ndarray:
    """Road with a person, two cars and a crowd; the image is half as large as the input."""
    truth = np.full((48, 80), ROAD << 8, np.uint16)
    truth[5:20, 10:16] = PERSON << 8 | 1
    truth[10:30, 30:60] = CAR << 8 | 1
    truth[30:40, 2:30] = CAR << 8 | 2
    truth[40:46, 40:78] = CAR << 8
    truth[:, 78:] = UNKNOWN_LABEL
    return truth


BOXES = {  # x1, y1, x2, y2 times the scale of 2
    PERSON << 8 | 1: [20.0, 10.0, 30.0, 38.0],
    CAR << 8 | 1: [60.0, 20.0, 118.0, 58.0],
    CAR << 8 | 2: [4.0, 60.0, 58.0, 78.0],
}


@pytest.mark.parametrize('true_classes', [False, True])
def test_true_boxes_are_classified_and_not_moved(
    model: UPSNet, output: PyramidOutput, true_classes: bool
) -> None:
    found = true_instances(model, output, street(), scale=2.0, true_classes=true_classes)
    assert sorted(found.boxes.tolist()) == sorted(BOXES.values())
    scores = found.scores.tolist()
    assert scores == sorted(scores, reverse=True)
    values = {tuple(box): value for value, box in BOXES.items()}
    with torch.no_grad():
        for row, box in enumerate(found.boxes):
            probability = model.box_outputs(output.levels, [box[None]])[0].softmax(1)[0]
            best = int(probability[1:].argmax()) + 1
            true = (values[tuple(box.tolist())] >> 8) - model.num_stuff + 1
            want = true if true_classes else best
            assert int(found.classes[row]) == want
            torch.testing.assert_close(found.scores[row], probability[want])
            masks = model.mask_outputs(output.levels, [box[None]])[0, want]
            torch.testing.assert_close(found.mask_logits[row], masks, atol=1e-3, rtol=1e-3)


def test_impossible_classes_keep_a_score_above_zero(
    model: UPSNet, output: PyramidOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sure_of_background(levels: list, boxes: list) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.zeros(len(boxes[0]), 9)
        logits[:, 0] = 500.0
        return logits, torch.zeros(len(boxes[0]), 9, 4)

    monkeypatch.setattr(model, 'box_outputs', sure_of_background)
    found = true_instances(model, output, street(), scale=2.0, true_classes=True)
    assert len(found.scores) == 3 and (found.scores > 0).all()


@pytest.mark.parametrize('label', [ROAD << 8, CAR << 8, UNKNOWN_LABEL])
def test_images_without_objects(model: UPSNet, output: PyramidOutput, label: int) -> None:
    truth = np.full((48, 80), label, np.uint16)
    found = true_instances(model, output, truth, scale=2.0, true_classes=False)
    assert found.boxes.shape == (0, 4) and found.mask_logits.shape == (0, 28, 28)


def test_true_segmentation_at_a_quarter() -> None:
    geometry = InputGeometry.fit(image_size=(32, 32), input_size=(32, 32))
    truth = np.full((32, 32), ROAD << 8, np.uint16)
    truth[:16] = SKY << 8
    # The middle of a cell is its third pixel: column 14 belongs to the cell of pixels 12 to 15.
    truth[16:, 14:] = CAR << 8 | 7
    truth[30:, :] = UNKNOWN_LABEL
    logits = true_semantic_logits(truth, geometry, num_classes=19)
    assert logits.shape == (19, 8, 8) and logits.dtype == torch.float32
    want = torch.zeros(19, 8, 8)
    want[SKY, :4] = want[ROAD, 4:7, :3] = want[CAR, 4:7, 3:] = CERTAIN_LOGIT
    assert torch.equal(logits, want)


def test_crowds_have_their_class_and_padding_repeats_the_border() -> None:
    geometry = InputGeometry.for_short_side((20, 30), short_side=40, max_long_side=100)
    truth = np.full((20, 30), ROAD << 8, np.uint16)
    truth[:, 20:] = CAR << 8
    logits = true_semantic_logits(truth, geometry, num_classes=19)
    assert logits.shape == (19, 16, 16)
    # Scale 2: column 20 of the image is column 40 of the input, cell 10.
    assert (logits[ROAD, :, :10] == CERTAIN_LOGIT).all()
    assert (logits[CAR, :, 10:] == CERTAIN_LOGIT).all()
    assert (logits.sum(dim=0) == CERTAIN_LOGIT).all()
