# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The operators that training needs, forward and backward, and the demo model's network.

These run on CPUs too, where our own formulations stand beside torchvision's.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torchvision
from torchvision.ops import roi_align

from benchmarks.gpu_parts.part import ROOT, Result, Settings
from benchmarks.gpu_parts.timing import median_ms
from benchmarks.training_step import time_steps
from training.build import build_model
from training.models.deform_conv import deform_conv2d_gather, our_operator
from training.models.detections import predict
from training.models.roi_features import STRIDES, align_with_gather
from training.recipe.reading import load_recipe

RECIPE: Path = ROOT / 'config' / 'training' / 'upsnet_tiny_synthetic.yaml'


def bench_deform_conv(settings: Settings) -> Result:
    """Deformable convolution at 1/4 of the input, forward and backward, beside torchvision's."""
    generator = torch.Generator().manual_seed(0)
    device, (height, width) = settings.device, (side // 4 for side in settings.size)

    def leaf(*shape: int, spread: float = 1.0) -> torch.Tensor:
        return (spread * torch.randn(*shape, generator=generator)).to(device).requires_grad_()

    x, weight, bias = leaf(1, 64, height, width), leaf(64, 64, 3, 3), leaf(64)
    offset = leaf(1, 18, height, width, spread=2.0)
    inputs = (x, offset, weight, bias)

    def theirs() -> torch.Tensor:
        return torchvision.ops.deform_conv2d(*inputs, padding=1)

    def ours() -> torch.Tensor:
        if device == 'cpu':
            return deform_conv2d_gather(*inputs)
        return our_operator()(*inputs, padding=(1, 1))

    def train(run: Callable[[], torch.Tensor]) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(run().square().mean(), inputs)

    names = {'torchvision': theirs, 'gather' if device == 'cpu' else 'kernel': ours}
    result = {'largest_difference': (ours() - theirs()).abs().max().item()}
    for name, run in names.items():
        timing = {'repeat': settings.repeat, 'device': device}
        result[f'{name}_forward_ms'] = median_ms(run, **timing)
        result[f'{name}_train_ms'] = median_ms(train(run), **timing)
    return result


def bench_roi_align(settings: Settings) -> Result:
    """RoIAlign 14x14 of 100 regions, forward and backward, beside torchvision's (one level)."""
    generator = torch.Generator().manual_seed(0)
    device, size = settings.device, settings.size
    level = torch.randn(1, 64, size[0] // 4, size[1] // 4, generator=generator).to(device)
    level.requires_grad_()
    corner = torch.rand(100, 2, generator=generator) * torch.tensor([size[1] / 2, size[0] / 2])
    side = 8 + torch.rand(100, 2, generator=generator) * 48
    boxes = torch.cat((corner, corner + side), dim=1).to(device)

    def theirs() -> Any:
        out = roi_align(level, [boxes], 14, 1 / STRIDES[0], sampling_ratio=2)
        return out, torch.autograd.grad(out.sum(), level)

    timing = {'repeat': settings.repeat, 'device': device}
    result = {'torchvision_train_ms': median_ms(theirs, **timing)}
    if device == 'cpu':
        images = torch.zeros(len(boxes), dtype=torch.long)
        levels = torch.zeros(len(boxes), dtype=torch.long)

        def ours() -> Any:
            out = align_with_gather((level,), boxes, images, levels, 14, strides=STRIDES[:1])
            return out, torch.autograd.grad(out.sum(), level)

        result |= {
            'largest_difference': (ours()[0] - theirs()[0]).abs().max().item(),
            'gather_train_ms': median_ms(ours, **timing),
        }
    return result


def bench_network(settings: Settings) -> Result:
    """Latency of the demo model's recipe with random weights."""
    torch.manual_seed(0)
    device, size = settings.device, settings.size
    model = build_model(load_recipe(RECIPE)).eval().to(device)
    image = torch.randn(3, *size, device=device) * 50
    result = {}
    for name, dtype in (('float32', None), ('bfloat16', torch.bfloat16)):

        def run() -> Any:
            with torch.autocast(device, dtype, enabled=dtype is not None):  # noqa: B023
                return predict(model, image, image_size=size)

        result[f'{name}_ms'] = median_ms(run, repeat=settings.repeat, device=device)
    return result


def bench_training_step(settings: Settings) -> Result:
    """A training step of UPSNet-50 beside torchvision's Mask R-CNN."""
    return time_steps(settings.size, settings.device, settings.repeat)
