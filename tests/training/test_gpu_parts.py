# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the parts of the GPU benchmark compute beside their GPU: comparisons, ratios, tables."""

import math

import pytest
import torch
import torchvision

from benchmarks.gpu_parts import kernel_numerics, kernel_speed, whole_network
from benchmarks.gpu_parts.calm_network import calm_network, make_picture
from benchmarks.gpu_parts.kernel_numerics import OFFSETS, compare_all, lines, relative_difference
from benchmarks.gpu_parts.kernel_speed_table import aims, ratios
from benchmarks.gpu_parts.kernel_speed_table import lines as speed_lines
from benchmarks.gpu_parts.layer import (
    GUARD,
    Shape,
    guard_is_whole,
    guarded,
    kernel_arguments,
    make_layer,
)
from benchmarks.gpu_parts.operators import RECIPE
from benchmarks.gpu_parts.part import NEEDS_GPU, Settings
from benchmarks.gpu_parts.precision import PRECISIONS, products
from benchmarks.gpu_parts.timing import matrix_rate
from training.deform_conv_kernels.tiles import TILES
from training.deform_conv_kernels.torch_operator import deform_conv2d
from training.models import upsnet
from training.recipe.reading import load_recipe

SMALL = (
    Shape(in_channels=32, out_channels=5, size=(6, 7)),
    Shape(in_channels=4, out_channels=3, size=(5, 9), batch=2, stride=2, dilation=2, padding=2),
)
SETTINGS = Settings(device='cpu', size=(96, 160), network_size=(96, 160), repeat=1)


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


def test_differences_are_shares_of_the_largest_value() -> None:
    assert relative_difference(torch.tensor([1.0, -3.5]), torch.tensor([1.0, -4.0])) == 0.125
    assert relative_difference(torch.tensor([0.5]), torch.tensor([0.0])) == 0.5
    assert math.isnan(relative_difference(torch.tensor([math.nan]), torch.tensor([1.0])))


@pytest.mark.parametrize('sort', OFFSETS)
def test_offsets_are_of_their_sort(sort: str) -> None:
    offset = kernel_numerics.with_offsets(make_layer(SMALL[0], 'float32', 'cpu'), sort).offset
    assert {
        'random': offset.std() > 1,
        'zero': not offset.any(),
        'whole': torch.equal(offset, offset.round()),
        'half': torch.equal(offset - 0.5, (offset - 0.5).round()),
        'border': set(offset.unique().tolist())
        <= set(torch.tensor([-1.0, -0.999999, 0, 0.999999, 1]).tolist()),
        'far': offset.abs().max() > 1e9 and bool(offset.isfinite().all()),
        'infinite': bool(
            offset.isposinf().any() and offset.isneginf().any() and not offset.isnan().any()
        ),
    }[sort]


def test_products_come_back_to_what_they_were() -> None:
    settings = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    before = [setting.fp32_precision for setting in settings]
    for precision, wanted in (('tf32', 'tf32'), ('float32', 'ieee'), ('float16', 'ieee')):
        with products(precision):
            assert [setting.fp32_precision for setting in settings] == [wanted, wanted]
    assert [setting.fp32_precision for setting in settings] == before


# --- layers


def test_shapes_know_the_size_of_their_result_and_its_products() -> None:
    layer = make_layer(SMALL[1], 'float32', 'cpu')
    tensors = (layer.x, layer.offset, layer.weight, layer.bias)
    y = torchvision.ops.deform_conv2d(*tensors, **layer.settings)
    assert tuple(y.shape[2:]) == SMALL[1].out_size
    assert SMALL[1].flop == 2 * 9 * 4 * y.numel()


@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last])
def test_guards_surround_a_tensor_and_a_write_outside_is_noticed(layout) -> None:
    values = torch.randn(2, 3, 4, 5).contiguous(memory_format=layout)
    copy = guarded(values)
    assert torch.equal(copy, values) and copy.is_contiguous(memory_format=layout)
    assert guard_is_whole(copy)
    around = copy.as_strided((values.numel() + 2 * GUARD,), (1,), 0)
    around[-GUARD] = 0.0
    assert not guard_is_whole(copy)


