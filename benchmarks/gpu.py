# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks and times on one device: operators, whole network, training step.

python -m benchmarks.gpu --output benchmarks/results/NAME.json            on a GPU
python -m benchmarks.gpu --output /tmp/tiny.json --size 160x96 --repeat 1  a quick run on a CPU

Every time stands beside a peer's of the same run; the table is printed last.
"""

import argparse
import json
import platform
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch
import torchvision
from torchvision.ops import deform_conv2d, roi_align

from benchmarks.training_step import time_steps
from training.build import build_model
from training.models.deform_conv import deform_conv2d_gather
from training.models.detections import predict
from training.models.roi_features import STRIDES, align_with_gather
from training.recipe.reading import load_recipe

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / 'config' / 'training' / 'upsnet_tiny_synthetic.yaml'


def median_ms(run: Callable[[], Any], *, repeat: int, device: str) -> float:
    """Median time of a call in milliseconds, the device's queue emptied before and after."""
    times = []
    for _ in range(repeat + 1):
        _wait(device)
        started = time.perf_counter()
        run()
        _wait(device)
        times.append(1e3 * (time.perf_counter() - started))
    return sorted(times[1:])[repeat // 2]


def _wait(device: str) -> None:
    if device == 'cuda':
        torch.cuda.synchronize()


def bench_deform_conv(size: tuple[int, int], *, repeat: int, device: str) -> dict[str, float]:
    """Deformable convolution at 1/4 of the input, forward and backward, beside torchvision's."""
    generator = torch.Generator().manual_seed(0)
    height, width = size[0] // 4, size[1] // 4

    def leaf(*shape: int, spread: float = 1.0) -> torch.Tensor:
        return (spread * torch.randn(*shape, generator=generator)).to(device).requires_grad_()

    x, weight, bias = leaf(1, 64, height, width), leaf(64, 64, 3, 3), leaf(64)
    offset = leaf(1, 18, height, width, spread=2.0)
    inputs = (x, offset, weight, bias)

    def theirs() -> torch.Tensor:
        return deform_conv2d(x, offset, weight, bias, padding=1)

    def train(run: Callable[[], torch.Tensor]) -> Callable[[], Any]:
        return lambda: torch.autograd.grad(run().square().mean(), inputs)

    result = {
        'torchvision_forward_ms': median_ms(theirs, repeat=repeat, device=device),
        'torchvision_train_ms': median_ms(train(theirs), repeat=repeat, device=device),
    }
    if device == 'cpu':

        def ours() -> torch.Tensor:
            return deform_conv2d_gather(x, offset, weight, bias)

        result |= {
            'largest_difference': (ours() - theirs()).abs().max().item(),
            'gather_forward_ms': median_ms(ours, repeat=repeat, device=device),
            'gather_train_ms': median_ms(train(ours), repeat=repeat, device=device),
        }
    return result


def bench_roi_align(size: tuple[int, int], *, repeat: int, device: str) -> dict[str, float]:
    """RoIAlign 14x14 of 100 regions, forward and backward, beside torchvision's (one level)."""
    generator = torch.Generator().manual_seed(0)
    level = torch.randn(1, 64, size[0] // 4, size[1] // 4, generator=generator).to(device)
    level.requires_grad_()
    corner = torch.rand(100, 2, generator=generator) * torch.tensor([size[1] / 2, size[0] / 2])
    side = 8 + torch.rand(100, 2, generator=generator) * 48
    boxes = torch.cat((corner, corner + side), dim=1).to(device)

    def theirs() -> Any:
        out = roi_align(level, [boxes], 14, 1 / STRIDES[0], sampling_ratio=2)
        return out, torch.autograd.grad(out.sum(), level)

    result = {'torchvision_train_ms': median_ms(theirs, repeat=repeat, device=device)}
    if device == 'cpu':
        images = torch.zeros(len(boxes), dtype=torch.long)
        levels = torch.zeros(len(boxes), dtype=torch.long)

        def ours() -> Any:
            out = align_with_gather((level,), boxes, images, levels, 14, strides=STRIDES[:1])
            return out, torch.autograd.grad(out.sum(), level)

        result |= {
            'largest_difference': (ours()[0] - theirs()[0]).abs().max().item(),
            'gather_train_ms': median_ms(ours, repeat=repeat, device=device),
        }
    return result


def bench_network(size: tuple[int, int], *, repeat: int, device: str) -> dict[str, float]:
    """Whole-network latency of the demo model's recipe with random weights."""
    torch.manual_seed(0)
    model = build_model(load_recipe(RECIPE)).eval().to(device)
    image = torch.randn(3, *size, device=device) * 50
    result = {}
    for name, dtype in (('float32', None), ('bfloat16', torch.bfloat16)):

        def run() -> Any:
            with torch.autocast(device, dtype, enabled=dtype is not None):  # noqa: B023
                return predict(model, image, image_size=size)

        result[f'{name}_ms'] = median_ms(run, repeat=repeat, device=device)
    return result


def environment(device: str) -> dict[str, str]:
    """What the figures were measured on."""
    name = torch.cuda.get_device_name() if device == 'cuda' else platform.processor() or 'cpu'
    return {
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'device': name,
        'threads': str(torch.get_num_threads()),
        'torch': torch.__version__,
        'torchvision': torchvision.__version__,
        'python': platform.python_version(),
    }


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of ``WxH``; both multiples of 32."""
    width, height = (int(part) for part in text.split('x'))
    if width % 32 or height % 32:
        raise argparse.ArgumentTypeError(f'{text}: expected multiples of 32, such as 640x320')
    return height, width


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(prog='python -m benchmarks.gpu', description=__doc__)
    parser.add_argument('--output', type=Path, required=True, help='JSON file of the results')
    parser.add_argument('--size', type=parse_size, default=(320, 640), help='WxH of the input')
    parser.add_argument('--repeat', type=int, default=10, help='timed calls of each kind')
    options = parser.parse_args(arguments)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    settings = {'repeat': options.repeat, 'device': device}
    results = {
        'deform_conv': bench_deform_conv(options.size, **settings),
        'roi_align': bench_roi_align(options.size, **settings),
        'network': bench_network(options.size, **settings),
        'training_step': time_steps(options.size, device, options.repeat),
    }
    report = {'environment': environment(device), 'size': options.size} | results
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + '\n')
    for group, values in results.items():
        for name, value in values.items():
            print(f'{group:14}{name:26}{value:12.4g}')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
