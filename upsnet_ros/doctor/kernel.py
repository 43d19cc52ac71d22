# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the kernel gives to large images: shared memory, and buffers for UDP."""

from __future__ import annotations

import fcntl
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from upsnet_ros.dds_profile import MIB
from upsnet_ros.doctor.finding import Finding, Subject, doubtful, fine, judged, level_of, wrong
from upsnet_ros.doctor.middleware import (
    is_large_data,
    middleware,
    profile_fits_images,
    uses_fast_dds,
)

SHARED_MEMORY = 'shared memory'
# A gigabyte counted in powers of ten is enough too.
COMFORTABLE_SHARE = 0.9


def least_bytes(subject: Subject) -> int:
    """Room for a camera driver and the node, each with its segment."""
    return 2 * subject.needed.segment_bytes


def remedy(subject: Subject) -> str:
    """How to get enough room."""
    gigabytes = f'{-(-subject.needed.container_bytes // 2**30)}g'
    return (
        f'give a container more (docker run --shm-size={gigabytes}, or --ipc=host); elsewhere '
        f'mount -o remount,size={gigabytes}, and remove what is left there of programs that have '
        'ended'
    )


def has_room(subject: Subject) -> bool:
    """Whether a camera driver and the node find room for their images."""
    try:
        return shutil.disk_usage(subject.shared_memory).total >= least_bytes(subject)
    except OSError:
        return False


def check_shared_memory(subject: Subject) -> Iterator[Finding]:
    """Size of the folder in which Fast DDS puts what it sends."""
    if not uses_fast_dds(subject):
        yield fine(SHARED_MEMORY, f'not used by {middleware(subject)}')
        return
    try:
        usage = shutil.disk_usage(subject.shared_memory)
    except OSError as error:
        yield wrong(
            SHARED_MEMORY,
            f'{subject.shared_memory} cannot be used ({error.strerror})',
            expected='a folder in memory',
            remedy=remedy(subject),
        )
        return
    found = f'{usage.free // MIB} of {usage.total // MIB} MiB are free in {subject.shared_memory}'
    needed = subject.needed
    least = (
        f'at least {least_bytes(subject) // MIB} MiB: {needed.segment_bytes // MIB} for each '
        'process of images'
    )
    comfortable = COMFORTABLE_SHARE * needed.container_bytes
    is_large = usage.total >= least_bytes(subject)
    is_fine = usage.free >= least_bytes(subject) and usage.total >= comfortable
    yield judged(
        SHARED_MEMORY,
        found,
        level_of(is_fine, is_needed=not is_large),
        expected=f'{least}, better {needed.container_bytes // MIB} MiB for all of them'
        if is_large
        else f'{least}, else Fast DDS falls back to UDP and loses images',
        remedy=remedy(subject),
        total_mib=usage.total // MIB,
        free_mib=usage.free // MIB,
    )


LEFTOVERS = 'left in shared memory'
# Segments and queues ("ports") of Fast DDS, and the endings of the locks of those who use them.
_OF_FAST_DDS = re.compile(r'fastdds_(?P<port>port\d+)?(?(port)|[0-9a-f]{16})')
_LOCKS = ('_el', '_sl')
_MOST_NAMES = 3


