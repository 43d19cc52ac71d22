# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the player and the recorder of a live replay tell, as it comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.frames import ReceivedLabel, SentFrame
from upsnet_ros.evaluation.live.event_process import Event
from upsnet_ros.evaluation.live.node_state import Counters, Statuses, counters_of


class LiveTally:
    """Counts the events of a replay.

    Args:
        images: image topic of each camera.
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
        self.sent: dict[str, list[SentFrame]] = {name: [] for name in names}
        self.labels: dict[str, list[ReceivedLabel]] = {name: [] for name in names}
        self.seen_ns: dict[str, dict[int, int]] = {name: {} for name in names}
        self._sent_stamps: set[tuple[str, int]] = set()
        self._label_stamps: set[tuple[str, int]] = set()
        self._answered = 0

    @property
    def is_active(self) -> bool:
        """Whether the node has told of the classes of every camera."""
        return not self._tables

    @property
    def sent_count(self) -> int:
        """Images of all cameras that were sent."""
        return sum(map(len, self.sent.values()))

    @property
    def label_count(self) -> int:
        """Labels of all cameras that came."""
        return sum(map(len, self.labels.values()))

    @property
    def has_all_labels(self) -> bool:
        """Whether every image that was sent has its label; labels of others do not count."""
        return self._answered == len(self._sent_stamps) > 0

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
            name: now[name].since(before.get(name, Counters()))
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
        if kind == 'frame':
            self._note_sent(camera, event['bag_stamp_ns'], event['stamp_ns'])
            self.latest_ms = max(self.latest_ms or 0.0, event['late_ms'])
        elif kind == 'label':
            self._note_label(camera, ReceivedLabel(event['stamp_ns'], event['received_ns']))
        elif event['stamp_ns'] not in self.seen_ns[camera]:
            stamp_ns = event['stamp_ns']
            self.seen_ns[camera][stamp_ns] = event['received_ns']
            self._note_sent(camera, stamp_ns, stamp_ns)

    def _note_sent(self, camera: str, bag_stamp_ns: int, stamp_ns: int) -> None:
        sent, key = self.sent[camera], (camera, stamp_ns)
        sent.append(SentFrame(len(sent), bag_stamp_ns, stamp_ns))
        # The events of two processes: a label may be told of before its image.
        if key not in self._sent_stamps:
            self._answered += key in self._label_stamps
        self._sent_stamps.add(key)

    def _note_label(self, camera: str, label: ReceivedLabel) -> None:
        key = (camera, label.stamp_ns)
        self.labels[camera].append(label)
        if key not in self._label_stamps:
            self._answered += key in self._sent_stamps
        self._label_stamps.add(key)
