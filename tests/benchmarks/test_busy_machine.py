# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of a busy computer: its sums by hand, its programs, and a play that is made up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks import busy_machine
from benchmarks.busy_machine import Played, Side, busy_programs, late_after, measure, table

MS = 1_000_000


def played(ages_ms: list[float], *, sent: int | None = None, period_ms: int = 100) -> Played:
    """A play of images that are sent at equal distances, the last of `sent` without labels."""
    stamps = np.arange(len(ages_ms), dtype=np.int64) * period_ms * MS
    stages = {'inference': float(np.median(ages_ms)) / 2}
    return Played(sent or len(ages_ms), stamps, np.array(ages_ms), stages, 'a library')


def test_labels_a_second_are_counted_from_the_first_to_the_last_that_came() -> None:
    # They arrive at 50, 150, 250 and, the last one being late, 450 ms.
    assert played([50.0, 50.0, 50.0, 150.0]).labels_per_s == pytest.approx(3 / 0.4)


@pytest.mark.parametrize(
    ('ages_ms', 'moment_ms', 'expected'),
    [
        # Sent at 0, 100, 200 and 300 ms; the idle median is 40 ms, so 60 ms are in time.
        ([200.0, 200.0, 60.0, 40.0], 110, (0, 150.0)),
        ([200.0, 200.0, 200.0, 40.0], 110, (1, 230.0)),
        ([200.0, 40.0, 40.0, 40.0], 100, (0, 40.0)),
        ([40.0, 40.0, 61.0, 61.0], 101, None),
        ([40.0, 40.0, 40.0, 40.0], 301, None),
    ],
)
def test_recovery_ends_with_the_first_label_in_time(
    ages_ms: list[float], moment_ms: int, expected: tuple[int, float] | None
) -> None:
    assert late_after(played(ages_ms), moment_ms * MS, idle_ms=40.0) == expected


def test_busy_programs_run_within_their_block_alone() -> None:
    ours = psutil.Process()
    before = set(ours.children())
    with busy_programs(3):
        programs = set(ours.children()) - before
        assert len(programs) == 3 and all(p.nice() == ours.nice() for p in programs)
    assert not any(program.is_running() for program in programs)


def made_up(monkeypatch: pytest.MonkeyPatch, folder: Path, *, loses: int) -> list[Side]:
    """Two sides of which the other's ages grow by more than its share."""
    asked: dict[str, list[tuple[float, int]]] = {}

    def play(
        checkout: Path, of: Path, hz: float, *, frames: int, load: int, load_s: float | None = None
    ) -> tuple[Played, int]:
        name = checkout.name
        asked.setdefault(name, []).append((hz, load))
        age = 50.0 * (1 + load) * (2.0 if name == 'other' and load else 1.0)
        is_flood = frames == busy_machine.FRAMES
        answered = frames if is_flood else frames - loses * (load > 0)
        period = round(age if is_flood else 1000 / hz)
        found = played([age] * answered, sent=frames, period_ms=period)
        return (found, 0) if load_s is None else (played([400.0, 50.0], period_ms=period), 1)

    monkeypatch.setattr(busy_machine, 'play', play)
    sides = []
    for name in ('this', 'other'):
        (folder / name).mkdir()
        sides.append(Side(name, folder / name, folder / name, frames=20))
    measure(sides, rounds=2)
    # Every side first is given more than can be answered, then 70 % of what was: 20, 10 and 5 Hz.
    rates = [30.0, 14.0, 15.0, 7.0, 7.5, 3.5, 3.5]
    assert [hz for hz, _ in asked['this']] == pytest.approx(2 * rates)
    assert [load for _, load in asked['this']] == 2 * [0, 0, 1, 1, 3, 3, 3]
    return sides


def test_ages_are_compared_with_those_of_the_idle_computer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = made_up(monkeypatch, tmp_path, loses=0)
    rows = {side.name: side.rows() for side in sides}
    assert [row['ratio'] for row in rows['this']] == [1.0, 2.0, 4.0]
    assert [row['ratio'] for row in rows['other']] == [1.0, 4.0, 8.0]
    assert all(row['is_reached'] for row in rows['this'])
    assert [row['is_reached'] for row in rows['other']] == [True, False, False]
    assert rows['this'][1]['stages_ms'] == {'inference': 50.0}
    text = table(sides)
    assert text.count('missed') == 2 and '40 of 40' in text and 'a library' in text
    assert text.count('labels were still late') == 4
    json.dumps(rows)


def test_a_lost_frame_misses_the_aim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    this, _ = made_up(monkeypatch, tmp_path, loses=1)
    assert [row['answered'] for row in this.rows()] == [40, 38, 38]
    assert [row['is_reached'] for row in this.rows()] == [True, False, False]
