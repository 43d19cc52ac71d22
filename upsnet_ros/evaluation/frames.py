# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frames that were sent, labels that came back, and which belong together: joined by stamp."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class SentFrame:
    """One camera image given to the node.

    Attributes:
        index: Number in the drive, from 0.
        bag_stamp_ns: Header stamp in the bag [ns]: ground truth is found by it.
        stamp_ns: Header stamp with which it was sent [ns]: labels are found by it.
    """

    index: int
    bag_stamp_ns: int
    stamp_ns: int


@dataclass(frozen=True)
class ReceivedLabel:
    """Arrival of one label image: its header stamp and the system time [ns]."""

    stamp_ns: int
    received_ns: int


@dataclass(frozen=True)
class FrameOutcome:
    """What became of a frame; `received_ns` is None where no label came back."""

    frame: SentFrame
    received_ns: int | None

    @property
    def labelled(self) -> bool:
        """Whether a label came back."""
        return self.received_ns is not None

    @property
    def latency_ms(self) -> float | None:
        """From the image's stamp to the arrival of its label."""
        if self.received_ns is None:
            return None
        return (self.received_ns - self.frame.stamp_ns) / 1e6


@dataclass(frozen=True)
class JoinedFrames:
    """All frames of a replay in the order sent, and the labels that fit none of them.

    Attributes:
        outcomes: One for each frame sent.
        duplicates: Labels that came for a frame that had one already.
        strangers: Labels whose stamp no frame had.
    """

    outcomes: tuple[FrameOutcome, ...]
    duplicates: int
    strangers: int

    @property
    def sent(self) -> int:
        """Number of frames sent."""
        return len(self.outcomes)

    @property
    def labelled(self) -> int:
        """Number of frames for which a label came back."""
        return sum(outcome.labelled for outcome in self.outcomes)

    @property
    def dropped(self) -> int:
        """Number of frames without a label."""
        return self.sent - self.labelled


def join_by_stamp(sent: Sequence[SentFrame], labels: Sequence[ReceivedLabel]) -> JoinedFrames:
    """Give each frame the first label with exactly its stamp.

    Raises:
        ValueError: two frames were sent with one stamp, so labels cannot be told apart.
    """
    stamps = {frame.stamp_ns for frame in sent}
    if len(stamps) != len(sent):
        raise ValueError(
            f'{len(sent)} frames were sent with {len(stamps)} different stamps; expected one '
            'stamp for each frame. The bag repeats stamps within one camera.'
        )
    arrival: dict[int, int] = {}
    duplicates = strangers = 0
    for label in labels:
        if label.stamp_ns not in stamps:
            strangers += 1
        elif label.stamp_ns in arrival:
            duplicates += 1
        else:
            arrival[label.stamp_ns] = label.received_ns
    outcomes = tuple(FrameOutcome(frame, arrival.get(frame.stamp_ns)) for frame in sent)
    return JoinedFrames(outcomes, duplicates, strangers)
