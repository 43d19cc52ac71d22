# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages as a bag has them: their header stamps, and the definitions it brings along."""

from __future__ import annotations

import logging
import struct
from functools import cache
from typing import Any

from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from upsnet_ros.core.errors import BagError, ImageError

logger = logging.getLogger(__name__)

LABEL_TYPES = ('sensor_msgs/msg/CompressedImage', 'sensor_msgs/msg/Image')
# Their fields, for bags that bring no definitions along: ROS distributions have none of them.
VIDEO_TYPES = {
    'ffmpeg_image_transport_msgs/msg/FFMPEGPacket': (
        'std_msgs/Header header\nint32 width\nint32 height\nstring encoding\nuint64 pts\n'
        'uint8 flags\nbool is_bigendian\nuint8[] data\n'
    ),
    # It has no header, but begins with what a header holds.
    'foxglove_msgs/msg/CompressedVideo': (
        'builtin_interfaces/Time timestamp\nstring frame_id\nuint8[] data\nstring format\n'
    ),
}
IMAGE_TYPES = (*LABEL_TYPES, *VIDEO_TYPES)
COMPRESSED = 'sensor_msgs/msg/CompressedImage'
STANDARD = Stores.ROS2_JAZZY
HEADER = 'std_msgs/msg/Header'
NANOSECONDS = 1_000_000_000
Fields = list[tuple[str, object]]
STAMP_OFFSET = 4  # after CDR's encapsulation header, in every type that begins with a Header


@cache
def standard_store() -> Typestore:
    """What holds where a bag brings no definition along: ROS 2 Jazzy and the types of video."""
    store = get_typestore(STANDARD)
    for name, definition in VIDEO_TYPES.items():
        store.register(get_types_from_msg(definition, name))
    return store


def stamp_format(data: bytes) -> str:
    """The `struct` format of the stamp: CDR's second byte is odd for little endian."""
    return '<iI' if data[1] & 1 else '>iI'


def header_stamp_ns(data: bytes) -> int:
    """The header's stamp [ns] of a serialised message, without decoding the rest of it.

    Raises:
        BagError: there are too few bytes for a header.
    """
    try:
        seconds, nanoseconds = struct.unpack_from(stamp_format(data), data, STAMP_OFFSET)
    except (IndexError, struct.error) as error:
        raise BagError(f'{len(data)} bytes hold no header') from error
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def with_stamp_ns(data: bytes, stamp_ns: int) -> bytes:
    """The same message with another header stamp [ns]; the argument is not changed."""
    stamp = struct.pack(stamp_format(data), *divmod(stamp_ns, NANOSECONDS))
    return b''.join((data[:STAMP_OFFSET], stamp, data[STAMP_OFFSET + len(stamp) :]))


def as_compressed_image(packet: Any) -> bytes:
    """A serialised CompressedImage with the packet of a message of `VIDEO_TYPES`.

    What makes no picture of it reads it like any other video in such a message; its own message
    package need not be installed for that.
    """
    store = standard_store()
    has_header = hasattr(packet, 'header')
    stamp = packet.header.stamp if has_header else packet.timestamp
    message = store.types[COMPRESSED](
        header=store.types[HEADER](
            stamp=store.types['builtin_interfaces/msg/Time'](stamp.sec, stamp.nanosec),
            frame_id=packet.header.frame_id if has_header else packet.frame_id,
        ),
        # Of several names the first is that of the codec.
        format=packet.encoding.split(';')[0] if has_header else packet.format,
        data=packet.data,
    )
    return bytes(store.serialize_cdr(message, COMPRESSED))


def defined_store(definition: str, encoding: str, message_type: str) -> Typestore | None:
    """A store with one definition and what it needs, or None where it is damaged.

    Args:
        definition: text of the bag.
        encoding: `ros2msg`, `ros2idl` or `omgidl`.
        message_type: the type that it is of.
    """
    store = get_typestore(Stores.EMPTY)
    try:
        if encoding == 'ros2msg':
            store.register(get_types_from_msg(definition, message_type))
        else:
            for part in definition.split('=' * 80 + '\n'):
                idl = part.split('\n', 1)[1] if part.startswith('IDL: ') else part
                store.register(get_types_from_idl(idl) if idl.strip() else {})
        return (
            store if message_type in store.types and not _is_renamed(store, message_type) else None
        )
    except Exception as error:  # a definition is text of anyone's; the parsers fail in many ways
        logger.warning('the definition of %s cannot be read: %s', message_type, error)
        return None


def refuse_other_fields(store: Typestore, message_type: str) -> None:
    """Refuse images whose definition in the bag lacks what an image is made of.

    Fields beyond the usual ones are read over.

    Raises:
        ImageError: names the type and the fields.
    """
    for name, held, wanted in _image_fields(store, message_type):
        lacking = [field for field, kind in wanted if dict(held).get(field) != kind]
        if lacking:
            raise ImageError(
                f'the definition of {name} that the bag brings along has other fields than ROS '
                f'({", ".join(lacking)} missing or of another type), expected '
                f'{", ".join(field for field, _ in wanted)}; record the bag with '
                'the messages of a ROS distribution'
            )


def _is_renamed(store: Typestore, message_type: str) -> bool:
    """Whether fields of an image bear other names in the same places, as in damaged text."""
    found = _image_fields(store, message_type)
    is_same_layout = all(
        [k for _, k in held] == [k for _, k in wanted] for _, held, wanted in found
    )
    is_renamed = is_same_layout and any(held != wanted for _, held, wanted in found)
    if is_renamed:
        logger.warning('the definition of %s names its fields otherwise than ROS', message_type)
    return is_renamed


def _image_fields(store: Typestore, message_type: str) -> list[tuple[str, Fields, Fields]]:
    """Types that an image is made of, their fields in a store and in ROS; none of other types."""
    if message_type not in IMAGE_TYPES:
        return []
    standard = standard_store()
    has_header = 'header' in dict(_fields(standard, message_type))
    names = (message_type, HEADER) if has_header else (message_type,)
    return [(n, _fields(store, n), _fields(standard, n)) for n in names]


def _fields(store: Typestore, message_type: str) -> Fields:
    definition = store.fielddefs.get(message_type)
    return [] if definition is None else [(name, kind) for name, kind in definition[1]]
