# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether large images get from process to process: middleware, profile, discovery range."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from upsnet_ros.dds_profile import (
    FRAGMENT_BYTES,
    MIB,
    ProfileSizes,
    heeded_variables,
    profile_variable,
)
from upsnet_ros.doctor.finding import Finding, Subject, doubtful, fine, wrong
from upsnet_ros.installed_files import find_installed

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


def profile_in_use(subject: Subject) -> tuple[str, Path] | None:
    """Variable and path of the profile; None if there is none."""
    for name in heeded_variables(subject.environment):
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


DEFAULT_MIDDLEWARE = 'rmw_fastrtps_cpp'
FAST_DDS = (DEFAULT_MIDDLEWARE, 'rmw_fastrtps_dynamic_cpp')
PROFILE = 'Fast DDS profile'
DISCOVERY = 'discovery range'
RANGES = ('', 'SUBNET', 'LOCALHOST', 'SYSTEM_DEFAULT')


def middleware(subject: Subject) -> str:
    """The implementation of ROS's middleware in use."""
    return subject.variable('RMW_IMPLEMENTATION') or DEFAULT_MIDDLEWARE


def uses_fast_dds(subject: Subject) -> bool:
    """Whether Fast DDS carries the messages, to which alone our profile applies."""
    return middleware(subject) in FAST_DDS


def is_large_data(subject: Subject) -> bool:
    """Whether Fast DDS's own transports for large messages are asked for."""
    return subject.variable('FASTDDS_BUILTIN_TRANSPORTS').upper().startswith('LARGE_DATA')


def profile_fits_images(subject: Subject) -> bool:
    """Whether a profile with enough shared memory is in use."""
    in_use = profile_in_use(subject)
    if in_use is None:
        return False
    try:
        transport = read_transport(in_use[1])
    except (OSError, ValueError):
        return False
    return transport is not None and transport.fits(subject.needed)


def check_middleware(subject: Subject) -> Iterator[Finding]:
    """Which implementation of the middleware is in use."""
    name = middleware(subject)
    if uses_fast_dds(subject):
        is_default = not subject.variable('RMW_IMPLEMENTATION')
        yield fine('ROS middleware', name + (' (default)' if is_default else ''))
        return
    yield doubtful(
        'ROS middleware',
        name,
        expected=f'{DEFAULT_MIDDLEWARE}, which this package is tested with; its profile for large '
        'images does not apply to others',
        remedy=f'export RMW_IMPLEMENTATION={DEFAULT_MIDDLEWARE}, or tune {name} for messages of '
        '6 MB as its documentation says',
    )


def _large_profile(subject: Subject) -> str:
    """The profile that is wanted, in words."""
    needed = subject.needed
    return (
        f'shared memory of {needed.segment_bytes // MIB} MiB for messages of '
        f'{needed.message_bytes // MIB} MiB, and a queue of {needed.queue_capacity}'
    )


def _remedy(subject: Subject) -> str:
    """How to get the profile that is wanted: ours, or one made for more cameras."""
    variable = profile_variable(subject.environment)
    ours = find_installed(OUR_PROFILE)
    transport = None if ours is None else read_transport(ours)
    where = 'where cameras, node and subscribers start'
    if transport is None or transport.fits(subject.needed):
        return f'export {variable}={ours or OUR_PROFILE} {where}'
    width, height = subject.camera_size
    return (
        f'python -m upsnet_ros.dds_profile --cameras {subject.cameras} --size {width}x{height} > '
        f'profile.xml, and export {variable}=$PWD/profile.xml {where}'
    )


def check_profile(subject: Subject) -> Iterator[Finding]:
    """Whether Fast DDS may use enough shared memory for images."""
    if not uses_fast_dds(subject):
        yield fine(PROFILE, f'not used by {middleware(subject)}')
        return
    variable = profile_variable(subject.environment)
    in_use = profile_in_use(subject)
    if in_use is not None:
        yield _judge_profile(subject, *in_use)
    elif is_large_data(subject):
        yield fine(PROFILE, 'none, but FASTDDS_BUILTIN_TRANSPORTS is LARGE_DATA')
    else:
        yield doubtful(
            PROFILE,
            f'{variable} is not set; the launch file sets it for the node, not for others',
            expected=f'a profile with {_large_profile(subject)}, else most images above 512 KiB '
            'are lost',
            remedy=_remedy(subject),
        )


def _judge_profile(subject: Subject, variable: str, path: Path) -> Finding:
    ours = find_installed(OUR_PROFILE)
    try:
        transport = read_transport(path)
        is_ours = ours is not None and path.read_bytes() == ours.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return wrong(
            PROFILE,
            f"{variable} is '{path}', which cannot be used: {reason}",
            expected='a profile, else Fast DDS goes on without one and most images are lost',
            remedy=_remedy(subject),
        )
    if transport is not None and transport.fits(subject.needed):
        size = f'{transport.segment_bytes // MIB} MiB of shared memory'
        whose = f"that of this package ({variable}='{path}')" if is_ours else f"'{path}'"
        return fine(PROFILE, f'{whose}, with {size}')
    found = (
        'no shared memory of its own'
        if transport is None
        else f'{transport.segment_bytes} bytes of shared memory for messages of '
        f'{transport.message_bytes}, and a queue of {transport.queue_capacity}'
    )
    return doubtful(
        PROFILE,
        f"'{path}' gives its default participant {found}",
        expected=_large_profile(subject),
        remedy=f'copy the SHM transport of a fitting one, or {_remedy(subject)}',
    )


def check_discovery(subject: Subject) -> Iterator[Finding]:
    """Ranges that keep nodes apart, or undo the transports for large messages."""
    wanted = subject.variable('ROS_AUTOMATIC_DISCOVERY_RANGE').upper()
    is_local = wanted == 'LOCALHOST' or subject.variable('ROS_LOCALHOST_ONLY') == '1'
    shown = wanted or 'SUBNET (default)'
    if is_local and uses_fast_dds(subject) and is_large_data(subject):
        if not profile_fits_images(subject):
            yield wrong(
                DISCOVERY,
                'LOCALHOST with FASTDDS_BUILTIN_TRANSPORTS=LARGE_DATA, which it undoes: every '
                'large image is lost',
                expected='only one of the two, or a profile with shared memory',
                remedy=f'unset FASTDDS_BUILTIN_TRANSPORTS and use {OUR_PROFILE}',
            )
            return
    if wanted == 'OFF':
        yield doubtful(
            DISCOVERY,
            'OFF: nodes find no other node, not even on this computer',
            expected='SUBNET, or LOCALHOST for one computer',
            remedy='unset ROS_AUTOMATIC_DISCOVERY_RANGE',
        )
    elif wanted not in RANGES:
        yield doubtful(
            DISCOVERY,
            f"ROS_AUTOMATIC_DISCOVERY_RANGE is '{wanted}', which ROS does not know",
            expected='SUBNET, LOCALHOST, OFF or SYSTEM_DEFAULT',
            remedy='correct ROS_AUTOMATIC_DISCOVERY_RANGE',
        )
    else:
        yield fine(DISCOVERY, 'LOCALHOST' if is_local else shown)
