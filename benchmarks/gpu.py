# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks and times on one device: our kernels, their PTX, operators, networks, training step.

python -m benchmarks.gpu --output benchmarks/results/NAME.json            on a GPU
python -m benchmarks.gpu --output tiny.json --size 160x96 --repeat 1  a quick run on a CPU

Every time stands beside a peer's of the same run; the table is printed last. A part that fails is
named there, the others still run, and the exit code is 1. On a GPU each part has a process of its
own; the parts are in ``benchmarks/gpu_parts``.
"""

import argparse
import json
import platform
import sys
from datetime import datetime, timezone
from pathlib import Path

import torch
import torchvision
import triton

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.gpu_parts import (  # noqa: E402 - after the path of this checkout
    frame,
    kernel_numerics,
    kernel_speed,
    kernel_speed_table,
    operators,
    ptx_launch,
    whole_network,
)
from benchmarks.gpu_parts.cuda_driver import CudaDriver, load_driver  # noqa: E402
from benchmarks.gpu_parts.part import (  # noqa: E402
    Part,
    Settings,
    failures,
    run_part,
    run_part_alone,
    table,
)

PARTS = (
    Part('numerics', kernel_numerics.measure, kernel_numerics.lines, needs_gpu=True),
    Part('ptx', ptx_launch.measure, ptx_launch.lines, needs_gpu=True),
    Part('kernel_speed', kernel_speed.measure, kernel_speed_table.lines, needs_gpu=True),
    Part('frame', frame.measure, frame.lines, needs_gpu=True),
    Part('whole_network', whole_network.measure, whole_network.lines, needs_gpu=True),
    Part('deform_conv', operators.bench_deform_conv),
    Part('roi_align', operators.bench_roi_align),
    Part('network', operators.bench_network),
    Part('training_step', operators.bench_training_step),
)


def environment(device: str) -> dict[str, str]:
    """What the figures were measured on."""
    found = {
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'device': platform.processor() or 'cpu',
        'threads': str(torch.get_num_threads()),
        'torch': torch.__version__,
        'torchvision': torchvision.__version__,
        'triton': triton.__version__,
        'python': platform.python_version(),
    }
    if device == 'cuda':
        major, minor = torch.cuda.get_device_capability()
        found |= {
            'device': torch.cuda.get_device_name(),
            'compute_capability': f'{major}.{minor}',
            'cuda': str(torch.version.cuda),
            'cuda_driver': CudaDriver(load_driver()).version(),
            'cudnn': str(torch.backends.cudnn.version()),
        }
    return found


def parse_size(text: str) -> tuple[int, int]:
    """Height and width of ``WxH``; both multiples of 32."""
    width, height = (int(part) for part in text.split('x'))
    if width % 32 or height % 32:
        raise argparse.ArgumentTypeError(f'{text}: expected multiples of 32, such as 640x320')
    return height, width


def parse_options(arguments: list[str] | None) -> argparse.Namespace:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog='python -m benchmarks.gpu',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--output', type=Path, required=True, help='JSON file of the results')
    parser.add_argument('--size', type=parse_size, default=(320, 640), help='WxH of small inputs')
    parser.add_argument(
        '--network-size', type=parse_size, default=(1024, 2048), help='WxH of UPSNet-50'
    )
    parser.add_argument('--repeat', type=int, default=10, help='timed calls of each kind')
    names = [part.name for part in PARTS]
    parser.add_argument('--parts', nargs='+', choices=names, default=names, help='default: all')
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--in-process', action='store_true', help='all parts in this process')
    where.add_argument('--alone', action='store_true', help='each in its own, on a CPU as well')
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    options = parse_options(arguments)
    settings = Settings(
        device='cuda' if torch.cuda.is_available() else 'cpu',
        size=options.size,
        network_size=options.network_size,
        repeat=options.repeat,
    )
    parts = [part for part in PARTS if part.name in options.parts]
    is_alone = options.alone or (settings.device == 'cuda' and not options.in_process)
    results = {}
    for part in parts:
        print(f'{part.name} ...', file=sys.stderr, flush=True)
        results[part.name] = (run_part_alone if is_alone else run_part)(part, settings)
    report = {'environment': environment(settings.device), 'settings': vars(settings)} | results
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(report, indent=2) + '\n')
    print('\n'.join(table(parts, results)))
    return 1 if failures(results) else 0


if __name__ == '__main__':
    raise SystemExit(main())
