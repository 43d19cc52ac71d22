# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Our kernel beside torchvision's and beside cuDNN's dense convolution of the same shape.

All at the sizes of UPSNet-50's semantic head on 1024x2048 images, in one run, each as a CUDA
graph: what the processor takes to queue a call is in no figure. Every tile that fits is timed;
``chosen`` is what the PyTorch operator takes without trying, ``best`` the fastest.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
import torchvision

from benchmarks.gpu_parts.kernel_speed_table import ratios
from benchmarks.gpu_parts.layer import (
    Layer,
    Shape,
    kernel_arguments,
    launch_with_triton,
    make_layer,
)
from benchmarks.gpu_parts.part import Result, Settings
from benchmarks.gpu_parts.precision import PRECISIONS, products
from benchmarks.gpu_parts.timing import FLUSH_BYTES, kernel_times, matrix_rate
from training.deform_conv_kernels.kernel_call import choose_tile
from training.deform_conv_kernels.tiles import TILES
from training.deform_conv_kernels.torch_operator import deform_conv2d

CHANNELS = ((256, 128), (128, 128))
SIZES = ((256, 512), (128, 256), (64, 128), (32, 64))
SHAPES = tuple(
    Shape(in_channels=into, out_channels=out, size=size)
    for into, out in CHANNELS
    for size in SIZES
)

Call = Callable[[], Any]
Times = Callable[..., dict[str, float]]


def measure(settings: Settings) -> Result:
    """All shapes and precisions on this GPU."""
    benchmark = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True  # cuDNN, too, takes its fastest
    try:
        return measure_shapes(SHAPES, settings.device, repeat=settings.repeat)
    finally:
        torch.backends.cudnn.benchmark = benchmark


def measure_shapes(
    shapes: tuple[Shape, ...],
    device: str,
    *,
    repeat: int,
    times: Times = kernel_times,
    rate: Callable[[str], float] = matrix_rate,
) -> Result:
    """Times by precision and shape.

    Args:
        shapes: Layers.
        device: Where they are computed.
        repeat: Samples of each time.
        times: Measures a call.
        rate: Measures the matrix rate of a precision in TFLOP/s.
    """
    result: Result = {
        'method': f'CUDA graphs between events; cold_ms after {FLUSH_BYTES >> 20} MiB were '
        'written, warm_ms one call after another; medians',
        'matrix_tflops': {precision: rate(precision) for precision in PRECISIONS},
        'layers': {precision: {} for precision in PRECISIONS},
        'failures': [],
    }
    for precision in PRECISIONS:
        for shape in shapes:
            layer = make_layer(shape, precision, device)
            with torch.no_grad(), products(precision):
                taken, wrong = _time_all(calls(layer, precision), partial(times, repeat=repeat))
            chosen = choose_tile(layer.convolution, precision).name
            figures = {'chosen': chosen, 'times': taken}
            figures |= ratios(taken, chosen, shape.flop, result['matrix_tflops'][precision])
            result['layers'][precision][shape.name] = figures
            result['failures'] += [f'{precision} {shape.name} {text}' for text in wrong]
    return result


def calls(layer: Layer, precision: str) -> dict[str, Call]:
    """What is timed, by name: the peers, our operator, and every tile that fits."""
    x, offset, weight, bias = layer.x, layer.offset, layer.weight, layer.bias
    last = torch.channels_last
    x_last, weight_last = x.contiguous(memory_format=last), weight.contiguous(memory_format=last)
    own_offset = offset.to(x.dtype)  # torchvision takes tensors of one type only
    found: dict[str, Call] = {
        'torchvision': lambda: torchvision.ops.deform_conv2d(
            x, own_offset, weight, bias, padding=(1, 1)
        ),
        'dense': lambda: F.conv2d(x, weight, bias, padding=1),
        'dense_channels_last': lambda: F.conv2d(x_last, weight_last, bias, padding=1),
        'operator': lambda: deform_conv2d(x_last, offset, weight, bias, padding=(1, 1)),
    }
    s = layer.shape
    for tile in TILES:
        if tile.precision == precision and tile.fits(s.in_channels, 1, 1):
            arguments = kernel_arguments(layer, tile)
            found[tile.name] = partial(launch_with_triton, arguments)
    return found


def _time_all(
    called: dict[str, Call], times: Times
) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Times by name, and what failed; one that fails stops no other."""
    taken, wrong = {}, []
    for name, call in called.items():
        try:
            taken[name] = times(call)
        except Exception as error:  # for example a tile that this GPU cannot hold
            wrong.append(f'{name}: {type(error).__name__}: {error}'[:1000])
    return taken, wrong
