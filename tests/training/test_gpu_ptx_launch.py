# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped PTX texts through a driver on the processor, which reads what a GPU would get."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torchvision

from benchmarks.gpu_parts import ptx_launch
from benchmarks.gpu_parts.cuda_driver import CudaDriver
from benchmarks.gpu_parts.layer import KernelArguments, Shape, kernel_arguments, make_layer
from benchmarks.gpu_parts.ptx_launch import Device, measure_on, shapes_for
from tests.fakes.fake_cuda_driver import FakeCudaDriver
from training.deform_conv_kernels.launch import plan_launch
from training.deform_conv_kernels.ptx_store import read_store
from training.deform_conv_kernels.tiles import TILES

TIMED = Shape(in_channels=32, out_channels=4, size=(4, 5))
STREAM = 77
KERNELS = read_store().kernels


def launch_by_torchvision(arguments: KernelArguments) -> None:
    """What Triton's kernel computes, for where there is no GPU."""
    c = arguments.convolution
    x, weight, offset, bias = (tensor.float() for tensor in arguments.inputs)
    y = torchvision.ops.deform_conv2d(
        *(x.contiguous(), offset, weight[..., : c.in_channels].permute(2, 3, 0, 1).contiguous()),
        *(bias, c.stride, c.padding, c.dilation),
    )
    arguments.y.copy_(y)


def fixed_times(call: Callable[[], None], *, repeat: int) -> dict[str, float]:
    call()
    return {'cold_ms': 2.0, 'warm_ms': 1.0}


def make_device(library: FakeCudaDriver, **changes) -> Device:
    values = {
        'name': 'cpu',
        'driver': CudaDriver(library),
        'stream': lambda: STREAM,
        'triton': launch_by_torchvision,
        'times': fixed_times,
        'timed': TIMED,
    }
    return Device(**values | changes)


@pytest.fixture
def two_tiles(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Leaves the first two of the shipped texts; their names."""
    store = replace(read_store(), kernels=KERNELS[:2])
    monkeypatch.setattr(ptx_launch, 'read_store', lambda: store)
    return tuple(kernel.tile.name for kernel in store.kernels)


def test_every_shipped_text_is_launched_as_the_plugin_says_and_compared() -> None:
    library = FakeCudaDriver()
    result = measure_on(make_device(library), repeat=1)
    assert result['failures'] == []
    assert list(result['tiles']) == [tile.name for tile in TILES]
    assert len(library.launches) == 3 * len(TILES)
    assert {launch.stream for launch in library.launches} == {STREAM}
    assert library.loaded == {}  # all were unloaded
    for figures in result['tiles'].values():
        assert figures['writes_inside'] and figures['from_torchvision'] < 1e-3
        assert (figures['ptx_ms'], figures['triton_ms']) == (1.0, 1.0)
    text = ptx_launch.lines(result)
    assert len(text) == len(TILES) and text[0].startswith(TILES[0].name)


@pytest.mark.parametrize('kernel', KERNELS, ids=lambda kernel: kernel.tile.name)
def test_parameters_are_those_of_the_launch_plan(kernel) -> None:
    library = FakeCudaDriver()
    device = make_device(library)
    layer = make_layer(shapes_for(kernel.tile)[1], kernel.tile.precision, 'cpu')
    arguments = kernel_arguments(layer, kernel.tile)
    loaded = device.driver.load(kernel.text, kernel.entry)
    ptx_launch.launch_text(device, kernel, loaded, arguments)
    (seen,) = library.launches
    plan = plan_launch(arguments.convolution, kernel.tile)
    assert (seen.grid, seen.block, seen.shared) == (plan.grid, plan.block, kernel.shared)
    addresses = [tensor.data_ptr() for tensor in (*arguments.inputs, arguments.y)]
    assert list(seen.arguments.values()) == [*addresses[:4], *plan.scalars, addresses[4]]


def test_wrong_numbers_of_the_texts_fail_by_name(two_tiles: tuple[str, str]) -> None:
    result = measure_on(make_device(FakeCudaDriver(error=0.1)), repeat=1)
    assert tuple(result['tiles']) == two_tiles
    assert {text.split(':')[0] for text in result['failures']} == set(two_tiles)
    assert 'from_triton is' in result['failures'][0] and 'expected' in result['failures'][0]


def test_nothing_written_and_writes_outside_fail(two_tiles: tuple[str, str]) -> None:
    def write_outside(arguments: KernelArguments) -> None:
        launch_by_torchvision(arguments)
        around = arguments.y.as_strided((1,), (1,), 0)
        around[0] = 0.0

    result = measure_on(make_device(FakeCudaDriver(), triton=write_outside), repeat=1)
    assert all('writes outside of its tensor' in text for text in result['failures'])
    assert len(result['failures']) == 2
    nothing = measure_on(make_device(FakeCudaDriver(), triton=lambda arguments: None), repeat=1)
    assert 'from_triton is nan' in nothing['failures'][0]


def test_a_tile_that_cannot_be_timed_stops_no_other(two_tiles: tuple[str, str]) -> None:
    calls = []

    def fail_once(call, *, repeat: int) -> dict[str, float]:
        calls.append(call)
        if len(calls) == 1:
            raise RuntimeError('the launch failed')
        return fixed_times(call, repeat=repeat)

    result = measure_on(make_device(FakeCudaDriver(), times=fail_once), repeat=1)
    assert result['failures'] == [f'{two_tiles[0]}: RuntimeError: the launch failed']
    assert list(result['tiles']) == [two_tiles[1]]
