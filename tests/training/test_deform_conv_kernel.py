# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Triton kernel against torchvision, and the PyTorch operator around it.

The kernel runs in Triton's interpreter here: its arithmetic and its addresses are tested, not
what a GPU makes of its matrix products.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torchvision

from tests.training.deform_conv_cases import (
    LAST,
    SMALL,
    Case,
    all_cases,
    make_tensors,
    out_size,
)
from training.deform_conv_kernels.kernel_call import (
    call_kernel,
    choose_tile,
    convolution_of,
)
from training.deform_conv_kernels.torch_operator import deform_conv2d, precision_of
from upsnet_ros.core.errors import ParameterError

ROOT = Path(__file__).parents[2]
# Of the largest value. float32: another order of up to 700 sums. Halves: samples and results are
# rounded to 11 or 8 bits; the rounding of the tensors themselves is in the reference as well.
TOLERANCE = {torch.float32: 2e-6, torch.float16: 1e-3, torch.bfloat16: 8e-3}
SETTINGS = {'stride': (1, 1), 'padding': (1, 1), 'dilation': (1, 1)}
ONE_GROUP = {'groups': 1, 'offset_groups': 1}
CASES = tuple(all_cases())


@pytest.fixture(scope='module')
def interpreted() -> dict[str, dict]:
    """Results of all cases in Triton's interpreter."""
    done = subprocess.run(
        [sys.executable, '-m', 'tests.training.deform_conv_cases'],
        cwd=ROOT,
        env=os.environ | {'TRITON_INTERPRET': '1', 'OMP_NUM_THREADS': '1'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize('case', CASES, ids=[case.name for case in CASES])
def test_kernel_equals_torchvision(case: Case, interpreted: dict[str, dict]) -> None:
    result = interpreted[case.name]
    assert tuple(result['shape']) == (case.shape[0], case.out_channels, *out_size(case))
    assert result['difference'] <= TOLERANCE[case.kind] * result['largest']


@pytest.mark.parametrize('layout', ['not a number', 'not a number, channels last'])
def test_offset_that_is_no_number_spoils_its_pixel_only(layout, interpreted) -> None:
    assert interpreted[layout]['at offset'] == [[1, 2, 3]]


@pytest.mark.parametrize('layout', ['not a number', 'not a number, channels last'])
def test_samples_outside_are_zero_whatever_the_map_holds(layout, interpreted) -> None:
    assert interpreted[layout]['outside'] == []


def test_tile_follows_channels_and_size() -> None:
    def name(channels: int, out: int, side: int, **groups: int) -> str:
        x = torch.empty(1, channels, side, side, device='meta')
        groups = ONE_GROUP | groups
        offset = torch.empty(1, 18 * groups['offset_groups'], side, side, device='meta')
        weight = torch.empty(out, channels // groups['groups'], 3, 3, device='meta')
        sizes = convolution_of(x, offset, weight, **SETTINGS, **groups)
        return choose_tile(sizes, 'float16').name

    assert name(256, 128, 256) == 'float16_nhwc_128x128x32_w8'
    assert name(256, 128, 32) == 'float16_nhwc_64x32x32_w4'
    assert name(512, 512, 128) == 'float16_nhwc_256x64x32_w8'
    assert name(48, 64, 256) == 'float16_nchw_64x64x16_w4'
    assert name(40, 64, 256) == 'float16_any_64x64x16_w4'
    assert name(64, 64, 256, offset_groups=8) == 'float16_any_64x64x16_w4'


@pytest.fixture
def convolution_setting() -> Iterator[object]:
    """PyTorch's settings of plain convolutions, put back afterwards."""
    setting = torch.backends.cudnn.conv
    before = setting.fp32_precision
    yield setting
    setting.fp32_precision = before


def test_float32_products_follow_the_setting_of_plain_convolutions(convolution_setting) -> None:
    for setting, precision in (('ieee', 'float32'), ('tf32', 'tf32')):
        convolution_setting.fp32_precision = setting
        assert precision_of(torch.float32) == precision
    assert precision_of(torch.bfloat16) == precision_of(torch.float16) == 'float16'


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'offset': torch.zeros(1, 18, 5, 7)}, 'output of 5x7.*gives 6x7'),
        ({'offset': torch.zeros(1, 16, 6, 7)}, r'offset of shape \(1, 16, 6, 7\)'),
        ({'weight': torch.zeros(6, 4, 3, 3)}, 'weight of 4 input channels.*x has 5'),
        ({'weight': torch.zeros(6, 5, 3)}, '4, 4 and 3 dimensions'),
        ({'weight': torch.zeros(6, 5, 3, 3).half()}, 'torch.float16, torch.float32'),
        ({'bias': torch.zeros(5)}, r'bias of shape \(5,\), expected \(6,\)'),
        ({'stride': (0, 1)}, 'negative or empty'),
        ({'padding': (-1, 1)}, 'negative or empty'),
        ({'groups': 5, 'weight': torch.zeros(6, 1, 3, 3)}, '6 output channels'),
        ({'offset_groups': 2, 'offset': torch.zeros(1, 36, 6, 7)}, '5 input channels.* 2 groups'),
        ({'tile': LAST}, 'multiples of 16 input channels'),
    ],
)
def test_sizes_that_do_not_fit_are_refused(change: dict, message: str) -> None:
    values = dict(zip(('x', 'offset', 'weight', 'bias'), make_tensors(Case('')), strict=True))
    values |= SETTINGS | ONE_GROUP | {'tile': SMALL} | change
    tensors = [values.pop(name) for name in ('x', 'offset', 'weight', 'bias')]
    tile = values.pop('tile')
    with pytest.raises(ParameterError, match=message):
        call_kernel(*tensors, convolution_of(*tensors[:3], **values), tile)


