# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node counts of each camera, read from the diagnostics that it publishes."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from upsnet_ros.core.own_process import pid_namespace

CAMERA = 'camera '

Statuses = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Counters:
    """Images of one camera since the node was activated.

    Attributes:
        received: those that came to it.
        processed: labelled and published.
        dropped: replaced by a newer one before the node got to them.
        overflowed: lost because all that waited filled its memory.
        out_of_order: refused because a later one had come.
        rate_limited: left out by its parameter `max_rate`.
        rejected: could not be decoded.
        failed: the model failed.
        discarded: in its hands when it stopped to take images.
        waiting: not looked at yet.
    """

    received: int = 0
    processed: int = 0
    dropped: int = 0
    overflowed: int = 0
    out_of_order: int = 0
    rate_limited: int = 0
    rejected: int = 0
    failed: int = 0
    discarded: int = 0
    waiting: int = 0

    def since(self, before: Counters) -> Counters:
        """What was counted after an earlier moment; all of it where counting began anew."""
        now, then = asdict(self), asdict(before)
        if any(now[name] < then[name] for name in ('received', 'processed')):
            return self
        return Counters(**{name: max(now[name] - then[name], 0) for name in now})

    @property
    def left_out(self) -> int:
        """Images that the node passed over because it was busy, or told to."""
        kept_from_it = self.overflowed + self.discarded + self.out_of_order + self.rate_limited
        return self.dropped + kept_from_it

    @property
    def refused(self) -> int:
        """Images that the node could not label."""
        return self.rejected + self.failed


def _values(statuses: Statuses) -> dict[str, tuple[str, Mapping[str, str]]]:
    """Hardware id and values of each status by its name without the node's."""
    return {
        name.split(': ', 1)[-1]: (status['hardware_id'], status['values'])
        for name, status in statuses.items()
    }


def counters_of(statuses: Statuses) -> dict[str, Counters]:
    """The counters of each camera that the statuses tell of."""
    found = {}
    for name, (_, values) in _values(statuses).items():
        if name.startswith(CAMERA) and 'received' in values:
            names = [entry.name for entry in fields(Counters)]
            known = {n: int(values[n]) for n in names if values.get(n, '').isdecimal()}
            found[name.removeprefix(CAMERA)] = Counters(**known)
    return found


def is_busy(statuses: Statuses) -> bool:
    """Whether the node works on an image, or has some that wait."""
    worker = _values(statuses).get('worker', ('', {}))[1]
    is_working = float(worker.get('busy_for_s', 0)) > 0
    return is_working or any(each.waiting for each in counters_of(statuses).values())


def engine_of(statuses: Statuses) -> dict[str, str]:
    """What the node says of its model; empty where it says nothing."""
    return dict(_values(statuses).get('engine', ('', {}))[1])


def local_process(statuses: Statuses) -> int | None:
    """The id of the node's process; None where unknown, or of another computer or container."""
    host, values = _values(statuses).get('memory', ('', {}))
    pid = values.get('process_id', '')
    namespace = pid_namespace()
    is_here = host == socket.gethostname() and namespace is not None
    is_ours = is_here and values.get('pid_namespace') == namespace
    return int(pid) if is_ours and pid.isdecimal() else None
