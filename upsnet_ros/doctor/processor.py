# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How many processor cores the node may use."""

from __future__ import annotations

import os
from collections.abc import Iterator

from upsnet_ros.backends.backend import cpu_quota
from upsnet_ros.doctor.finding import Finding, doubtful, fine
from upsnet_ros.doctor.subject import Subject

FEWEST_CORES = 2  # one for images and messages beside the network


def check_processor(subject: Subject) -> Iterator[Finding]:
    """Cores of the computer, of this process, and the quota of its control group."""
    total = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else total
    quota = cpu_quota(subject.proc / 'self' / 'cgroup', subject.control_groups)
    usable = allowed if quota is None else min(allowed, quota)
    limit = 'no quota' if quota is None else f'a quota of {quota:g}'
    found = f'{usable:g} of {total} cores may be used ({allowed} allowed, {limit})'
    values = {'total': total, 'allowed': allowed, 'quota': quota}
    if usable >= FEWEST_CORES:
        yield fine('processor cores', found, **values)
        return
    yield doubtful(
        'processor cores',
        found,
        expected=f'at least {FEWEST_CORES}, one of them for messages',
        remedy='give the container or service more (docker --cpus, CPUQuota=, taskset)',
        **values,
    )
