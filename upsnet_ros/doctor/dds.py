# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether large images get from process to process: middleware, profile, discovery range."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from upsnet_ros.doctor.dds_profile import (
    MESSAGE_BYTES,
    OUR_PROFILE,
    SEGMENT_BYTES,
    heeded_variables,
    profile_in_use,
    read_transport,
)
from upsnet_ros.doctor.finding import Finding, doubtful, fine, wrong
from upsnet_ros.doctor.subject import Subject
from upsnet_ros.installed_files import find_installed

DEFAULT_MIDDLEWARE = 'rmw_fastrtps_cpp'
FAST_DDS = (DEFAULT_MIDDLEWARE, 'rmw_fastrtps_dynamic_cpp')
PROFILE = 'Fast DDS profile'
DISCOVERY = 'discovery range'
RANGES = ('', 'SUBNET', 'LOCALHOST', 'SYSTEM_DEFAULT')
_LARGE_PROFILE = (
    f'shared memory of {SEGMENT_BYTES // 2**20} MiB for messages of {MESSAGE_BYTES // 2**20} MiB'
)


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
    return transport is not None and transport.fits_images


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


def check_profile(subject: Subject) -> Iterator[Finding]:
    """Whether Fast DDS may use enough shared memory for images."""
    if not uses_fast_dds(subject):
        yield fine(PROFILE, f'not used by {middleware(subject)}')
        return
    ours = find_installed(OUR_PROFILE)
    variable = heeded_variables(subject)[0]
    remedy = f'export {variable}={ours or OUR_PROFILE} where cameras, node and subscribers start'
    in_use = profile_in_use(subject)
    if in_use is not None:
        yield _judge_profile(*in_use, ours=ours, remedy=remedy)
    elif is_large_data(subject):
        yield fine(PROFILE, 'none, but FASTDDS_BUILTIN_TRANSPORTS is LARGE_DATA')
    else:
        yield doubtful(
            PROFILE,
            f'{variable} is not set; the launch file sets it for the node, not for others',
            expected=f'a profile with {_LARGE_PROFILE}, else most images above 512 KiB are lost',
            remedy=remedy,
        )


def _judge_profile(variable: str, path: Path, *, ours: Path | None, remedy: str) -> Finding:
    try:
        if ours is not None and path.read_bytes() == ours.read_bytes():
            return fine(PROFILE, f"that of this package ({variable}='{path}')")
        transport = read_transport(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return wrong(
            PROFILE,
            f"{variable} is '{path}', which cannot be used: {reason}",
            expected='a profile, else Fast DDS goes on without one and most images are lost',
            remedy=remedy,
        )
    if transport is not None and transport.fits_images:
        size = transport.segment_bytes // 2**20
        return fine(PROFILE, f"'{path}', with {size} MiB of shared memory")
    found = (
        'no shared memory of its own'
        if transport is None
        else f'{transport.segment_bytes} bytes of shared memory for messages of '
        f'{transport.message_bytes}'
    )
    return doubtful(
        PROFILE,
        f"'{path}' gives its default participant {found}",
        expected=_LARGE_PROFILE,
        remedy=f'copy its SHM transport from {ours or OUR_PROFILE}, or {remedy}',
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
