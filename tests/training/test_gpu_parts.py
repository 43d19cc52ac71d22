# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the parts of the GPU benchmark compute beside their GPU: comparisons, ratios, tables."""

import math

import pytest
import torch

from benchmarks.gpu_parts import kernel_speed, whole_network
from benchmarks.gpu_parts.kernel_numerics import OFFSETS, compare_all, lines
from benchmarks.gpu_parts.kernel_speed_table import aims, ratios
from benchmarks.gpu_parts.kernel_speed_table import lines as speed_lines
from benchmarks.gpu_parts.layer import (
    GUARD,
    Shape,
    guard_is_whole,
    guarded,
)
from benchmarks.gpu_parts.operators import RECIPE
from benchmarks.gpu_parts.part import NEEDS_GPU, Settings
from benchmarks.gpu_parts.precision import PRECISIONS
from training.deform_conv_kernels.tiles import TILES
from training.deform_conv_kernels.torch_operator import deform_conv2d
from training.recipe.reading import load_recipe

SMALL = (
    Shape(in_channels=32, out_channels=5, size=(6, 7)),
    Shape(in_channels=4, out_channels=3, size=(5, 9), batch=2, stride=2, dilation=2, padding=2),
)
SETTINGS = Settings(device='cpu', size=(96, 160), network_size=(64, 96), repeat=1)


# --- numbers


def test_the_operator_has_torchvisions_numbers_and_every_sort_of_offsets_is_compared() -> None:
    result = compare_all(SMALL, 'cpu', ours=deform_conv2d)
    assert result['failures'] == []
    assert set(result['forward']) == set(PRECISIONS)
    assert all(set(sorts) == set(OFFSETS) for sorts in result['forward'].values())
    assert set(result['backward']) == {'float32', 'float16'}
    assert set(result['backward']['float32']['far']) == {'x', 'offset', 'weight', 'bias'}
    assert len(lines(result)) == 5


def test_a_slightly_wrong_operator_fails_in_both_directions() -> None:
    def wrong(x, offset, weight, bias, **settings):
        return deform_conv2d(x, offset + 0.01, weight, bias, **settings)

    failures = compare_all(SMALL[:1], 'cpu', ours=wrong)['failures']
    assert any(
        text.startswith('forward float16, random offsets, 32->5 6x7: ours') for text in failures
    )
    assert any(text.startswith('backward float32, random offsets') for text in failures)


def test_numbers_that_are_none_fail_and_are_told() -> None:
    def none(x, offset, weight, bias, **settings):
        y = deform_conv2d(x, offset, weight, bias, **settings)
        return torch.where(y == y.max(), torch.nan, y)

    result = compare_all(SMALL[:1], 'cpu', ours=none)
    assert math.isnan(result['forward']['float32']['zero']['ours'])
    assert len(result['failures']) >= len(PRECISIONS) * len(OFFSETS)
    assert 'ours nan' in lines(result)[0]


# --- layers


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_guards_surround_a_tensor_and_a_write_outside_is_noticed(layout) -> None:
    values = torch.randn(2, 3, 4, 5).contiguous(memory_format=layout)
    copy = guarded(values)
    assert torch.equal(copy, values) and copy.is_contiguous(memory_format=layout)
    assert guard_is_whole(copy)
    around = copy.as_strided((values.numel() + 2 * GUARD,), (1,), 0)
    around[-GUARD] = 0.0
    assert not guard_is_whole(copy)


# --- speed


def fixed_times(call, *, repeat: int) -> dict[str, float]:
    """Runs the call and says what a clock might."""
    call()
    return {'cold_ms': 2.0, 'warm_ms': 1.0}


def test_every_peer_and_tile_is_timed_and_a_failing_one_stops_no_other(monkeypatch) -> None:
    def launch(arguments) -> None:
        if arguments.tile.name == 'float16_nhwc_64x32x32_w4':
            raise RuntimeError('out of shared memory')

    monkeypatch.setattr(kernel_speed, 'launch_with_triton', launch)
    settings = {'repeat': 1, 'times': fixed_times, 'rate': lambda precision: 100.0}
    result = kernel_speed.measure_shapes(SMALL[:1], 'cpu', **settings)
    assert [text.split(':')[0] for text in result['failures']] == [
        'float16 32->5 6x7 float16_nhwc_64x32x32_w4'
    ]
    for precision in PRECISIONS:
        figures = result['layers'][precision]['32->5 6x7']
        tiles = {tile.name for tile in TILES if tile.precision == precision}
        peers = {'torchvision', 'dense', 'dense_channels_last', 'operator'}
        timed = set(figures['times'])
        assert timed == (tiles | peers) - {'float16_nhwc_64x32x32_w4'}
        assert (figures['best_over_torchvision'], figures['best_of_dense']) == (1.0, 1.0)
    text = speed_lines(result)
    assert len(text) == 6 and 'MISSED 5 times torchvision' in text[-1]


def times(cold: float, warm: float) -> dict[str, float]:
    return {'cold_ms': cold, 'warm_ms': warm}


def test_ratios_are_the_less_favourable_ones() -> None:
    taken = {
        'torchvision': times(30.0, 20.0),
        'dense': times(4.0, 2.0),
        'dense_channels_last': times(3.0, 2.5),
        'operator': times(9.0, 9.0),
        'first': times(4.0, 3.0),
        'second': times(6.0, 2.0),
    }
    figures = ratios(taken, 'first', flop=4 * 10**9, rate=20.0)
    assert figures['best'] == 'second'
    assert figures['best_over_torchvision'] == 5.0  # cold; warm 10
    assert figures['best_of_dense'] == 2.0  # cold 6 over 3; warm 1
    assert figures['best_of_peak'] == pytest.approx(0.1)  # 4 GFLOP in 2 ms are 2 TFLOP/s
    assert figures['chosen_over_torchvision'] == pytest.approx(20 / 3)
    assert figures['chosen_of_dense'] == 1.5  # warm
    assert aims(figures) == 'MISSED 1.5 of dense'
    assert aims({'best_over_torchvision': 5.0, 'best_of_dense': 1.5}) == 'aims reached'


# --- whole network


def test_whole_network_runs_plain_and_as_exported_and_both_agree() -> None:
    result = whole_network.measure_modes(load_recipe(RECIPE), SETTINGS)
    assert result['failures'] == []
    modes = result['modes']
    assert [mode.name for mode in whole_network.MODES] == list(modes)
    run = {name for name, figures in modes.items() if figures != {'not_run': NEEDS_GPU}}
    assert run == {'plain_float32', 'wrapper_float32'}
    assert modes['wrapper_float32']['labels_equal'] > 0.99
    assert modes['plain_float32']['latency_ms'] > 0
    text = whole_network.lines(result)
    assert len(text) == len(modes) and NEEDS_GPU in text[-1]
