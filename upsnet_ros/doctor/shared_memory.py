# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Room for images in shared memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from upsnet_ros.dds_profile import MIB
from upsnet_ros.doctor.dds import middleware, uses_fast_dds
from upsnet_ros.doctor.finding import Finding, doubtful, fine, wrong
from upsnet_ros.doctor.subject import Subject

WHAT = 'shared memory'
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
        yield fine(WHAT, f'not used by {middleware(subject)}')
        return
    try:
        usage = shutil.disk_usage(subject.shared_memory)
    except OSError as error:
        yield wrong(
            WHAT,
            f'{subject.shared_memory} cannot be used ({error.strerror})',
            expected='a folder in memory',
            remedy=remedy(subject),
        )
        return
    found = f'{usage.free // MIB} of {usage.total // MIB} MiB are free in {subject.shared_memory}'
    values = {'total_mib': usage.total // MIB, 'free_mib': usage.free // MIB}
    needed = subject.needed
    least = (
        f'at least {least_bytes(subject) // MIB} MiB: {needed.segment_bytes // MIB} for each '
        'process of images'
    )
    comfortable = COMFORTABLE_SHARE * needed.container_bytes
    if usage.total < least_bytes(subject):
        yield wrong(
            WHAT,
            found,
            expected=f'{least}, else Fast DDS falls back to UDP and loses images',
            remedy=remedy(subject),
            **values,
        )
    elif usage.free < least_bytes(subject) or usage.total < comfortable:
        yield doubtful(
            WHAT,
            found,
            expected=f'{least}, better {needed.container_bytes // MIB} MiB for all of them',
            remedy=remedy(subject),
            **values,
        )
    else:
        yield fine(WHAT, found, **values)
