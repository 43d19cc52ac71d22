# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a JPEG file says of itself, checked before a decoder believes it.

A few bytes may claim 32000x32000 pixels, and a decoder fills what is missing with grey. Here the
markers are walked through to the end of the picture, and only those that make it are handed on:
thumbnails, profiles and camera notes (Exif) are not parsed by anyone.

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.limits import check_image_size

JPEG_START = b'\xff\xd8'
_END, _SCAN = 0xD9, 0xDA
# Sequential with 8 or 12 bits, and progressive, all of them with Huffman codes.
_FRAMES = (0xC0, 0xC1, 0xC2)
_OTHER_FRAMES = (0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
# Huffman and quantisation tables, restart interval; JFIF and Adobe name the colour space.
_KEPT = (0xC4, 0xDB, 0xDD, 0xE0, 0xEE)
_LEFT_OUT = (*range(0xE1, 0xEE), 0xEF, 0xFE)
# Encoders write up to ten or so; each costs a walk through the whole picture.
_MAX_SCANS = 32
_MAX_SAMPLING = 4
# Any number of 0xFF may stand before a marker.
_FILLING = re.compile(rb'\xff+')
# In the compressed pixels 0xFF is followed by zero or a restart marker; all else ends them.
_AFTER_SCAN = re.compile(rb'\xff[^\x00\xd0-\xd7\xff]')


@dataclass
class _Walk:
    """What was found on the way through the markers of a file.

    Attributes:
        data: the file.
        max_pixels: greatest allowed product of width and height.
        parts: what is handed on.
        blocks: 8x8 blocks of all components, 0 before the header of the frame.
        scans: headers of scans so far.
        scan_bytes: compressed pixels so far.
    """

    data: bytes
    max_pixels: int
    parts: list[bytes] = field(default_factory=lambda: [JPEG_START])
    blocks: int = 0
    scans: int = 0
    scan_bytes: int = 0


def checked_jpeg(data: bytes, *, max_pixels: int) -> bytes:
    """The parts of a JPEG file that make its picture, as a file of its own.

    Args:
        data: the file; bytes behind its end are left out.
        max_pixels: greatest allowed product of width and height.

    Raises:
        ImageError: the file is cut off, damaged, too large or of a kind that cameras do not send,
            or claims what it cannot hold.
    """
    walk = _Walk(data, max_pixels)
    position = len(JPEG_START)
    while True:
        marker, position = _marker(data, position)
        if marker == _END:
            break
        position = _take_segment(walk, marker, position)
    # Each block takes at least one bit.
    if not walk.blocks or walk.scan_bytes * 8 < walk.blocks:
        raise ImageError(
            f'JPEG has {walk.scan_bytes} bytes of pixels, too few for the {walk.blocks} blocks '
            'that its header claims; the file is damaged'
        )
    return b''.join((*walk.parts, b'\xff\xd9'))


def _marker(data: bytes, position: int) -> tuple[int, int]:
    """The marker at a position, and where its segment begins."""
    if position < len(data) and data[position] != 0xFF:
        raise ImageError(
            f'JPEG has {data[position]:#04x} at byte {position}, expected a marker; the file is '
            'damaged'
        )
    match = _FILLING.match(data, position)
    if match is None or match.end() >= len(data):
        raise _cut_off(data)
    return data[match.end()], match.end() + 1


def _take_segment(walk: _Walk, marker: int, position: int) -> int:
    """Checks a segment and keeps it where it is needed; returns where the next marker is."""
    data = walk.data
    if marker not in (*_FRAMES, *_OTHER_FRAMES, *_KEPT, *_LEFT_OUT, _SCAN):
        raise ImageError(
            f'JPEG has marker {marker:#04x} at byte {position - 1}, which no picture has there; '
            'the file is damaged'
        )
    length = int.from_bytes(data[position : position + 2], 'big')
    end = position + length
    if len(data) - position < 2 or end > len(data):
        raise _cut_off(data, f': marker {marker:#04x} claims {length} bytes')
    if length < 2:
        raise ImageError(
            f'JPEG marker {marker:#04x} claims {length} bytes, expected at least 2; the file is '
            'damaged'
        )
    if marker in (*_FRAMES, *_OTHER_FRAMES):
        _take_frame(walk, marker, data[position + 2 : end])
    if marker == _SCAN:
        end = _scan_end(walk, end)
    if marker not in _LEFT_OUT:
        walk.parts += (bytes((0xFF, marker)), data[position:end])
    return end


def _take_frame(walk: _Walk, marker: int, content: bytes) -> None:
    """Checks size, depth and components of the picture."""
    if marker in _OTHER_FRAMES:
        raise ImageError(
            f'JPEG is of kind SOF{marker - 0xC0}, expected a baseline or progressive one (SOF0 to '
            'SOF2); set the camera driver to baseline JPEG'
        )
    if walk.blocks:
        raise ImageError('JPEG has a second frame header, expected one; the file is damaged')
    components = content[5] if len(content) > 5 else 0
    if len(content) != 6 + 3 * components or components not in (1, 3) or content[0] != 8:
        raise ImageError(
            f'JPEG frame header has {len(content)} bytes, {content[0] if content else 0} bits and '
            f'{components} components, expected 8 bits and 1 or 3 components; set the camera '
            'driver to grey or colour JPEG'
        )
    height, width = (int.from_bytes(content[at : at + 2], 'big') for at in (1, 3))
    check_image_size(width, height, walk.max_pixels)
    walk.blocks = _count_blocks(width, height, content[7::3])


def _count_blocks(width: int, height: int, sampling: bytes) -> int:
    """8x8 blocks of all components; sampling has a byte for each: across in the upper half."""
    across, down = [code >> 4 for code in sampling], [code & 15 for code in sampling]
    if not all(1 <= factor <= _MAX_SAMPLING for factor in (*across, *down)):
        raise ImageError(
            f'JPEG has sampling factors {across} by {down}, expected 1 to {_MAX_SAMPLING}; the '
            'file is damaged'
        )
    return sum(
        -(-width * a // (8 * max(across))) * -(-height * d // (8 * max(down)))
        for a, d in zip(across, down, strict=True)
    )


def _scan_end(walk: _Walk, start: int) -> int:
    """Where the compressed pixels that begin at `start` end."""
    walk.scans += 1
    if not walk.blocks or walk.scans > _MAX_SCANS:
        raise ImageError(
            f'JPEG has scan {walk.scans} {"before" if not walk.blocks else "after"} its frame '
            f'header, expected 1 to {_MAX_SCANS} behind it; set the camera driver to baseline JPEG'
        )
    match = _AFTER_SCAN.search(walk.data, start)
    if match is None:
        raise _cut_off(walk.data)
    walk.scan_bytes += match.start() - start
    return match.start()


def _cut_off(data: bytes, where: str = '') -> ImageError:
    """The error for a file that ends too early."""
    return ImageError(
        f'JPEG is cut off after {len(data)} bytes{where}, expected a file with its end; look for '
        'losses between the camera and this node'
    )
