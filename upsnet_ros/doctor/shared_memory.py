# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Room for images in shared memory."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from upsnet_ros.doctor.dds import middleware, uses_fast_dds
from upsnet_ros.doctor.dds_profile import SEGMENT_BYTES
from upsnet_ros.doctor.finding import Finding, doubtful, fine, wrong
from upsnet_ros.doctor.subject import Subject

WHAT = 'shared memory'
# A camera driver and the node, each with its segment.
LEAST_BYTES = 2 * SEGMENT_BYTES
# Subscribers, tools and further cameras too.
COMFORTABLE_BYTES = 900 * 10**6
REMEDY = (
    'give a container more (docker run --shm-size=1g, or --ipc=host); elsewhere mount -o '
    'remount,size=1g, and remove what is left there of programs that have ended'
)


def has_room(subject: Subject) -> bool:
    """Whether a camera driver and the node find room for their images."""
    try:
        return shutil.disk_usage(subject.shared_memory).total >= LEAST_BYTES
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
            remedy=REMEDY,
        )
        return
    mib = 2**20
    found = f'{usage.free // mib} of {usage.total // mib} MiB are free in {subject.shared_memory}'
    values = {'total_mib': usage.total // mib, 'free_mib': usage.free // mib}
    least = f'at least {LEAST_BYTES // mib} MiB: {SEGMENT_BYTES // mib} for each process of images'
    if usage.total < LEAST_BYTES:
        yield wrong(
            WHAT,
            found,
            expected=f'{least}, else Fast DDS falls back to UDP and loses images',
            remedy=REMEDY,
            **values,
        )
    elif usage.free < LEAST_BYTES or usage.total < COMFORTABLE_BYTES:
        yield doubtful(WHAT, found, expected=f'{least}, better 1 GB', remedy=REMEDY, **values)
    else:
        yield fine(WHAT, found, **values)
