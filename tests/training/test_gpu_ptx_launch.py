# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The shipped PTX texts through the CUDA driver's calls, held to NVIDIA's own header and numbers.

A library compiled with that header stands where the driver does: what it gets is what it would.
What a text computes on a GPU is computed by torchvision here.
"""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torchvision
import triton
from cuda.bindings import driver as nvidia

from benchmarks.gpu_parts import cuda_driver, ptx_launch
from benchmarks.gpu_parts.cuda_driver import CudaDriver, DriverError, load_driver
from benchmarks.gpu_parts.layer import KernelArguments, Shape, kernel_arguments, make_layer
from benchmarks.gpu_parts.ptx_launch import Device, measure_on, shapes_for
from training.deform_conv_kernels.launch import SCALARS, plan_launch
from training.deform_conv_kernels.ptx_store import read_store
from training.deform_conv_kernels.tiles import TILES

SOURCE = Path(__file__).parents[1] / 'fakes' / 'cuda_driver_stub.c'
HEADERS = Path(triton.__file__).parent / 'backends' / 'nvidia' / 'include'
KERNELS = read_store().kernels
KERNEL = KERNELS[0]
STREAM = 0x7F00_1234_5678_9AB0  # a handle needs all of its 64 bits
TIMED = Shape(in_channels=32, out_channels=4, size=(4, 5))


class Seen(ctypes.Structure):
    """The library's notes."""

    _fields_ = [
        ('sizes', ctypes.c_uint * 7),
        ('function', ctypes.c_void_p),
        ('stream', ctypes.c_void_p),
        ('pointers', ctypes.c_uint64 * 5),
        ('scalars', ctypes.c_int * len(SCALARS)),
        ('text', ctypes.c_char * 64),
        ('has_extra', ctypes.c_int),
    ]


@pytest.fixture(scope='module')
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The compiled stand-in of ``libcuda.so.1``."""
    compiler = shutil.which(os.environ.get('CC', 'cc')) or shutil.which('gcc')
    assert compiler, 'a C compiler is needed, as for setting the tests up'
    target = tmp_path_factory.mktemp('driver') / 'libcuda.so.1'
    command = [compiler, '-Wall', '-Werror', '-shared', '-fPIC', f'-I{HEADERS}', str(SOURCE)]
    subprocess.run([*command, '-o', str(target)], check=True)
    return ctypes.CDLL(str(target))


def by_torchvision(arguments: KernelArguments, *, error: float = 0.0) -> None:
    """What the kernel computes, for where there is no GPU."""
    c = arguments.convolution
    x, weight, offset, bias = (tensor.float() for tensor in arguments.inputs)
    y = torchvision.ops.deform_conv2d(
        *(x.contiguous(), offset, weight[..., : c.in_channels].permute(2, 3, 0, 1).contiguous()),
        *(bias, c.stride, c.padding, c.dilation),
    )
    arguments.y.copy_(y + error)


def fixed_times(call: Callable[[], None], *, repeat: int) -> dict[str, float]:
    call()
    return {'cold_ms': 2.0, 'warm_ms': 1.0}


def make_device(library: ctypes.CDLL, **changes: object) -> Device:
    values = {
        'name': 'cpu',
        'driver': CudaDriver(library),
        'stream': lambda: STREAM,
        'triton': by_torchvision,
        'times': fixed_times,
        'timed': TIMED,
    }
    return Device(**values | changes)


@pytest.mark.parametrize('kernel', KERNELS, ids=lambda kernel: kernel.tile.name)
def test_a_launch_arrives_as_the_plugin_says(library: ctypes.CDLL, kernel) -> None:
    device = make_device(library)
    loaded = device.driver.load(kernel.text, kernel.entry)
    layer = make_layer(shapes_for(kernel.tile)[1], kernel.tile.precision, 'cpu')
    arguments = kernel_arguments(layer, kernel.tile)
    ptx_launch.launch_text(device, kernel, loaded, arguments)
    device.driver.unload(loaded)
    plan = plan_launch(arguments.convolution, kernel.tile)
    seen = Seen.in_dll(library, 'seen')
    assert list(seen.sizes) == [*plan.grid, *plan.block, kernel.shared]
    assert (seen.function, seen.stream, seen.has_extra) == (0x7000_0000_2000, STREAM, 0)
    addresses = [tensor.data_ptr() for tensor in (*arguments.inputs, arguments.y)]
    assert list(seen.pointers) == addresses
    assert tuple(seen.scalars) == plan.scalars
    assert kernel.text.encode().startswith(seen.text)


def test_version_and_refusals_arrive_as_well(library: ctypes.CDLL) -> None:
    driver = CudaDriver(library)
    assert driver.version() == '13.2'
    with pytest.raises(DriverError, match='CUDA_ERROR_INVALID_PTX ptxas fatal : no entry$'):
        driver.load('no text', 'kernel')
    with pytest.raises(DriverError, match='cuModuleGetFunction failed: error 500$'):
        driver.load(KERNEL.text, 'another')


def test_without_a_driver_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, 'LIBRARY', 'libcuda_of_no_machine.so.1')
    with pytest.raises(DriverError, match='no CUDA driver .*nvidia-smi'):
        load_driver()


def test_numbers_of_options_and_errors_are_nvidias() -> None:
    options = nvidia.CUjit_option
    assert options.CU_JIT_ERROR_LOG_BUFFER == cuda_driver.JIT_ERROR_LOG
    assert options.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES == cuda_driver.JIT_ERROR_LOG_BYTES
    assert nvidia.CUresult.CUDA_SUCCESS == cuda_driver.SUCCESS


@pytest.fixture
def computing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets what is launched through the driver be computed."""
    launch = ptx_launch.launch_text

    def launch_and_compute(device, kernel, loaded, arguments) -> None:
        launch(device, kernel, loaded, arguments)
        by_torchvision(arguments)

    monkeypatch.setattr(ptx_launch, 'launch_text', launch_and_compute)


