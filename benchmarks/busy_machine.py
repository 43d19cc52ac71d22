# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node still does on a busy computer: idle, then beside one and three programs a core.

    python benchmarks/busy_machine.py --output out/bench/busy_machine.json --against CHECKOUT

The drive of the demo is played into the real node over DDS while programs that do nothing but
count keep every core busy, at the node's own priority. A first play sends more images than can be
answered: what is answered then is possible. The second one sends 70 % of that, and every image
must be answered; the age of its labels is compared with that on the idle computer. A fair share of
the cores is a half beside one program a core, and a quarter beside three. In a last play the
programs end in the middle: from then on ages must be those of the idle computer.

With another checkout of this repository, which has its own environment, both are measured in turn.
Loads are compared within one run alone, and what else the computer does falsifies them.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.model_parts.results import write_results  # noqa: E402 - after the path
from upsnet_ros.bags.definitions import header_stamp_ns  # noqa: E402
from upsnet_ros.bags.reader import BagReader  # noqa: E402
from upsnet_ros.evaluation.live.camera_rate import USED_SHARE  # noqa: E402

# The drive of `make demo`.
DRIVE = ROOT / 'out' / 'demo' / 'drive'
RECORDED_HZ, FRAMES = 9.0, 120
GENERATOR = ['--frames', str(FRAMES), '--seed', '6', '--size', '1024x512', '--rate', '9']
LABELS = '/camera/panoptic/image'
# Busy programs a core, and by how much the median age may grow: their share is a little more
# than a half and a quarter, as ages hold what is waited for, too.
AIMS = {0: 1.0, 1: 2.1, 3: 4.5}
RECOVERY_LOAD = 3
# More than a CPU answers; beside other programs that many times fewer.
FLOOD_HZ = 30.0
# Ages up to this many times the idle median are those of an idle computer.
RECOVERED = 1.5
# The player needs about so long until it sends its first image [s].
PLAYER_START_S = 2.0
POLL_S = 0.02


@dataclass(frozen=True)
class Played:
    """The labels of a play.

    Attributes:
        sent: images.
        stamps_ns: when those images were sent that have labels, rising.
        ages_ms: of their labels as they came.
        stages_ms: median of what the node says of each stage.
        backend: library that ran the network.
    """

    sent: int
    stamps_ns: np.ndarray
    ages_ms: np.ndarray
    stages_ms: dict[str, float]
    backend: str

    @property
    def labels_per_s(self) -> float:
        """Labels a second from the first to the last that came."""
        arrived = self.stamps_ns + self.ages_ms * 1e6
        return float((len(arrived) - 1) / ((arrived[-1] - arrived[0]) * 1e-9))


@contextmanager
def busy_programs(count: int) -> Iterator[None]:
    """So many programs that do nothing but count, with the priority of this one."""
    with ExitStack() as stack:
        for _ in range(count):
            program = subprocess.Popen([sys.executable, '-c', 'while True: pass'])
            stack.callback(program.wait)
            stack.callback(program.kill)
        yield


def play(
    checkout: Path, folder: Path, hz: float, *, frames: int, load: int, load_s: float | None = None
) -> tuple[Played, int]:
    """Play the drive into the node of a checkout, busy programs beside it while it plays.

    Args:
        checkout: of this repository.
        folder: for what it writes.
        hz: images a second.
        frames: how many of the drive.
        load: busy programs a core.
        load_s: seconds after which they end; None for the end of the play.

    Returns:
        The labels, and when the programs ended [ns].
    """
    command = [sys.executable, '.ci/environment.py', 'exec', 'runtime', '--']
    command += ['python', '-m', 'upsnet_ros.evaluation.live', str(DRIVE), '--output', str(folder)]
    command += ['--player', 'own', '--rate', str(hz / RECORDED_HZ)]
    command += ['--duration', str((frames - 0.5) / RECORDED_HZ)]
    player_log = folder / 'live' / 'logs' / 'player.log'
    with (folder.parent / f'{folder.name}.log').open('w+') as log:
        process = subprocess.Popen(command, cwd=checkout, stdout=log, stderr=log)
        try:
            # Node and recorder are ready then, and start as fast as on an idle computer.
            while not player_log.exists() and process.poll() is None:
                time.sleep(POLL_S)
            with busy_programs(load * len(psutil.Process().cpu_affinity() or [])):
                try:
                    process.wait(load_s)
                except subprocess.TimeoutExpired:
                    pass
            ended_ns = time.time_ns()
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        if status:
            log.seek(0)
            raise SystemExit(f'{" ".join(command)} ended with status {status}:\n{log.read()}')
    return read_played(folder, sent=frames), ended_ns