def check_leftovers(subject: Subject) -> Iterator[Finding]:
    """Whether processes that died left segments, which take room, or queues, which are reused."""
    if not uses_fast_dds(subject):
        yield fine(LEFTOVERS, f'not used by {middleware(subject)}')
        return
    folder = subject.shared_memory
    left = sorted(
        (path for path in folder.glob('fastdds_*') if _OF_FAST_DDS.fullmatch(path.name)),
        key=lambda path: 'port' not in path.name,  # queues first: they do more harm
    )
    left = [path for path in left if not _is_in_use(path)]
    if not left:
        yield fine(LEFTOVERS, 'nothing of processes that have ended')
        return
    mib = sum(_allocated_bytes(path) for path in left) // MIB
    queues = sum('port' in path.name for path in left)
    names = ', '.join(path.name for path in left[:_MOST_NAMES])
    yield doubtful(
        LEFTOVERS,
        f'{queues} queues and {len(left) - queues} segments ({mib} MiB) of processes that died, '
        f'in {folder}: {names}' + ', ...' * (len(left) > _MOST_NAMES),
        expected='none: a process that gets such a queue keeps its length, that of a process '
        'without the profile too, and loses images',
        remedy='fastdds shm clean; if they are still there, end all that uses ROS and '
        f'rm {folder}/fastdds_* {folder}/sem.fastdds_*',
        queues=queues,
        segments=len(left) - queues,
        mib=mib,
    )


def _is_in_use(path: Path) -> bool:
    """Whether a process holds a lock of it, as each does that has opened it to read."""
    for ending in _LOCKS:
        try:
            with Path(f'{path}{ending}').open('rb') as file:
                # The lock is given back with the file, at once.
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            continue
        except OSError:  # it is held, or belongs to another user and cannot be judged
            return True
    return False


def _allocated_bytes(path: Path) -> int:
    """What it takes; 0 for one that has gone in the meantime."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


SOCKETS = 'socket buffers'


@dataclass(frozen=True)
class Setting:
    """A setting of the kernel.

    Attributes:
        name: as `sysctl` writes it.
        limit: least or greatest value that is fine.
        is_least: whether the limit is the least value.
        recommended: value to set.
    """

    name: str
    limit: int
    is_least: bool
    recommended: int

    def fits(self, value: int) -> bool:
        """Whether a value is fine."""
        return value >= self.limit if self.is_least else value <= self.limit


# One raw image of 2048x1024 in colour is 6.3 MB, in fragments of 1500 bytes. The recommended
# values are those that ROS's documentation gives for tuning DDS.
SETTINGS = (
    Setting('net.core.rmem_max', 8 * 2**20, True, 2**31 - 1),
    Setting('net.core.wmem_max', 8 * 2**20, True, 2**31 - 1),
    Setting('net.ipv4.ipfrag_high_thresh', 128 * 2**20, True, 128 * 2**20),
    Setting('net.ipv4.ipfrag_time', 3, False, 3),
)


def images_travel_by_udp(subject: Subject) -> bool:
    """Whether images go over the network stack even within this computer."""
    by_memory = profile_fits_images(subject) and has_room(subject)
    return not (uses_fast_dds(subject) and (by_memory or is_large_data(subject)))


def read_settings(subject: Subject) -> dict[str, int | None]:
    """The kernel's values by name; None where they cannot be seen."""
    values: dict[str, int | None] = {}
    for setting in SETTINGS:
        try:
            path = subject.proc.joinpath('sys', *setting.name.split('.'))
            values[setting.name] = int(path.read_text())
        except (OSError, ValueError):
            values[setting.name] = None
    return values


def check_sockets(subject: Subject) -> Iterator[Finding]:
    """Sizes and times of the kernel, judged only where images depend on them."""
    values = read_settings(subject)
    shown = ', '.join(
        f'{name} {"not visible" if value is None else value}' for name, value in values.items()
    )
    if not images_travel_by_udp(subject):
        yield fine(SOCKETS, f'{shown} (UDP carries images to other computers only)', **values)
        return
    small = [
        setting
        for setting in SETTINGS
        if (value := values[setting.name]) is None or not setting.fits(value)
    ]
    if not small:
        yield fine(SOCKETS, shown, **values)
        return
    yield doubtful(
        SOCKETS,
        shown,
        expected=', '.join(
            f'{setting.name} {"at least" if setting.is_least else "at most"} {setting.limit}'
            for setting in small
        )
        + ', because images travel by UDP here',
        remedy='on the host: sudo sysctl -w '
        + ' '.join(f'{setting.name}={setting.recommended}' for setting in small),
        **values,
    )
