# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a PNG file says of itself, checked before a decoder believes it.

OpenCV 5 gives memory to whatever size a chunk claims before it looks for its bytes. Here each
chunk is checked against the end of the file and by its checksum, and only those that make the
picture are handed on: text, profiles and animations can hold what unpacks to far more.

Source: PNG Specification (Third Edition), W3C.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.limits import check_image_size

PNG_START = b'\x89PNG\r\n\x1a\n'
_HEADER_BYTES = 13
# Channels by colour type: grey, RGB, palette, grey with alpha, RGB with alpha.
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
# Deflate stores at most 258 bytes in two bits.
_GREATEST_RATIO = 1032


def checked_png(data: bytes, *, max_pixels: int) -> bytes:
    """The parts of a PNG file that make its picture, as a file of its own.

    Args:
        data: the file; bytes behind its end are left out.
        max_pixels: greatest allowed product of width and height.

    Raises:
        ImageError: the file is cut off, damaged or too large, or claims what it cannot hold.
    """
    parts = [PNG_START]
    packed_bytes = raw_bytes = 0
    for start, kind, content in _chunks(data):
        if start == len(PNG_START):
            raw_bytes = _checked_header(kind, content, max_pixels)
        elif kind == b'IHDR':
            raise ImageError('PNG has a second header, expected one; the file is damaged')
        if kind in (b'IHDR', b'PLTE', b'IDAT', b'IEND'):
            parts.append(data[start : start + len(content) + 12])
        packed_bytes += len(content) if kind == b'IDAT' else 0
    if packed_bytes * _GREATEST_RATIO < raw_bytes:
        raise ImageError(
            f'PNG has {packed_bytes} bytes of pixels, too few for the {raw_bytes} that its header '
            'claims; the file is damaged'
        )
    return b''.join(parts)


def _chunks(data: bytes) -> Iterator[tuple[int, bytes, memoryview]]:
    """Start, type and content of each chunk up to the last one, which must be IEND."""
    view = memoryview(data)
    start, kind = len(PNG_START), b''
    while kind != b'IEND':
        if len(data) - start < 12:
            raise _cut_off(data)
        length = int.from_bytes(view[start : start + 4], 'big')
        kind = bytes(view[start + 4 : start + 8])
        if length > len(data) - start - 12:
            raise _cut_off(data, f': chunk {kind!r} at byte {start} claims {length} bytes')
        checked, end = start + 4, start + 8 + length
        if zlib.crc32(view[checked:end]) != int.from_bytes(view[end : end + 4], 'big'):
            raise ImageError(
                f'PNG chunk {kind!r} at byte {start} has a wrong checksum; the file was damaged '
                'between the camera and this node'
            )
        yield start, kind, view[start + 8 : end]
        start = end + 4


def _cut_off(data: bytes, where: str = '') -> ImageError:
    """The error for a file that ends too early."""
    return ImageError(
        f'PNG is cut off after {len(data)} bytes{where}, expected a file with its end; look for '
        'losses between the camera and this node'
    )


def _checked_header(kind: bytes, content: memoryview, max_pixels: int) -> int:
    """Checks the first chunk; returns the bytes of all unpacked rows, at least."""
    if kind != b'IHDR' or len(content) != _HEADER_BYTES:
        raise ImageError(
            f'PNG begins with chunk {kind!r} of {len(content)} bytes, expected IHDR of '
            f'{_HEADER_BYTES}; the file is damaged'
        )
    width, height, depth, colour, packing, filtering, interlace = struct.unpack('>2I5B', content)
    check_image_size(width, height, max_pixels)
    if depth not in _DEPTHS.get(colour, ()) or packing or filtering or interlace > 1:
        raise ImageError(
            f'PNG header has depth {depth}, colour type {colour}, packing {packing}, filtering '
            f'{filtering}, interlace {interlace}, which PNG does not have; the file is damaged'
        )
    return height * (width * depth * _CHANNELS[colour] // 8)
