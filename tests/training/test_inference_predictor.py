# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Networks, alone and in pairs, on images of any size."""

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from tests.fakes.small_networks import (
    CellNetwork,
    lively_model,
    make_mask_rcnn_recipe,
    make_small_recipe,
    smooth_image,
)
from training.build import build_model
from training.inference.network_output import to_network_output
from training.inference.predictor import Predictor
from training.inference.preparation import prepare_image
from training.inference.views import View
from training.models.detections import Prediction, predict, select_detections
from training.models.upsnet import UPSNet
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.geometry import InputGeometry

IMAGE = smooth_image(5)[:85, :130]  # 85 x 130, so that the input is padded on both sides


@pytest.fixture(scope='module')
def model() -> UPSNet:
    return lively_model(make_small_recipe())


@pytest.fixture(scope='module')
def mask_rcnn(model: UPSNet) -> UPSNet:
    """The instance half of the model."""
    half = build_model(make_mask_rcnn_recipe()).eval()
    half.load_state_dict(
        {k: v for k, v in model.state_dict().items() if not k.startswith('semantic_head')}
    )
    return half


def predictor(model: torch.nn.Module, **options) -> Predictor:
    return Predictor(model, short_side=96, max_long_side=160, **options)


def largest_overlap(boxes: torch.Tensor) -> float:
    """Largest IoU of two different boxes whose ends are inside them."""
    boxes = boxes + torch.tensor([0.0, 0.0, 1.0, 1.0])
    return float(box_iou(boxes, boxes).fill_diagonal_(0).max())


def assert_same(first: Prediction, second: Prediction) -> None:
    for name, value in vars(first).items():
        torch.testing.assert_close(getattr(second, name), value)


def test_equals_the_network_on_the_prepared_image(model: UPSNet) -> None:
    prediction, geometry = predictor(model).predict(IMAGE)
    assert geometry == InputGeometry.for_short_side((85, 130), short_side=96, max_long_side=160)
    content = (geometry.content_height, geometry.content_width)
    assert content == (96, 147)
    prepared = prepare_image(IMAGE, geometry, model.normalise)
    want = predict(model, prepared, image_size=content)
    assert len(want.boxes) > 3
    assert_same(want, prediction)


def test_detections_are_suppressed_class_by_class(model: UPSNet) -> None:
    candidates, _ = predictor(model).predict(IMAGE)
    detections, _ = predictor(model, select=select_detections).predict(IMAGE)
    assert largest_overlap(candidates.boxes) <= 0.5 < largest_overlap(detections.boxes)
    for class_id in detections.classes.unique():
        assert largest_overlap(detections.boxes[detections.classes == class_id]) <= 0.5
    assert (detections.scores.diff() <= 0).all()
    assert torch.equal(detections.semantic_logits, candidates.semantic_logits)


def test_the_semantic_network_of_a_pair_sees_the_same_image(
    mask_rcnn: UPSNet, model: UPSNet
) -> None:
    pair, _ = predictor(mask_rcnn, semantic_model=model).predict(IMAGE)
    assert_same(predictor(model).predict(IMAGE)[0], pair)


def test_a_pair_prefers_the_second_network(model: UPSNet) -> None:
    cells = CellNetwork()
    pair, geometry = predictor(model, semantic_model=cells).predict(IMAGE)
    image = prepare_image(IMAGE, geometry, cells.normalise)
    assert torch.equal(pair.semantic_logits, cells.semantic_logits_quarter(image[None])[0])


def test_mask_rcnn_alone_sees_some_thing_everywhere(mask_rcnn: UPSNet, model: UPSNet) -> None:
    alone = predictor(mask_rcnn)
    prediction, _ = alone.predict(IMAGE)
    assert not alone.has_semantics and predictor(model).has_semantics
    assert (prediction.semantic_logits.argmax(dim=0) >= 11).all()
    assert torch.equal(prediction.boxes, predictor(model).predict(IMAGE)[0].boxes)


def test_views_average_what_the_single_ones_say(model: UPSNet) -> None:
    views = [View(96, 160), View(128, 220), View(96, 160, mirrored=True)]
    parts = [predictor(model, views=[view]).predict(IMAGE)[0] for view in views]
    whole, _ = predictor(model, views=views).predict(IMAGE)
    mean = torch.stack([part.semantic_logits for part in parts]).mean(dim=0)
    torch.testing.assert_close(whole.semantic_logits, mean, atol=1e-4, rtol=1e-4)
    assert torch.equal(whole.boxes, parts[2].boxes)  # the instance head sees one image only


def test_oracles_need_the_truth(model: UPSNet) -> None:
    with pytest.raises(ParameterError, match='without truth'):
        predictor(model, oracles=['boxes']).predict(IMAGE)


def test_training_mode_is_refused(model: UPSNet) -> None:
    model.train()
    try:
        with pytest.raises(ValueError, match='evaluation mode'):
            predictor(model)
    finally:
        model.eval()


def test_more_rows_than_the_exported_graph_has_are_kept() -> None:
    count = 130
    prediction = Prediction(
        boxes=torch.zeros(count, 4),
        scores=torch.linspace(1, 0.1, count),
        classes=torch.ones(count, dtype=torch.long),
        mask_logits=torch.zeros(count, 28, 28),
        semantic_logits=torch.zeros(19, 8, 8),
    )
    output = to_network_output(prediction, num_stuff=11)
    assert output.count == len(output.boxes) == count
    np.testing.assert_array_equal(output.classes, np.full(count, 11))
