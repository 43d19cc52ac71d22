# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the player and the recorder of a live replay tell, as it comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live.node_state import Counters, Statuses, counted_since, counters_of
from upsnet_ros.evaluation.live.processes import Event


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
