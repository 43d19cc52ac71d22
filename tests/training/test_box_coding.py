# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Box coding against published numbers and against itself."""

import numpy as np
import torch

from training.models.box_coding import (
    BOX_HEAD_WEIGHTS,
    clip_boxes,
    decode_boxes,
    encode_boxes,
    pairwise_iou,
)


def test_decoding_equals_the_published_example() -> None:
    box, delta = torch.tensor([[10.0, 20, 49, 99]]), torch.tensor([[1.0, -2, 0.5, 30]])
    decoded = decode_boxes(box, delta, weights=BOX_HEAD_WEIGHTS)
    expected = [[11.89658, -2456.0, 55.10342, 2543.0]]
    np.testing.assert_allclose(decoded.numpy(), expected, rtol=1e-6, atol=1e-4)


def test_encoding_equals_the_published_example() -> None:
    box, target = torch.tensor([[10.0, 20, 49, 99]]), torch.tensor([[12.0, 18, 60, 90]])
    encoded = encode_boxes(box, target, weights=BOX_HEAD_WEIGHTS)
    expected = [[1.625, -0.6875, 1.01470422, -0.45783597]]
    np.testing.assert_allclose(encoded.numpy(), expected, rtol=1e-5)


def test_iou_counts_inclusive_pixels() -> None:
    generator = np.random.default_rng(0)
    corner = generator.integers(0, 20, (30, 2))
    boxes = np.concatenate((corner, corner + generator.integers(0, 12, (30, 2))), axis=1)
    canvas = np.zeros((30, 40, 40), bool)
    for index, (x1, y1, x2, y2) in enumerate(boxes):
        canvas[index, y1 : y2 + 1, x1 : x2 + 1] = True
    flat = canvas.reshape(30, -1).astype(float)
    overlap = flat @ flat.T
    union = flat.sum(1)[:, None] + flat.sum(1)[None] - overlap
    tensor = torch.from_numpy(boxes).float()
    np.testing.assert_allclose(pairwise_iou(tensor, tensor), overlap / union, atol=1e-6)


def test_clipping_ends_at_the_last_pixel() -> None:
    clipped = clip_boxes(torch.tensor([[-5.0, -1, 700, 400]]), height=320, width=640)
    assert clipped.tolist() == [[0, 0, 639, 319]]
