# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether every image that was sent is accounted for: answered, or counted as lost by the node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

# Of the status of a camera: what became of its images.
LOSSES = (
    'dropped',
    'overflowed',
    'out_of_order',
    'rate_limited',
    'rejected',
    'failed',
    'discarded',
)
COUNTED = ('received', 'processed', *LOSSES)


class Accounts:
    """What was sent and read by the other side, and what the node says of that.

    Attributes:
        sent: images.
        read: messages of the node, by their kind; `labels` are the answers.
        counted: by the node, all cameras and activations together.
    """

    def __init__(self) -> None:
        self.sent = 0
        self.read: Counter[str] = Counter()
        self.counted: Counter[str] = Counter()

    def add_status(self, values: Mapping[str, str]) -> None:
        """Add the counters of one camera, which begin anew when the node is configured."""
        self.counted.update({name: int(values[name]) for name in COUNTED})

    @property
    def lost(self) -> int:
        """Images that the node itself counts as lost."""
        return sum(self.counted[name] for name in LOSSES)

    def failures(self) -> list[str]:
        """What does not add up."""
        found = []
        if self.sent != self.counted['processed'] + self.lost:
            found.append(
                f'{self.sent} images were sent, the node counts {self.counted["processed"]} '
                f'processed and {self.lost} lost'
            )
        if self.read['labels'] != self.counted['processed']:
            found.append(
                f'the node counts {self.counted["processed"]} images processed, '
                f'{self.read["labels"]} label images were read'
            )
        return found + [
            f'no {name} were read' for name, count in sorted(self.read.items()) if not count
        ]

    def as_fields(self) -> dict[str, object]:
        """For a JSON document."""
        return {
            'sent': self.sent,
            'read': dict(self.read),
            'counted': dict(self.counted),
            'lost': self.lost,
        }
