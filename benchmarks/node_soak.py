# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether the node's memory stays: as many images as it answers in ten minutes, over real DDS.

Four cameras of 1280x720, two of them compressed, each send their next image when the last one was
answered, so the node is never idle. All outputs are read, parameters change, and the node is
deactivated or unconfigured and brought back every so often. The network is left out first; a
second, shorter run has the shipped model in its place.

What the node's process holds is sampled all the time. The median of the last tenth is compared
with that of the second: memory may grow by less than 1 %, threads and open descriptors not at
all. Every image must be answered, or counted as lost by the node.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.node_parts.process_growth import (  # noqa: E402 - after the path
    Sample,
    growth_failures,
    growths,
    take_sample,
)
from benchmarks.node_parts.processes import python_process  # noqa: E402
from benchmarks.node_parts.soak_client import SoakClient  # noqa: E402
from benchmarks.node_parts.soak_images import soak_cameras  # noqa: E402
from upsnet_ros.dds_domain import own_domain  # noqa: E402
from upsnet_ros.node.process import peak_resident_bytes  # noqa: E402

SOAK_NODE = ('-m', 'benchmarks.node_parts.soak_node')
CAMERA_HZ = 10.0  # of the camera whose hours are counted
MB = 1e6
BAR = '{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}'
PARAMETERS = (
    {'overlay_alpha': 0.3, 'overlay_scale': 0.5, 'publish_semantic': False},
    {'overlay_rate': 5.0, 'score_threshold': 0.7, 'publish_instances': False},
    {'publish_semantic': True, 'publish_instances': True, 'publish_timing': False},
    {'overlay_alpha': 0.5, 'overlay_scale': 1.0, 'overlay_rate': 0.0, 'score_threshold': 0.5}
    | {'publish_timing': True},
)


@dataclass(frozen=True)
class Plan:
    """When what happens, in seconds under load: the time that lifecycle cycles take is extra.

    Attributes:
        duration: of the whole.
        sample: between two samples.
        parameters: between two changes of parameters.
        lifecycle: between two lifecycle cycles.
    """

    duration: float
    sample: float
    parameters: float
    lifecycle: float

    @classmethod
    def of(cls, duration: float) -> Plan:
        """The plan of a run of this length, in which the same happens in every tenth of it."""
        return cls(
            duration,
            sample=max(0.05, duration / 300),
            parameters=max(0.3, duration / 120),
            lifecycle=max(1.5, duration / 40),
        )


class Soak:
    """One run.

    Attributes:
        samples: of the node's process.
        cycles: how often the node was deactivated and brought back.

    Args:
        client: drives the node.
        process: of the node.
        plan: when what happens.
    """

    def __init__(self, client: SoakClient, process: psutil.Process, plan: Plan) -> None:
        self.samples: list[Sample] = []
        self.cycles = 0
        self._client = client
        self._process = process
        self._plan = plan
        self._parameters = cycle(PARAMETERS)

    def run(self, progress: tqdm) -> None:
        """Everything in its time; the node is left unconfigured."""
        client, plan = self._client, self._plan
        client.change_state('configure')
        client.activate()
        actions: dict[Callable[[float], None], float] = {
            self._sample: plan.sample,
            self._change_parameters: plan.parameters,
            self._cycle: plan.lifecycle,
        }
        due = dict(actions)
        loaded = 0.0
        while loaded < plan.duration:
            action = min(due, key=due.get)
            span = due[action] - loaded
            client.pump(span)
            loaded = due[action]
            action(loaded)
            due[action] += actions[action]
            progress.set_postfix_str(f'{client.accounts.sent} images', refresh=False)
            progress.update(min(span, plan.duration - progress.n))
        client.deactivate()
        client.clean_up()

    def _sample(self, seconds: float) -> None:
        """Between two images; those on their way would else count as what the node holds."""
        self._client.drain()
        self.samples.append(take_sample(self._process, seconds))

    def _change_parameters(self, seconds: float) -> None:
        self._client.set_parameters(**next(self._parameters))

    def _cycle(self, seconds: float) -> None:
        """Deactivate and activate; every second time the model is loaded anew in between."""
        self._client.deactivate()
        if self.cycles % 2:
            self._client.clean_up()
            self._client.change_state('configure')
        self._client.activate()
        self.cycles += 1


def soak(name: str, command: Sequence[str], plan: Plan) -> dict[str, Any]:
    """Run a node and everything around it.

    Args:
        name: for the progress bar.
        command: the node, arguments of the interpreter.
        plan: when what happens.

    Returns:
        The figures, with what is wrong with them under `failures`.
    """
    cameras = soak_cameras()
    names = ', '.join(f"'{camera.name}'" for camera in cameras)
    arguments = ['--ros-args', '--log-level', 'warn', '-p', 'autostart:=false']
    arguments += ['-p', f'camera_names:=[{names}]']
    with python_process([*command, *arguments]) as node:
        client = SoakClient(cameras, domain=own_domain())
        try:
            run = Soak(client, psutil.Process(node.pid), plan)
            with tqdm(total=plan.duration, desc=name, bar_format=BAR) as progress:
                run.run(progress)
            peak = peak_resident_bytes(Path(f'/proc/{node.pid}/status'))
        finally:
            client.close()
    found = growths(run.samples)
    frames = client.accounts.counted['processed']
    return {
        'plan': asdict(plan),
        'frames': frames,
        'frames_per_s': frames / plan.duration,
        f'hours_at_{CAMERA_HZ:g}_hz': frames / CAMERA_HZ / 3600,
        'lifecycle_cycles': run.cycles,
        'peak_mb': peak / MB,
        **client.accounts.as_fields(),
        **{name: growth.as_fields() for name, growth in found.items()},
        'failures': [*growth_failures(found), *client.accounts.failures()],
        'samples': [list(asdict(sample).values()) for sample in run.samples],
    }


def table(name: str, found: dict[str, Any]) -> str:
    """The figures of one run in lines of text."""
    lines = [
        f'{name}: {found["frames"]} images answered, {found["frames_per_s"]:.1f} per second, '
        f'{found["lost"]} lost, {found["lifecycle_cycles"]} lifecycle cycles, '
        f'peak {found["peak_mb"]:.0f} MB',
        f'  {"":14}{"second tenth":>14}{"last tenth":>14}{"growth":>10}',
    ]
    for thing in ('resident_mb', 'dds_mb', 'own_mb', 'threads', 'descriptors'):
        row = found[thing]
        lines.append(f'  {thing:14}{row["early"]:14.1f}{row["late"]:14.1f}{row["growth"]:10.2%}')
    return '\n'.join(lines + [f'  FAILED: {text}' for text in found['failures']])


def main(arguments: list[str] | None = None) -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--output', type=Path, required=True, help='JSON file of the results')
    parser.add_argument(
        '--minutes', type=float, default=10.0, help='without a network, 0: not (default: 10)'
    )
    parser.add_argument(
        '--network-minutes', type=float, default=2.0, help='with one, 0: not (default: 2)'
    )
    options = parser.parse_args(arguments)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    minutes = {'ready': options.minutes, 'network': options.network_minutes}
    results: dict[str, Any] = {'python': platform.python_version()}
    failed = False
    for kind, length in minutes.items():
        if not length:
            continue
        results[kind] = soak(kind, [*SOAK_NODE, kind], Plan.of(60 * length))
        failed = failed or bool(results[kind]['failures'])
        print(table(kind, results[kind]), flush=True)
    options.output.write_text(json.dumps(results, indent=2) + '\n')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
