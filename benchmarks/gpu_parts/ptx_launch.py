# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The PTX texts shipped for TensorRT, launched through the CUDA driver as TensorRT would.

Grid, block, scalars and shared memory are the plugin's own (``plan_launch`` and the store). Every
text is compared with the kernel that Triton compiles for this GPU and with torchvision, and timed.
The two kernels are not the same instructions: Triton knows the GPU, the text is for sm_80.
"""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu_parts.cuda_driver import CudaDriver, LoadedKernel, load_driver
from benchmarks.gpu_parts.kernel_numerics import (
    FORWARD_LIMITS,
    reference_of,
    relative_difference,
)
from benchmarks.gpu_parts.layer import (
    KernelArguments,
    Shape,
    guard_is_whole,
    kernel_arguments,
    launch_with_triton,
    make_layer,
)
from benchmarks.gpu_parts.part import Result, Settings
from benchmarks.gpu_parts.timing import kernel_times
from training.deform_conv_kernels.launch import plan_launch
from training.deform_conv_kernels.ptx_store import CompiledKernel, read_store
from training.deform_conv_kernels.tiles import Tile

TIMED = Shape(in_channels=256, out_channels=128, size=(128, 256))


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the texts are run with; a test hands over other things than a GPU's.

    Attributes:
        name: PyTorch's name of the device.
        driver: The CUDA driver.
        stream: Gives the handle of the stream to launch on.
        triton: Launches the kernel that Triton compiles.
        times: Times of a call, as :func:`.timing.kernel_times`.
        timed: The layer that is timed.
    """

    name: str
    driver: CudaDriver
    stream: Callable[[], int]
    triton: Callable[[KernelArguments], None]
    times: Callable[..., dict[str, float]]
    timed: Shape = TIMED


def current_stream() -> int:
    """Handle of PyTorch's current stream."""
    return torch.cuda.current_stream().cuda_stream


def measure(settings: Settings) -> Result:
    """All shipped texts on this GPU."""
    torch.cuda.synchronize()  # creates the context that the driver takes
    device = Device(
        name=settings.device,
        driver=CudaDriver(load_driver()),
        stream=current_stream,
        triton=launch_with_triton,
        times=kernel_times,
    )
    return measure_on(device, repeat=settings.repeat)


def measure_on(device: Device, *, repeat: int) -> Result:
    """Differences and times by tile, and ``failures``."""
    result: Result = {'tiles': {}, 'failures': []}
    for kernel in read_store().kernels:
        name = kernel.tile.name
        try:
            loaded = device.driver.load(kernel.text, kernel.entry)
            figures = _compare(device, kernel, loaded)
            figures |= _time(device, kernel, loaded, repeat)
            device.driver.unload(loaded)
        except Exception as error:  # the other tiles must still be measured
            result['failures'].append(f'{name}: {type(error).__name__}: {error}'[:1000])
            continue
        result['tiles'][name] = figures
        result['failures'] += [f'{name}: {text}' for text in complaints(kernel.tile, figures)]
    return result


def shapes_for(tile: Tile) -> tuple[Shape, Shape]:
    """More pixels, channels in and out than the tile holds at once; then a stride as well."""
    channels = tile.channel_pass + tile.in_channels
    if not tile.even_channels:
        channels += 3
    out = tile.out_channels + 1
    return (
        Shape(in_channels=channels, out_channels=out, size=(9, 17), batch=2),
        Shape(in_channels=channels, out_channels=out, size=(13, 9), stride=2, dilation=2),
    )


def launch_text(
    device: Device, kernel: CompiledKernel, loaded: LoadedKernel, arguments: KernelArguments
) -> None:
    """Queue a text's kernel exactly as the plugin tells TensorRT to."""
    launch = plan_launch(arguments.convolution, arguments.tile)
    device.driver.launch(
        loaded,
        grid=launch.grid,
        block=launch.block,
        shared=kernel.shared,
        stream=device.stream(),
        parameters=pack_parameters(arguments.inputs, launch.scalars, arguments.y),
    )


def pack_parameters(
    inputs: tuple[Tensor, ...], scalars: tuple[int, ...], y: Tensor
) -> list[ctypes._SimpleCData]:
    """Addresses of 64 bits, integers of 32: inputs, scalars, output, as TensorRT passes them."""
    return [
        *(ctypes.c_uint64(tensor.data_ptr()) for tensor in inputs),
        *(ctypes.c_int32(scalar) for scalar in scalars),
        ctypes.c_uint64(y.data_ptr()),
    ]


def _compare(device: Device, kernel: CompiledKernel, loaded: LoadedKernel) -> dict[str, Any]:
    """Worst differences over the shapes, as shares of the largest value."""
    worst = {'from_triton': 0.0, 'from_torchvision': 0.0, 'triton_from_torchvision': 0.0}
    is_whole = True
    for shape in shapes_for(kernel.tile):
        layer = make_layer(shape, kernel.tile.precision, device.name)
        ours, theirs = (kernel_arguments(layer, kernel.tile) for _ in range(2))
        launch_text(device, kernel, loaded, ours)
        device.triton(theirs)
        reference = reference_of(layer)
        is_whole &= guard_is_whole(ours.y) and guard_is_whole(theirs.y)
        found = {
            'from_triton': relative_difference(ours.y, theirs.y),
            'from_torchvision': relative_difference(ours.y, reference),
            'triton_from_torchvision': relative_difference(theirs.y, reference),
        }
        worst |= {n: v if not v <= worst[n] else worst[n] for n, v in found.items()}
    return worst | {'writes_inside': is_whole}


def complaints(tile: Tile, figures: dict[str, Any]) -> list[str]:
    """What is wrong with the figures of a tile."""
    limit = FORWARD_LIMITS[tile.precision]
    found = [
        f'{name} is {figures[name]:.2g} of the largest value, at most {limit:.2g} expected'
        for name in ('from_triton', 'from_torchvision', 'triton_from_torchvision')
        if not figures[name] <= limit
    ]
    return found if figures['writes_inside'] else [*found, 'writes outside of its tensor']


def _time(
    device: Device, kernel: CompiledKernel, loaded: LoadedKernel, repeat: int
) -> dict[str, float]:
    """Times of the text and of Triton's kernel at one layer."""
    layer = make_layer(device.timed, kernel.tile.precision, device.name)
    arguments = kernel_arguments(layer, kernel.tile)
    text = device.times(lambda: launch_text(device, kernel, loaded, arguments), repeat=repeat)
    triton = device.times(lambda: device.triton(arguments), repeat=repeat)
    return {'ptx_ms': text['warm_ms'], 'triton_ms': triton['warm_ms']}


def lines(result: Result) -> list[str]:
    """One line for each tile."""
    return [
        f'{name:28} PTX {f["ptx_ms"]:8.4f} ms  Triton {f["triton_ms"]:8.4f} ms  difference '
        f'{f["from_triton"]:.1e}, from torchvision {f["from_torchvision"]:.1e}'
        for name, f in result['tiles'].items()
    ]
