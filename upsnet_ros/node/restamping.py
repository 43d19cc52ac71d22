# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Header stamps of serialised messages: read and replaced without decoding the rest.

Holds for every type that begins with std_msgs/Header: the stamp lies at a fixed place in its CDR
bytes.
"""

from __future__ import annotations

import struct

STAMP_OFFSET = 4  # after the four bytes of the CDR encapsulation header
NANOSECONDS = 1_000_000_000
STAMPS_KEPT = 256


def stamp_format(data: bytes) -> str:
    """The struct format of the stamp: CDR's second byte is odd for little endian."""
    return '<iI' if data[1] & 1 else '>iI'


def read_stamp_ns(data: bytes) -> int:
    """The header's stamp [ns] of a message that begins with std_msgs/Header."""
    seconds, nanoseconds = struct.unpack_from(stamp_format(data), data, STAMP_OFFSET)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def with_stamp_ns(data: bytes, stamp_ns: int) -> bytes:
    """The same message with another header stamp [ns]; the argument is not changed."""
    stamp = struct.pack(stamp_format(data), *divmod(stamp_ns, NANOSECONDS))
    return b''.join((data[:STAMP_OFFSET], stamp, data[STAMP_OFFSET + len(stamp) :]))


class Restamper:
    """Gives each recorded stamp one new stamp: the time at which it is first asked for."""

    def __init__(self) -> None:
        self._new_stamp_of: dict[int, int] = {}
        self._last_ns = 0

    def begin_round(self) -> None:
        """The recorded stamps come once more; they get other new stamps, which still rise."""
        self._new_stamp_of.clear()

    def __call__(self, bag_stamp_ns: int, *, now_ns: int) -> int:
        """New stamps rise strictly, so that each of them names one recorded stamp."""
        if bag_stamp_ns not in self._new_stamp_of:
            self._last_ns = max(now_ns, self._last_ns + 1)
            self._new_stamp_of[bag_stamp_ns] = self._last_ns
            if len(self._new_stamp_of) > STAMPS_KEPT:
                self._new_stamp_of.pop(next(iter(self._new_stamp_of)))
        return self._new_stamp_of[bag_stamp_ns]
