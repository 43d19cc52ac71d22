# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The differentiable panoptic head of training and the one the robot runs label alike."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from training.models.panoptic_logits import build_panoptic_logits
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput

LABELS = cityscapes_label_set()
SIZE = (96, 160)


def make_output(seed: int, count: int) -> NetworkOutput:
    """Candidates of different classes whose own class is the best inside their boxes."""
    generator = np.random.default_rng(seed)
    semantic = generator.normal(0, 1, (LABELS.num_classes, SIZE[0] // 4, SIZE[1] // 4))
    classes = generator.permutation(np.arange(LABELS.num_stuff, LABELS.num_classes))[:count]
    corner = generator.uniform(0, 1, (count, 2)) * (SIZE[1] - 40, SIZE[0] - 40)
    side = generator.uniform(8, 60, (count, 2))
    limit = np.array([SIZE[1] - 1, SIZE[0] - 1])
    boxes = np.concatenate((corner, np.minimum(corner + side, limit)), axis=1)
    for class_id, (x1, y1, x2, y2) in zip(classes, boxes // 4, strict=True):
        semantic[class_id, int(y1) : int(y2) + 2, int(x1) : int(x2) + 2] += 6
    rows = 100

    def padded(values: np.ndarray, dtype: type) -> np.ndarray:
        out = np.zeros((rows, *values.shape[1:]), dtype)
        out[:count] = values
        return out

    masks = generator.normal(1, 2, (count, 7, 7)).repeat(4, axis=1).repeat(4, axis=2)
    return NetworkOutput(
        semantic_logits=semantic.astype(np.float32),
        boxes=padded(boxes, np.float32),
        scores=padded(np.sort(generator.uniform(0.7, 1, count))[::-1], np.float32),
        classes=padded(classes, np.int32),
        mask_logits=padded(masks, np.float32),
        count=count,
    )


@pytest.mark.parametrize('count', [1, 3, 6])
@pytest.mark.parametrize('seed', range(8))
def test_both_heads_give_every_pixel_the_same_owner(seed: int, count: int) -> None:
    output = make_output(seed, count)
    head = PanopticHead(
        LABELS, score_threshold=0.0, mask_overlap_threshold=1.0, stuff_area_limit=0
    )
    geometry = InputGeometry.fit(image_size=SIZE, input_size=SIZE)
    labels = head(output, geometry).label_image
    semantic = torch.from_numpy(output.semantic_logits)[None]
    z = build_panoptic_logits(
        F.interpolate(semantic, scale_factor=4.0, mode='bilinear', align_corners=False)[0],
        torch.from_numpy(output.mask_logits[:count]),
        torch.from_numpy(output.boxes[:count]),
        torch.from_numpy(output.classes[:count].astype(np.int64)) - LABELS.num_stuff + 1,
        num_stuff=LABELS.num_stuff,
    )
    owner = z.argmax(dim=0).numpy()
    stuff = (np.arange(LABELS.num_stuff) << 8).tolist()
    things = [(int(c) << 8) + 1 for c in output.classes[:count]]
    values = np.array([*stuff, *things, UNKNOWN_LABEL], np.uint16)
    top = z.topk(2, dim=0).values
    clear = (top[0] - top[1] > 1e-3).numpy()  # a tie in the last digits may go either way
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(labels[clear], values[owner][clear])
    assert np.isin(things, labels).all()
