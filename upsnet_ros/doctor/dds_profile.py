# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The Fast DDS profile in use, read as Fast DDS reads it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path

from upsnet_ros.doctor.subject import Subject

SINCE_THREE = 'FASTDDS_DEFAULT_PROFILES_FILE'
BEFORE_THREE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
BEFORE_THREE_DISTRIBUTIONS = ('humble', 'jazzy')
OUR_PROFILE = 'config/fastdds.xml'
# Shared memory of one process that sends images, and its largest message [bytes], as in ours.
SEGMENT_BYTES = 96 * 2**20
MESSAGE_BYTES = 32 * 2**20
_LARGEST_FILE = 2**20


@dataclass(frozen=True)
class SharedMemoryTransport:
    """Shared memory as a profile asks for it.

    Attributes:
        segment_bytes: memory for all that a process sends.
        message_bytes: largest message that travels in one piece.
    """

    segment_bytes: int
    message_bytes: int

    @property
    def fits_images(self) -> bool:
        """Whether it is at least as large as that of our profile."""
        return self.segment_bytes >= SEGMENT_BYTES and self.message_bytes >= MESSAGE_BYTES


def heeded_variables(subject: Subject) -> tuple[str, ...]:
    """Variables that this Fast DDS takes its profile from, in its order."""
    if subject.variable('ROS_DISTRO') in BEFORE_THREE_DISTRIBUTIONS:
        return (BEFORE_THREE,)
    return (SINCE_THREE, BEFORE_THREE)


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
        SharedMemoryTransport(_number(entry, 'segment_size'), _number(entry, 'maxMessageSize'))
        for entry in root.iter('transport_descriptor')
        if entry.findtext('type', '').strip().upper() == 'SHM'
        and entry.findtext('transport_id', '').strip() in used
    ]
    return max(found, key=lambda transport: transport.segment_bytes, default=None)


def _number(entry: ElementTree.Element, name: str) -> int:
    """A size of a transport [bytes]; 0 where it is left to Fast DDS, whose own is too small."""
    text = entry.findtext(name, '0').strip()
    if not text.isdigit():
        raise ValueError(f"{name} is '{text}', no number")
    return int(text)