def read_played(folder: Path, *, sent: int) -> Played:
    """What a live evaluation left in its folder; its files are those of earlier commits, too."""
    with BagReader(folder / 'live' / 'results') as bag:
        times = [(header_stamp_ns(m.data), m.recorded_ns) for m in bag.messages([LABELS])]
    stamps, arrived = np.array(sorted(times), np.int64).T
    lines = map(json.loads, (folder / 'frames.jsonl').read_text().splitlines())
    stages: dict[str, list[float]] = {}
    for line in lines:
        for name, milliseconds in line.get('ms', {}).items():
            stages.setdefault(name, []).append(milliseconds)
    medians = {name: statistics.median(values) for name, values in stages.items()}
    backend = json.loads((folder / 'report.json').read_text())['model']['backend']
    return Played(sent, stamps, (arrived - stamps) * 1e-6, medians, backend)


def late_after(played: Played, moment_ns: int, idle_ms: float) -> tuple[int, float] | None:
    """How long an idle computer's ages take to come back.

    Args:
        played: during which the load ended.
        moment_ns: when it did.
        idle_ms: median age on the idle computer.

    Returns:
        How many labels of images sent afterwards came late before the first that did not, and the
        milliseconds from the end of the load until that came; None where none came in time.
    """
    after = played.stamps_ns >= moment_ns
    stamps, ages = played.stamps_ns[after], played.ages_ms[after]
    in_time = np.flatnonzero(ages <= RECOVERED * idle_ms)
    if not in_time.size:
        return None
    first = int(in_time[0])
    return first, float((stamps[first] - moment_ns) * 1e-6 + ages[first])


class Side:
    """What was measured of a checkout; ages of all rounds together.

    Args:
        name: in tables.
        checkout: its folder.
        folder: for what plays write.
        frames: images of a play that can be answered.
    """

    def __init__(self, name: str, checkout: Path, folder: Path, frames: int) -> None:
        self.name, self._checkout, self._folder, self._frames = name, checkout, folder, frames
        self.possible: dict[int, list[float]] = {load: [] for load in AIMS}
        self.rates: dict[int, list[float]] = {load: [] for load in AIMS}
        self.plays: dict[int, list[Played]] = {load: [] for load in AIMS}
        self.recoveries: list[tuple[int, float] | None] = []

    def _play(self, hz: float, load: int, *, frames: int, load_s: float | None = None) -> Any:
        number = sum(1 for _ in self._folder.glob('*.log'))
        folder = self._folder / f'{number:03d}'
        return play(self._checkout, folder, hz, frames=frames, load=load, load_s=load_s)

    def measure(self, load: int) -> None:
        """What is possible beside so many programs a core, then ages at what is."""
        flood, _ = self._play(FLOOD_HZ / (1 + load), load, frames=FRAMES)
        # No whole number and no least one, else ages would hold what images wait for each other.
        hz = USED_SHARE * flood.labels_per_s
        played, _ = self._play(hz, load, frames=self._frames)
        self.possible[load].append(flood.labels_per_s)
        self.rates[load].append(hz)
        self.plays[load].append(played)

    def recover(self) -> None:
        """Let the programs end in the middle of a play at the rate that they leave room for."""
        hz = self.rates[RECOVERY_LOAD][-1]
        half_s = PLAYER_START_S + self._frames / hz / 2
        played, ended_ns = self._play(hz, RECOVERY_LOAD, frames=self._frames, load_s=half_s)
        self.recoveries.append(late_after(played, ended_ns, self.median_ms(0)))

    def median_ms(self, load: int) -> float:
        """Median of the plays' median ages."""
        return statistics.median(float(np.median(each.ages_ms)) for each in self.plays[load])

    def rows(self) -> list[dict[str, Any]]:
        """The figures of each load."""
        return [self._row(load) for load in AIMS]

    def _row(self, load: int) -> dict[str, Any]:
        plays, ratio = self.plays[load], self.median_ms(load) / self.median_ms(0)
        answered, sent = sum(len(each.ages_ms) for each in plays), sum(p.sent for p in plays)
        possible, hz = statistics.median(self.possible[load]), statistics.median(self.rates[load])
        stages = {
            name: statistics.median(each.stages_ms[name] for each in plays)
            for name in plays[0].stages_ms
        }
        return {
            'programs_per_core': load,
            'backend': plays[0].backend,
            'possible_hz': possible,
            'camera_hz': hz,
            'sent': sent,
            'answered': answered,
            'age_p50_ms': self.median_ms(load),
            'age_p95_ms': float(np.percentile(np.hstack([p.ages_ms for p in plays]), 95)),
            'ratio': ratio,
            'aim': AIMS[load],
            'is_reached': ratio <= AIMS[load] and answered == sent,
            'stages_ms': stages,
        }


