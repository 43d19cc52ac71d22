# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node costs beside the network: stamp-to-label age over real DDS, beside a bare node.

The network is left out: both answer with a label image that is ready. The bare node is as little
as rclpy takes: an image in, a 16UC1 image of the same size and header out. Cameras, node and
reader are processes of their own; the two nodes run one after the other on the same cameras.
Processor time is that from the first image on, without the start of the process; peak memory is
that of its whole life.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.node_parts.processes import python_process  # noqa: E402 - after the path
from benchmarks.node_parts.transport_processes import QUIET_S, START_S  # noqa: E402
from benchmarks.node_parts.transport_scenario import SCENARIOS, Scenario  # noqa: E402
from upsnet_ros.node.process import peak_resident_bytes  # noqa: E402

MOST_AGE_RATIO = 1.5  # of the 95th percentiles
PROCESSES = 'benchmarks.node_parts.transport_processes'
MB = 1e6

Figures = dict[str, float]


def processor_s(process: psutil.Process) -> float:
    """Seconds of processor time that a process has used."""
    times = process.cpu_times()
    return times.user + times.system


def measure(scenario: Scenario, role: str, frames: int, folder: Path) -> Figures:
    """Run cameras, reader and one of the nodes."""
    ages_path = folder / f'{scenario.name}_{role}.json'
    ages_path.unlink(missing_ok=True)

    def command(what: str, *more: str) -> list[str]:
        return ['-m', PROCESSES, what, scenario.name, *more]

    with (
        python_process(command(role)) as node,
        python_process(command('reader', '--output', str(ages_path))) as reader,
        python_process(command('cameras', '--frames', str(frames)), pipe_output=True) as cameras,
    ):
        process = psutil.Process(node.pid)
        if cameras.stdout.readline().strip() != 'begin':
            raise SystemExit(f'{scenario.name}: the cameras failed')
        before_s = processor_s(process)
        if cameras.wait(START_S + frames / scenario.rate * 2):
            raise SystemExit(f'{scenario.name}: the cameras failed')
        used_s = processor_s(process) - before_s
        peak = peak_resident_bytes(Path(f'/proc/{node.pid}/status'))
        reader.wait(START_S + QUIET_S + 10)
    return figures(json.loads(ages_path.read_text()), frames * scenario.cameras) | {
        'cpu_ms_per_frame': 1e3 * used_s / (frames * scenario.cameras),
        'peak_mb': peak / MB,
    }


def figures(ages_ms: list[float], sent: int) -> Figures:
    """How many of the images sent got no label, and the ages of the labels [ms]."""
    if not ages_ms:
        raise SystemExit('not one label image arrived')
    p50, p95, p99 = np.percentile(ages_ms, [50, 95, 99]).tolist()
    return {
        'lost': sent - len(ages_ms),
        'age_ms_p50': p50,
        'age_ms_p95': p95,
        'age_ms_p99': p99,
    }


def comparison(bare: Figures, ours: Figures) -> dict[str, Any]:
    """Both nodes, how many times as much ours takes, and what is wrong with that."""
    age = ours['age_ms_p95'] / bare['age_ms_p95']
    failures = []
    if ours['lost']:
        failures.append(f'{ours["lost"]:.0f} frames lost, expected none')
    if age > MOST_AGE_RATIO:
        failures.append(f'age p95 {age:.2f} times that of the bare node, limit {MOST_AGE_RATIO}')
    return {
        'bare': bare,
        'ours': ours,
        'age_p95_ratio': age,
        'cpu_ratio': ours['cpu_ms_per_frame'] / bare['cpu_ms_per_frame'],
        'peak_ratio': ours['peak_mb'] / bare['peak_mb'],
        'failures': failures,
    }


def table(name: str, found: Mapping[str, Any]) -> str:
    """The comparison of one scenario in lines of text."""
    lines = [
        f'{name:20}{"lost":>7}{"p50":>8}{"p95":>8}{"p99 ms":>8}{"CPU ms/frame":>14}{"peak MB":>9}'
    ]
    for role in ('bare', 'ours'):
        row = found[role]
        lines.append(
            f'  {role:18}{row["lost"]:7.0f}{row["age_ms_p50"]:8.1f}{row["age_ms_p95"]:8.1f}'
            f'{row["age_ms_p99"]:8.1f}{row["cpu_ms_per_frame"]:14.2f}{row["peak_mb"]:9.0f}'
        )
    lines.append(
        f'  {"ours over bare":18}{"":15}{found["age_p95_ratio"]:8.2f}{"":8}'
        f'{found["cpu_ratio"]:14.2f}{found["peak_ratio"]:9.2f}'
    )
    return '\n'.join(lines + [f'  FAILED: {text}' for text in found['failures']])


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, required=True, help='JSON file of the results')
    parser.add_argument('--frames', type=int, default=1000, help='of each camera (default: 1000)')
    parser.add_argument('--scenario', choices=SCENARIOS, help='only this one')
    options = parser.parse_args(arguments)
    chosen = [SCENARIOS[options.scenario]] if options.scenario else list(SCENARIOS.values())
    folder = options.output.parent
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = {'frames': options.frames, 'python': platform.python_version()}
    is_good = True
    for scenario in chosen:
        bare, ours = (measure(scenario, role, options.frames, folder) for role in ('bare', 'ours'))
        found = comparison(bare, ours)
        results[scenario.name] = found
        is_good = is_good and not found['failures']
        print(table(scenario.name, found), flush=True)
    options.output.write_text(json.dumps(results, indent=2) + '\n')
    return 0 if is_good else 1


if __name__ == '__main__':
    sys.exit(main())
