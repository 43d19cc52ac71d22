# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernel's buffers for UDP, which decide over large images wherever these travel by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from upsnet_ros.doctor.dds import is_large_data, profile_fits_images, uses_fast_dds
from upsnet_ros.doctor.finding import Finding, doubtful, fine
from upsnet_ros.doctor.shared_memory import has_room
from upsnet_ros.doctor.subject import Subject

WHAT = 'socket buffers'


@dataclass(frozen=True)
class Setting:
    """A setting of the kernel.

    Attributes:
        name: as `sysctl` writes it.
        limit: least or greatest value that is fine.
        is_least: whether the limit is the least value.
        recommended: value to set.
    """

    name: str
    limit: int
    is_least: bool
    recommended: int

    def fits(self, value: int) -> bool:
        """Whether a value is fine."""
        return value >= self.limit if self.is_least else value <= self.limit


# One raw image of 2048x1024 in colour is 6.3 MB, in fragments of 1500 bytes. The recommended
# values are those that ROS's documentation gives for tuning DDS.
SETTINGS = (
    Setting('net.core.rmem_max', 8 * 2**20, True, 2**31 - 1),
    Setting('net.core.wmem_max', 8 * 2**20, True, 2**31 - 1),
    Setting('net.ipv4.ipfrag_high_thresh', 128 * 2**20, True, 128 * 2**20),
    Setting('net.ipv4.ipfrag_time', 3, False, 3),
)


def images_travel_by_udp(subject: Subject) -> bool:
    """Whether images go over the network stack even within this computer."""
    by_memory = profile_fits_images(subject) and has_room(subject)
    return not (uses_fast_dds(subject) and (by_memory or is_large_data(subject)))


def read_settings(subject: Subject) -> dict[str, int | None]:
    """The kernel's values by name; None where they cannot be seen."""
    values: dict[str, int | None] = {}
    for setting in SETTINGS:
        try:
            path = subject.proc.joinpath('sys', *setting.name.split('.'))
            values[setting.name] = int(path.read_text())
        except (OSError, ValueError):
            values[setting.name] = None
    return values


def check_sockets(subject: Subject) -> Iterator[Finding]:
    """Sizes and times of the kernel, judged only where images depend on them."""
    values = read_settings(subject)
    shown = ', '.join(
        f'{name} {"not visible" if value is None else value}' for name, value in values.items()
    )
    if not images_travel_by_udp(subject):
        yield fine(WHAT, f'{shown} (UDP carries images to other computers only)', **values)
        return
    small = [
        setting
        for setting in SETTINGS
        if (value := values[setting.name]) is None or not setting.fits(value)
    ]
    if not small:
        yield fine(WHAT, shown, **values)
        return
    yield doubtful(
        WHAT,
        shown,
        expected=', '.join(
            f'{setting.name} {"at least" if setting.is_least else "at most"} {setting.limit}'
            for setting in small
        )
        + ', because images travel by UDP here',
        remedy='on the host: sudo sysctl -w '
        + ' '.join(f'{setting.name}={setting.recommended}' for setting in small),
        **values,
    )
