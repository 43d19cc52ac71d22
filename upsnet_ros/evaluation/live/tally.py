# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What comes of a live replay: the events that processes tell, the counts and cost of the node."""

from __future__ import annotations

import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import psutil

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.core.own_process import pid_namespace
from upsnet_ros.evaluation.live.processes import Event

CAMERA = 'camera '

Statuses = Mapping[str, Mapping[str, Any]]


# What the node counts of the images of a camera since it was activated. Passed over: replaced by a
# newer one before the node got to them, lost as all that waited filled its memory, refused as a
# later one had come, left out by `max_rate`, in its hands when it stopped to take images.
LEFT_OUT = ('dropped', 'overflowed', 'out_of_order', 'rate_limited', 'discarded')
# Not labelled: could not be decoded, the model failed.
REFUSED = ('rejected', 'failed')
COUNTERS = ('received', 'processed', 'waiting', *LEFT_OUT, *REFUSED)

Counters = Counter[str]


def counted_since(before: Counters, now: Counters) -> Counters:
    """What was counted after an earlier moment; all of it where counting began anew."""
    is_anew = any(now[name] < before[name] for name in ('received', 'processed'))
    return now if is_anew else now - before


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
            known = {n: int(values[n]) for n in COUNTERS if values.get(n, '').isdecimal()}
            found[name.removeprefix(CAMERA)] = Counter(known)
    return found


def is_busy(statuses: Statuses) -> bool:
    """Whether the node works on an image, or has some that wait."""
    worker = _values(statuses).get('worker', ('', {}))[1]
    is_working = float(worker.get('busy_for_s', 0)) > 0
    return is_working or any(each['waiting'] for each in counters_of(statuses).values())


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


@dataclass(frozen=True)
class NodeCost:
    """CPU and memory of the node.

    Attributes:
        cpu_s: seconds that its threads worked between the first and the last look; None where it
            was looked at once only.
        wall_s: seconds between the two.
        peak_bytes: largest resident memory since the start of the process.
    """

    cpu_s: float | None
    wall_s: float
    peak_bytes: int | None

    @property
    def cpu_percent(self) -> float | None:
        """Of one core: 200 is two cores at work all the time; None within no time at all."""
        if self.cpu_s is None or self.wall_s <= 0:
            return None
        return 100.0 * self.cpu_s / self.wall_s


class NodeWatch:
    """Looks at a process again and again.

    Args:
        pid: of the process on this computer; None watches nothing.
    """

    def __init__(self, pid: int | None) -> None:
        self._pid = pid
        self._looks: list[tuple[float, float]] = []
        self._peak = 0

    def begin(self) -> None:
        """Make this the first look."""
        self._looks = []
        self.look()

    def look(self) -> None:
        """Note what it has taken by now; a process that is gone leaves things as they were."""
        if self._pid is None:
            return
        try:
            times = psutil.Process(self._pid).cpu_times()
            peak = _peak_bytes(self._pid)
        except (OSError, psutil.Error):
            return
        self._looks = [*self._looks[:1], (time.monotonic(), times.user + times.system)]
        self._peak = max(self._peak, peak)

    @property
    def is_gone(self) -> bool:
        """Whether the process has ended."""
        if self._pid is None:
            return False
        try:
            return psutil.Process(self._pid).status() == psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return True

    def cost(self) -> NodeCost | None:
        """What it took from the first look to the last; None where there was none."""
        if not self._looks:
            return None
        (begin, first), (end, last) = self._looks[0], self._looks[-1]
        is_measured = len(self._looks) > 1
        return NodeCost(last - first if is_measured else None, end - begin, self._peak or None)


def _peak_bytes(pid: int) -> int:
    """Largest resident memory so far; elsewhere than on Linux (VmHWM) the present one."""
    try:
        lines = Path(f'/proc/{pid}/status').read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith('VmHWM:'))
    except (OSError, StopIteration):
        return int(psutil.Process(pid).memory_info().rss)


class Sent(NamedTuple):
    """An image given to the node: its stamp in the bag, and the one it was sent with [ns]."""

    bag_stamp_ns: int
    stamp_ns: int