def test_arguments_are_laid_out_as_each_tile_reads_them() -> None:
    layer = make_layer(SMALL[0], 'float32', 'cpu')
    for tile in (tile for tile in TILES if tile.precision != 'float16'):
        x, weight, offset, bias = kernel_arguments(layer, tile).inputs
        layout = torch.channels_last if tile.channels_last else torch.contiguous_format
        assert x.is_contiguous(memory_format=layout) and torch.equal(x, layer.x)
        assert weight.shape == (3, 3, 5, 32) and offset is layer.offset and bias is layer.bias


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


def test_what_was_not_timed_gives_no_ratio() -> None:
    assert ratios({'torchvision': times(1, 1)}, 'tile', 1, 1.0) == {}
    figures = ratios({'tile': times(1, 1)}, 'other', 10**9, 1.0)
    assert set(figures) == {'best', 'best_of_peak'} and aims(figures) == 'aims not measured'


def test_matrix_rate_counts_products_and_sums() -> None:
    rate = matrix_rate('float32', times=fixed_times, side=100, device='cpu', repeat=1)
    assert rate == pytest.approx(2 * 100**3 / 1e-3 / 1e12)


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


def test_a_mode_that_fails_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepare(mode, model, picture):
        if mode.name == 'plain_float32':
            raise MemoryError('too little')
        return lambda: torch.full((1, 19, 2, 2), torch.nan)

    monkeypatch.setattr(whole_network, 'prepare', prepare)
    result = whole_network.measure_modes(load_recipe(RECIPE), SETTINGS)
    assert result['failures'] == [
        'plain_float32: MemoryError: too little',
        'wrapper_float32: logits that are no numbers',
    ]


def test_other_labels_than_the_references_are_a_complaint() -> None:
    mode = whole_network.Mode('graph_float16', 'float16')
    (text,) = whole_network.complaints(mode, {'finite': 1.0, 'labels_equal': 0.05})
    assert text == '5.0% of the pixels as in plain_float32, at least 80% expected'


def test_floor_is_that_of_the_products_alone() -> None:
    found = whole_network.floor({'modes': {'graph_float16': {'latency_ms': 4.0}}}, 550.0)
    assert found['floor_ms'] == pytest.approx(2.0)
    assert found['share_of_floor'] == {'graph_float16': pytest.approx(0.5)}
    mode = {'latency_ms': 4.0, 'peak_allocated_mb': 900.0, 'labels_equal': 0.991}
    text = whole_network.lines(found | {'modes': {'graph_float16': mode}})
    assert 'floor is 50% of it' in text[1] and 'peak 900 MB' in text[1]


def test_calm_networks_fit_half_precision_and_find_things() -> None:
    picture = make_picture((96, 160), 'cpu')
    model = calm_network(load_recipe(RECIPE), picture)
    largest = []
    hooks = [
        layer.register_forward_hook(lambda _, __, out: largest.append(out.abs().max().item()))
        for layer in model.modules()
        if isinstance(layer, torch.nn.Conv2d)
    ]
    pixels = model.normalise(picture.permute(0, 3, 1, 2))[0]
    found = whole_network.predict(model, pixels, image_size=(96, 160))
    assert len(largest) > len(hooks) / 2 and max(largest) < 1000
    assert len(found.boxes) > 5
    assert 1 < found.semantic_logits.std() < 9
    assert not any(layer.torchvision_always for layer in model.semantic_head.convs)


def test_products_alone_are_kept_in_half_precision() -> None:
    model = calm_network(load_recipe(RECIPE), make_picture((96, 160), 'cpu'))
    whole_network.keep_products_in_half(model)
    kinds = {name: parameter.dtype for name, parameter in model.named_parameters()}
    assert kinds['semantic_head.convs.0.weight'] == torch.float16
    assert kinds['semantic_head.convs.0.offset.weight'] == torch.float16
    norms = [n for n, m in model.named_modules() if isinstance(m, torch.nn.BatchNorm2d)]
    assert all(kinds.get(f'{name}.weight', torch.float32) == torch.float32 for name in norms)


def test_anchors_stay_on_the_device_while_a_network_is_timed() -> None:
    original = upsnet.level_anchors
    with whole_network.anchors_on('meta'):
        first = upsnet.level_anchors(4, torch.Size((3, 5)), scale=8.0)
        assert first.device.type == 'meta'
        assert upsnet.level_anchors(4, torch.Size((3, 5)), scale=8.0) is first
    assert upsnet.level_anchors is original
