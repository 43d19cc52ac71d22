# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a process holds over time, and whether it grew: memory, threads, open descriptors.

The second tenth of the time is compared with the last: the first is warm-up.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import psutil

TENTHS = 10
LEAST_SAMPLES = 3  # in a tenth
MOST_GROWTH = 0.01  # of memory
MB = 1e6


@dataclass(frozen=True)
class Sample:
    """What a process holds at one moment.

    Attributes:
        seconds: since the first sample was due.
        resident_mb: all its memory.
        dds_mb: the part of it that is shared memory, through which DDS passes messages. It has a
            fixed size, but a page counts only once it was used.
        own_mb: all but that.
        threads: how many it has.
        descriptors: how many files, sockets and the like it has open.
    """

    seconds: float
    resident_mb: float
    dds_mb: float
    own_mb: float
    threads: int
    descriptors: int


def take_sample(process: psutil.Process, seconds: float) -> Sample:
    """What a process holds now."""
    lines = Path(f'/proc/{process.pid}/status').read_text().splitlines()
    status = dict(line.split(':', 1) for line in lines)
    resident, dds = (int(status[key].split()[0]) * 1024 / MB for key in ('VmRSS', 'RssShmem'))
    return Sample(seconds, resident, dds, resident - dds, process.num_threads(), process.num_fds())


@dataclass(frozen=True)
class Growth:
    """How much of one thing there was, early and late.

    Attributes:
        early: median of the second tenth of the time.
        late: median of the last tenth.
    """

    early: float
    late: float

    @property
    def share(self) -> float:
        """By how much the late value is above the early one, as a share of it."""
        return self.late / self.early - 1

    def as_fields(self) -> dict[str, float]:
        """For a JSON document."""
        return asdict(self) | {'growth': self.share}


def growths(samples: Sequence[Sample]) -> dict[str, Growth]:
    """The growth of each thing that was sampled, by its name.

    Raises:
        ValueError: a tenth of the time has too few samples to tell.
    """
    tenth = len(samples) // TENTHS
    if tenth < LEAST_SAMPLES:
        raise ValueError(
            f'{len(samples)} samples, expected at least {TENTHS * LEAST_SAMPLES} to tell growth; '
            'run for longer'
        )
    early, late = samples[tenth : 2 * tenth], samples[-tenth:]
    return {
        entry.name: Growth(_median(early, entry.name), _median(late, entry.name))
        for entry in fields(Sample)
        if entry.name != 'seconds'
    }


def growth_failures(found: dict[str, Growth]) -> list[str]:
    """What grew more than it may: memory by a share, all else at all."""
    rules: dict[str, Callable[[Growth], bool]] = {
        'resident_mb': _grew_by_a_share,
        'own_mb': _grew_by_a_share,
        'threads': _grew_at_all,
        'descriptors': _grew_at_all,
    }
    limits = {_grew_by_a_share: f'{MOST_GROWTH:.0%} more', _grew_at_all: 'no more'}
    return [
        f'{name} grew from {found[name].early:.1f} to {found[name].late:.1f} '
        f'({found[name].share:+.2%}), limit {limits[grew]}'
        for name, grew in rules.items()
        if grew(found[name])
    ]


def _grew_by_a_share(growth: Growth) -> bool:
    return growth.share >= MOST_GROWTH


def _grew_at_all(growth: Growth) -> bool:
    return growth.late > growth.early


def _median(samples: Sequence[Sample], name: str) -> Any:
    return statistics.median(getattr(sample, name) for sample in samples)