class LiveTally:
    """Counts the events of a replay.

    Args:
        images: image topic of each camera.

    Attributes:
        sent: images of each camera in the order sent; where stamps are kept, those that were seen
            by the recorder.
        arrived: by camera, when the first label with a stamp came [ns].
        seen_ns: where stamps are kept: by camera, when the image of a stamp came to the recorder.
        statuses: what the node said of itself last, by name.
        reports: how often it did.
        total: images that the player is going to send; None where it does not tell.
        latest_ms: largest delay of the player behind its schedule; None where it tells none.
        is_played: whether the player has come to the end of the bag.
        clock_step_ms: how far the system's clock was set meanwhile.
    """

    def __init__(self, images: Mapping[str, str]) -> None:
        self._camera_of = {topic: name for name, topic in images.items()}
        self._camera_of |= {f'/{name}/panoptic/image': name for name in images}
        self._tables = {f'/{name}/panoptic/class_info' for name in images}
        self._before: Statuses = {}
        self._forget_messages(images)
        self.statuses: Statuses = {}
        self.reports = 0
        self.total: int | None = None
        self.latest_ms: float | None = None
        self.is_played = False
        self.clock_step_ms = 0.0

    def _forget_messages(self, cameras: Iterable[str]) -> None:
        names = list(cameras)
        self.sent: dict[str, list[Sent]] = {name: [] for name in names}
        self.arrived: dict[str, dict[int, int]] = {name: {} for name in names}
        self.seen_ns: dict[str, dict[int, int]] = {name: {} for name in names}
        self.label_count = 0
        self._unanswered: set[tuple[str, int]] = set()

    @property
    def is_active(self) -> bool:
        """Whether the node has told of the classes of every camera."""
        return not self._tables

    @property
    def sent_count(self) -> int:
        """Images of all cameras that were sent."""
        return sum(map(len, self.sent.values()))

    @property
    def has_all_labels(self) -> bool:
        """Whether every image that was sent has its label; labels of others do not count."""
        return self.sent_count > 0 and not self._unanswered

    def begin(self) -> None:
        """Count from here on, the node's counters as well as what comes.

        A node that ran before may have answered others by now.
        """
        self._before = self.statuses
        self._forget_messages(self.sent)

    def counters(self) -> dict[str, Counters]:
        """What the node counted of each camera since `begin`, as far as it has told."""
        before, now = counters_of(self._before), counters_of(self.statuses)
        return {
            name: counted_since(before.get(name, Counters()), now[name])
            for name in self.sent
            if name in now
        }

    def take(self, event: Event) -> None:
        """Count one event; those that mean nothing here are passed over.

        Raises:
            ReplayError: the player was stopped by someone.
        """
        kind = event['event']
        if kind in ('frame', 'label', 'image'):
            self._take_message(kind, self._camera_of[event['topic']], event)
        elif kind == 'start':
            self.total = event['frames']
        elif kind == 'class_info':
            self._tables.discard(event['topic'])
        elif kind == 'diagnostics':
            self.statuses = {**self.statuses, **event['statuses']}
            self.reports += 1
        elif kind == 'interrupted':
            raise ReplayError(f'the player was stopped after {event["sent"]} images.')
        elif kind == 'done' and 'sent' in event:
            self.is_played = True
        elif kind == 'done':
            self.clock_step_ms = event['clock_step_ms']

    def _take_message(self, kind: str, camera: str, event: Event) -> None:
        stamp_ns = event['stamp_ns']
        if kind == 'frame':
            self._note_sent(camera, Sent(event['bag_stamp_ns'], stamp_ns))
            self.latest_ms = max(self.latest_ms or 0.0, event['late_ms'])
        elif kind == 'label':
            self.label_count += 1
            self.arrived[camera].setdefault(stamp_ns, event['received_ns'])
            self._unanswered.discard((camera, stamp_ns))
        elif stamp_ns not in self.seen_ns[camera]:
            self.seen_ns[camera][stamp_ns] = event['received_ns']
            self._note_sent(camera, Sent(stamp_ns, stamp_ns))

    def _note_sent(self, camera: str, image: Sent) -> None:
        self.sent[camera].append(image)
        # The events of two processes: a label may be told of before its image.
        if image.stamp_ns not in self.arrived[camera]:
            self._unanswered.add((camera, image.stamp_ns))
