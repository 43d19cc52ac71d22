# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO's deformable convolution is the one that networks are trained with, torchvision's."""

import numpy as np
import pytest
import torch
from torchvision.ops import deform_conv2d

from tests.fakes.graphs import deform_conv_graph
from upsnet_ros.backends.openvino_backend import open_core

SINGLE = {'INFERENCE_PRECISION_HINT': 'f32'}


@pytest.mark.parametrize('reach', [0.0, 1.5, 6.0, 1e4], ids='offsets of {} cells'.format)
@pytest.mark.parametrize(
    ('size', 'stride', 'dilation'), [((9, 7), 1, 1), ((9, 7), 2, 1), ((5, 12), 1, 2)]
)
def test_deformable_convolution_is_torchvisions(
    reach: float, size: tuple[int, int], stride: int, dilation: int
) -> None:
    rng = np.random.default_rng(11)
    data, weight, bias = (
        rng.normal(size=shape).astype(np.float32) for shape in ((1, 4, *size), (5, 4, 3, 3), 5)
    )
    out = [(side - 1) // stride + 1 for side in size]  # padded by the dilation
    offset = (reach * rng.normal(size=(1, 18, *out))).astype(np.float32)
    attributes = {
        'kernel_shape': [3, 3],
        'strides': [stride] * 2,
        'pads': [dilation] * 4,
        'dilations': [dilation] * 2,
    }
    model = deform_conv_graph(data, weight, offset, bias, attributes)
    core = open_core()
    compiled = core.compile_model(core.read_model(model.SerializeToString()), 'CPU', SINGLE)
    found = compiled({'x': data, 'offset': offset})['y']
    expected = deform_conv2d(
        *map(torch.from_numpy, (data, offset, weight, bias)),
        stride=stride,
        padding=dilation,
        dilation=dilation,
    )
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-5)
