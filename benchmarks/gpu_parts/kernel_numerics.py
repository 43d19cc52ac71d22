# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Our operator's numbers beside torchvision's, forward and backward, with offsets of every sort.

The reference is torchvision in float32 on the same (rounded) tensors. Torchvision's own half
precision, which rounds coordinates too, stands beside ours. The backward pass is torchvision's in
both: what is compared is that it is called rightly and added up in float32.
"""

from collections.abc import Callable
from dataclasses import replace

import torch
import torchvision
from torch import Tensor

from benchmarks.gpu_parts.layer import Layer, Shape, make_layer
from benchmarks.gpu_parts.part import Result, Settings
from benchmarks.gpu_parts.precision import PRECISIONS, products
from training.deform_conv_kernels.torch_operator import deform_conv2d

# Largest difference, as a share of the largest value. float32: another order of 2304 sums; tf32:
# factors of 10 bits; halves: samples and results of 11 bits.
FORWARD_LIMITS = {'float32': 1e-5, 'tf32': 3e-3, 'float16': 1.5e-3}
BACKWARD_LIMITS = {'float32': 1e-4, 'float16': 1e-3}  # torchvision adds up in any order
SHAPES = (
    Shape(in_channels=256, out_channels=128, size=(64, 128)),
    Shape(in_channels=128, out_channels=128, size=(33, 47), batch=2),
    Shape(in_channels=40, out_channels=17, size=(9, 13), batch=3, stride=2, dilation=2, padding=2),
    Shape(in_channels=32, out_channels=8, size=(1, 1)),
)
OFFSETS = ('random', 'zero', 'whole', 'half', 'border', 'far', 'infinite')
NO_GRADIENT = ('infinite',)  # torchvision's gradient of an infinite offset is no number
GRADIENTS = ('x', 'offset', 'weight', 'bias')

Operator = Callable[..., Tensor]


def with_offsets(layer: Layer, sort: str) -> Layer:
    """The layer with offsets of another sort, made from its random ones."""
    drawn = layer.offset
    near = drawn.new_tensor([-1.0, -0.999999, 0.0, 0.999999, 1.0])
    made = {
        'random': lambda: drawn,
        'zero': lambda: torch.zeros_like(drawn),
        'whole': drawn.round,
        'half': lambda: drawn.round() + 0.5,
        'border': lambda: near[(drawn.abs() * 100).long() % len(near)],
        'far': lambda: drawn * 10.0 ** ((drawn.abs() * 100).long() % 12),
        'infinite': lambda: torch.where(drawn.abs() > 1, drawn * torch.inf, drawn),
    }
    return replace(layer, offset=made[sort]())


def measure(settings: Settings) -> Result:
    """All shapes, precisions and sorts of offsets."""
    return compare_all(SHAPES, settings.device, ours=deform_conv2d)


def compare_all(shapes: tuple[Shape, ...], device: str, *, ours: Operator) -> Result:
    """Largest differences by precision, direction and sort of offsets.

    Args:
        shapes: Layers.
        device: Where they are computed.
        ours: The operator under test, called as torchvision's.

    Returns:
        ``forward`` and ``backward`` by precision, then sort of offsets, and ``failures``.
    """
    result: Result = {'forward': {}, 'backward': {}, 'failures': []}
    for precision in PRECISIONS:
        for shape in shapes:
            layer = make_layer(shape, precision, device)
            for sort in OFFSETS:
                with products(precision):
                    _compare(with_offsets(layer, sort), precision, sort, ours, result)
    return result


def _compare(layer: Layer, precision: str, sort: str, ours: Operator, result: Result) -> None:
    """Compare one layer, and keep the worst of each kind."""
    found = {'forward': forward_differences(layer, ours)}
    limits = {'forward': FORWARD_LIMITS[precision], 'backward': BACKWARD_LIMITS.get(precision)}
    if limits['backward'] is not None and sort not in NO_GRADIENT:
        found['backward'] = backward_differences(layer, ours)
    for direction, differences in found.items():
        worst = result[direction].setdefault(precision, {}).setdefault(sort, {})
        for name, value in differences.items():
            worst[name] = _larger(worst.get(name, 0.0), value)
            if name != 'torchvision' and not value <= limits[direction]:
                result['failures'].append(
                    f'{direction} {precision}, {sort} offsets, {layer.shape.name}: {name} '
                    f'differs by {value:.2g} of the largest value, expected at most '
                    f'{limits[direction]:.2g}'
                )


def _larger(first: float, second: float) -> float:
    """The larger number; one that is none wins."""
    return first if first >= second or first != first else second


def relative_difference(value: Tensor, reference: Tensor) -> float:
    """Largest difference over the reference's largest value; no number if one of them is none."""
    largest = reference.float().abs().max().item()
    difference = (value.float() - reference.float()).abs().max().item()
    return difference / largest if largest else difference


@torch.no_grad()
def reference_of(layer: Layer) -> Tensor:
    """Torchvision's result in float32 with unrounded products."""
    tensors = (layer.x.float(), layer.offset, layer.weight.float(), layer.bias.float())
    with products('float32'):
        return torchvision.ops.deform_conv2d(*tensors, **layer.settings)


@torch.no_grad()
def forward_differences(layer: Layer, ours: Operator) -> dict[str, float]:
    """Of our result, and of torchvision's in the layer's own precision."""
    reference = reference_of(layer)
    own = (layer.x, layer.offset.to(layer.x.dtype), layer.weight, layer.bias)
    theirs = torchvision.ops.deform_conv2d(*own, **layer.settings)
    mine = ours(layer.x, layer.offset, layer.weight, layer.bias, **layer.settings)
    return {
        'ours': relative_difference(mine, reference),
        'torchvision': relative_difference(theirs, reference),
    }


def backward_differences(layer: Layer, ours: Operator) -> dict[str, float]:
    """Of our gradients of all four tensors from torchvision's in float32."""
    tensors = [t.detach() for t in (layer.x, layer.offset, layer.weight, layer.bias)]
    own = [t.requires_grad_() for t in tensors]
    exact = [t.detach().float().requires_grad_() for t in tensors]
    y = ours(*own, **layer.settings)
    with products('float32'):
        reference = torchvision.ops.deform_conv2d(*exact, **layer.settings)
    generator = torch.Generator(y.device).manual_seed(1)
    seed = torch.randn(y.shape, device=y.device, generator=generator).to(y.dtype)
    mine = torch.autograd.grad(y, own, seed)
    theirs = torch.autograd.grad(reference, exact, seed.float())
    pairs = zip(GRADIENTS, mine, theirs, strict=True)
    return {name: relative_difference(one, other) for name, one, other in pairs}


def lines(result: Result) -> list[str]:
    """The worst over all offsets, one line for each direction and precision."""
    out = []
    for direction in ('forward', 'backward'):
        for precision, sorts in result[direction].items():
            names = list(next(iter(sorts.values())))
            worst = {n: 0.0 for n in names}
            for differences in sorts.values():
                worst |= {n: _larger(worst[n], differences[n]) for n in names}
            figures = '  '.join(f'{name} {value:.1e}' for name, value in worst.items())
            out.append(f'{direction:9}{precision:8} largest difference: {figures}')
    return out
