# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS profile in use, read as Fast DDS reads it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from upsnet_ros.dds_profile import (
    BEFORE_THREE_DISTRIBUTIONS,
    FRAGMENT_BYTES,
    VARIABLE_BEFORE_THREE,
    VARIABLE_SINCE_THREE,
    ProfileSizes,
)
from upsnet_ros.doctor.subject import Subject

OUR_PROFILE = 'config/fastdds.xml'
# Fast DDS's own number of fragments that may wait for a reader.
USUAL_QUEUE = 512
_LARGEST_FILE = 2**20


@dataclass(frozen=True)
class SharedMemoryTransport:
    """Shared memory as a profile asks for it.

    Attributes:
        segment_bytes: memory for all that a process sends.
        message_bytes: largest message.
        queue_capacity: fragments that may wait for one reading process.
    """

    segment_bytes: int
    message_bytes: int
    queue_capacity: int

    def fits(self, needed: ProfileSizes) -> bool:
        """Whether the images that need these sizes find room."""
        return (
            self.segment_bytes >= needed.segment_bytes
            and self.message_bytes >= needed.message_bytes
            and self.queue_capacity * FRAGMENT_BYTES >= needed.segment_bytes
        )


def heeded_variables(subject: Subject) -> tuple[str, ...]:
    """Variables that this Fast DDS takes its profile from, in its order."""
    if subject.variable('ROS_DISTRO') in BEFORE_THREE_DISTRIBUTIONS:
        return (VARIABLE_BEFORE_THREE,)
    return (VARIABLE_SINCE_THREE, VARIABLE_BEFORE_THREE)


def profile_in_use(subject: Subject) -> tuple[str, Path] | None:
    """Variable and path of the profile; None if there is none."""
    for name in heeded_variables(subject):
        if subject.variable(name):
            return name, Path(subject.variable(name))
    return None


def read_transport(path: Path) -> SharedMemoryTransport | None:
    """The largest shared memory that the default participant of a profile uses; None for none.

    Raises:
        ValueError: the file is no profile.
        OSError: it cannot be read.
    """
    if path.stat().st_size > _LARGEST_FILE:
        raise ValueError(f'it has {path.stat().st_size} bytes, too many for a profile')
    try:
        root = ElementTree.fromstring(path.read_bytes())
    except ElementTree.ParseError as error:
        raise ValueError(f'it is no XML ({error})') from error
    for element in root.iter():
        element.tag = element.tag.rpartition('}')[2]  # the namespace says nothing here
    used = {
        entry.text.strip()
        for participant in root.iter('participant')
        if participant.get('is_default_profile', '').lower() in ('true', '1')
        for entry in participant.iterfind('rtps/userTransports/transport_id')
        if entry.text
    }
    found = [
        SharedMemoryTransport(
            _number(entry, 'segment_size'),
            _number(entry, 'maxMessageSize'),
            _number(entry, 'port_queue_capacity', otherwise=USUAL_QUEUE),
        )
        for entry in root.iter('transport_descriptor')
        if entry.findtext('type', '').strip().upper() == 'SHM'
        and entry.findtext('transport_id', '').strip() in used
    ]
    return max(found, key=lambda transport: transport.segment_bytes, default=None)


def _number(entry: ElementTree.Element, name: str, *, otherwise: int = 0) -> int:
    """A number of a transport; sizes left to Fast DDS, whose own are too small, count as 0."""
    text = entry.findtext(name, str(otherwise)).strip()
    if not text.isdigit():
        raise ValueError(f"{name} is '{text}', no number")
    return int(text)