@pytest.mark.parametrize('with_bias', [True, False])
def test_operator_and_its_gradients_equal_torchvision_on_a_cpu(with_bias: bool) -> None:
    case = Case('', shape=(2, 4, 5, 6), out_channels=6, groups=2, offset_groups=2, bias=with_bias)
    tensors = [t.clone().requires_grad_() for t in make_tensors(case) if t is not None]
    groups = {'groups': 2, 'offset_groups': 2}
    settings = {'stride': (2, 1), 'padding': (1, 1), 'dilation': (1, 2)}
    tensors[1] = torch.randn(2, 36, 3, 4, requires_grad=True)
    ours = deform_conv2d(*tensors, **settings, **groups)
    theirs = torchvision.ops.deform_conv2d(*tensors, **settings)
    assert torch.equal(ours, theirs)
    seed = torch.randn_like(ours)
    mine = torch.autograd.grad(ours, tensors, seed)
    for gradient, other in zip(mine, torch.autograd.grad(theirs, tensors, seed), strict=True):
        assert torch.equal(gradient, other)


def test_gradients_of_half_tensors_are_added_up_in_single_precision() -> None:
    x, offset, weight, bias = make_tensors(Case('', shape=(1, 32, 6, 7)))
    exact = [t.half().float().requires_grad_() for t in (x, weight, bias)]
    halves = [t.detach().half().requires_grad_() for t in exact]
    offsets = [offset.clone().requires_grad_() for _ in range(2)]
    padding = {'padding': (1, 1)}
    ours = deform_conv2d(halves[0], offsets[0], *halves[1:], **padding)
    theirs = torchvision.ops.deform_conv2d(exact[0], offsets[1], *exact[1:], **padding)
    assert ours.dtype == torch.float16
    ours.sum().backward()
    theirs.sum().backward()
    for mine, other in zip((*halves, offsets[0]), (*exact, offsets[1]), strict=True):
        assert mine.grad.dtype == mine.dtype
        assert torch.equal(mine.grad, other.grad.to(mine.dtype))


def test_operator_keeps_pytorchs_rules_for_operators() -> None:
    tensors = [t.requires_grad_() for t in make_tensors(Case('', shape=(2, 4, 5, 6)))]
    settings = ([1, 1], [1, 1], [1, 1], 1, 1)
    checks = torch.library.opcheck(torch.ops.upsnet.deform_conv2d.default, (*tensors, *settings))
    assert set(checks.values()) == {'SUCCESS'}


def test_autocast_on_a_cpu_computes_in_single_precision() -> None:
    x, offset, weight, bias = make_tensors(Case(''))
    expected = deform_conv2d(x.bfloat16().float(), offset, weight, bias, padding=(1, 1))
    with torch.autocast('cpu', torch.bfloat16):
        y = deform_conv2d(x.bfloat16(), offset, weight, bias, padding=(1, 1))
    assert torch.equal(y, expected)