def table(sides: Sequence[Side]) -> str:
    """All figures in lines of text."""
    lines = [
        f'{"a core":>6}  {"commit":8}{"possible":>9}{"camera":>8}{"answered":>12}{"p50 ms":>9}'
        f'{"p95 ms":>9}{"of idle":>9}{"aim":>6}'
    ]
    rows = {side.name: side.rows() for side in sides}
    for number, load in enumerate(AIMS):
        for name, of_side in rows.items():
            row = of_side[number]
            answered = f'{row["answered"]} of {row["sent"]}'
            lines.append(
                f'{load:6}  {name:8}{row["possible_hz"]:9.1f}{row["camera_hz"]:8.1f}{answered:>12}'
                f'{row["age_p50_ms"]:9.0f}{row["age_p95_ms"]:9.0f}{row["ratio"]:9.2f}'
                f'{row["aim"]:6.1f}{"" if row["is_reached"] else "  missed"}'
            )
    lines.append('\nmedian of each stage [ms] beside ' + ', '.join(map(str, AIMS)) + ' a core')
    for name, of_side in rows.items():
        lines.append(f'  {name}, {of_side[0]["backend"]}')
        for stage in of_side[0]['stages_ms']:
            values = (row['stages_ms'].get(stage, math.nan) for row in of_side)
            lines.append(f'    {stage:16}' + ''.join(f'{value:9.1f}' for value in values))
    lines.append('\nas fast as idle once the programs end')
    for side in sides:
        lines += [f'  {side.name}: {recovery_text(each)}' for each in side.recoveries]
    return '\n'.join(lines)


def recovery_text(found: tuple[int, float] | None) -> str:
    """What `late_after` found, in words."""
    if found is None:
        return 'not within the play'
    return f'after {found[1]:.0f} ms, {found[0]} labels were still late'


def measure(sides: Sequence[Side], *, rounds: int) -> None:
    """Everything, the sides in turn."""
    for _ in range(rounds):
        for load in AIMS:
            for side in sides:
                side.measure(load)
        for side in sides:
            side.recover()


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--output', type=Path, help='where to write the results as JSON')
    parser.add_argument('--against', type=Path, metavar='CHECKOUT', help='another one, in turn')
    parser.add_argument('--frames', type=int, default=60, help='of a play, 10 to 120 (60)')
    parser.add_argument('--rounds', type=int, default=1, help='how often everything is done (1)')
    options = parser.parse_args(arguments)
    subprocess.run(
        [sys.executable, '.ci/sample_drive.py', '--output', str(DRIVE), *GENERATOR],
        cwd=ROOT,
        check=True,
    )
    before = psutil.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix='upsnet_busy_') as folder:
        checkouts = {'this': ROOT} | ({'other': options.against} if options.against else {})
        sides = []
        for name, checkout in checkouts.items():
            (Path(folder) / name).mkdir()
            sides.append(Side(name, checkout.resolve(), Path(folder) / name, options.frames))
        measure(sides, rounds=options.rounds)
    print(table(sides))
    found = {side.name: {'loads': side.rows(), 'recoveries': side.recoveries} for side in sides}
    values = {
        'load_average_before': before,
        'frames': options.frames,
        'rounds': options.rounds,
        **found,
    }
    write_results(options.output, 'busy_machine', (np, cv2), values)
    return 0


if __name__ == '__main__':
    sys.exit(main())