@pytest.fixture
def two_tiles(monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    """Leaves the first two of the shipped texts; their names."""
    store = replace(read_store(), kernels=KERNELS[:2])
    monkeypatch.setattr(ptx_launch, 'read_store', lambda: store)
    return tuple(kernel.tile.name for kernel in store.kernels)


def test_every_shipped_text_is_compared_and_timed(library: ctypes.CDLL, computing: None) -> None:
    result = measure_on(make_device(library), repeat=1)
    assert result['failures'] == []
    assert list(result['tiles']) == [tile.name for tile in TILES]
    for figures in result['tiles'].values():
        assert figures['writes_inside'] and figures['from_torchvision'] < 1e-3
        assert (figures['ptx_ms'], figures['triton_ms']) == (1.0, 1.0)
    text = ptx_launch.lines(result)
    assert len(text) == len(TILES) and text[0].startswith(TILES[0].name)


def test_a_text_that_writes_nothing_fails_by_name(library, two_tiles: tuple[str, str]) -> None:
    result = measure_on(make_device(library), repeat=1)
    assert tuple(result['tiles']) == two_tiles
    assert {text.split(':')[0] for text in result['failures']} == set(two_tiles)
    assert 'from_triton is nan' in result['failures'][0] and 'expected' in result['failures'][0]


def test_other_numbers_and_writes_outside_fail(library, two_tiles, computing: None) -> None:
    def wrong(arguments: KernelArguments) -> None:
        by_torchvision(arguments, error=0.1)
        around = arguments.y.as_strided((1,), (1,), 0)
        around[0] = 0.0

    failures = measure_on(make_device(library, triton=wrong), repeat=1)['failures']
    assert sum('writes outside of its tensor' in text for text in failures) == 2
    assert sum(': from_triton is' in text for text in failures) == 2


def test_a_tile_that_cannot_be_timed_stops_no_other(library, two_tiles, computing: None) -> None:
    calls = []

    def fail_once(call, *, repeat: int) -> dict[str, float]:
        calls.append(call)
        if len(calls) == 1:
            raise RuntimeError('the launch failed')
        return fixed_times(call, repeat=repeat)

    result = measure_on(make_device(library, times=fail_once), repeat=1)
    assert result['failures'] == [f'{two_tiles[0]}: RuntimeError: the launch failed']
    assert list(result['tiles']) == [two_tiles[1]]
