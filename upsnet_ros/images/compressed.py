# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""JPEG, PNG and TIFF files of messages as arrays.

A few bytes may claim a picture of gigabytes, so kind and size are read first, by Pillow, and a
file is refused by them before anything is decoded. Pillow also decodes PNG, with every checksum
looked at, and TIFF. JPEG is left to OpenCV, which takes half the time; but it fills what is
missing with grey, so a file must have its end.

A rotation that a file suggests to viewers (Exif) is not applied: the pixels stay where the sensor
has them, since `camera_info` describes the sensor and the labels must lie on the same pixels.
"""

from __future__ import annotations

import io
import re
import struct
from array import array
from typing import Protocol

import cv2
import numpy as np
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.raw import check_image_size

# Named one by one and not looked for with `Image.open`, which tries other formats as well and
# has a limit of its own for all of the process.
_READERS: dict[bytes, type[JpegImageFile | PngImageFile | TiffImageFile]] = {
    b'\xff\xd8': JpegImageFile,
    b'\x89PNG\r\n\x1a\n': PngImageFile,
    b'II*\0': TiffImageFile,
    b'MM\0*': TiffImageFile,
}
# What Pillow raises for files that are damaged in one way or another.
_DAMAGED = (SyntaxError, ValueError, OSError)
_JPEG_START, _JPEG_END, _JPEG_SCAN = b'\xff\xd8', b'\xff\xd9', b'\xff\xda'
# Looked for all at once: one walk through the file, where each by itself takes as long.
_JPEG_MARKERS = re.compile(b'|'.join((_JPEG_START, _JPEG_END, _JPEG_SCAN)))
# Each 8x8 block of a JPEG takes at least one bit; deflate makes of a byte at most 1032, LZW 2730.
_MOST_PIXELS_PER_BYTE: dict[type[ImageFile], int] = {
    JpegImageFile: 8 * 64,
    PngImageFile: 8 * 1032,
    TiffImageFile: 8 * 2730,
}
# What of a TIFF's directory says where its pixels are and what they mean: size, bits, compression,
# photometric interpretation, strips, samples, planes, predictor, palette, extra samples, format.
_TIFF_TAGS = {254, 256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 317, 320, 338, 339}
_TIFF_COMPRESSION, _TIFF_COMPRESSIONS = 259, (1, 5, 8, 32773, 32946)
_TIFF_MODES = ('1', 'L', 'LA', 'P', 'RGB', 'RGBA', 'RGBX', 'I;16', 'I;16B')
# Grey of 16 bits: in a TIFF, in a PNG, and in a PNG by Pillow before 11, which takes 32 for it.
_DEEP_GREY = ('I;16', 'I;16B', 'I')
# Encoders write up to ten or so; each costs a walk through the whole picture.
_MAX_SCANS = 32
# Four values of 16 bits, unpacked, and room for what is said of the picture beside it.
_MOST_BYTES_PER_PIXEL, _NOTES_BYTES = 8, 1 << 20
# By the part of its size that a JPEG is decoded at, the smallest picture first.
_JPEG_FLAGS = {
    8: cv2.IMREAD_REDUCED_COLOR_8,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    1: cv2.IMREAD_COLOR,
}
_SHOWN_BYTES, _SHOWN_FORMAT = 8, 60


class CompressedMessage(Protocol):
    """sensor_msgs/CompressedImage, of ROS or of a bag."""

    format: str
    data: array[int] | np.ndarray


def decode_compressed(
    message: CompressedMessage, *, max_pixels: int, shown_in: tuple[int, int] | None = None
) -> tuple[np.ndarray, int]:
    """The picture of a JPEG, PNG or TIFF file.

    16 bits become their more significant 8, grey and palettes BGR; transparency is left out.

    Args:
        message: the file; what it is, is told by its first bytes, not by the format's name.
        max_pixels: greatest allowed product of width and height.
        shown_in: height and width into which the picture will be scaled [px]; a JPEG is decoded
            at a half, quarter or eighth of its size where it fills them still. None for all of it.

    Returns:
        BGR uint8 [H, W, 3], C-contiguous, and how many rows and columns of the file one of the
        picture stands for: 1, 2, 4 or 8.

    Raises:
        ImageError: the file cannot be read or should not be; says why.
    """
    try:
        return _decode(message.data, max_pixels, shown_in)
    except ImageError as error:
        raise _named(message, error) from error


def decode_compressed_values(message: CompressedMessage, *, max_pixels: int) -> np.ndarray:
    """The values of a PNG of one channel as they are: uint8 or uint16 [H, W].

    Raises:
        ImageError: the file is no such PNG, or as for `decode_compressed`.
    """
    try:
        data = _copied(message.data, max_pixels)
        picture = _opened(data, max_pixels)
        if picture.mode not in ('L', *_DEEP_GREY) or not isinstance(picture, PngImageFile):
            raise ImageError(
                f'it is a {picture.format} of mode {picture.mode}, expected a PNG of one channel '
                'of 16 bits'
            )
        values = np.asarray(_loaded_png(data))
        return values if picture.mode == 'L' else values.astype(np.uint16, copy=False)
    except ImageError as error:
        raise _named(message, error) from error


def _named(message: CompressedMessage, error: ImageError) -> ImageError:
    return ImageError(f"compressed image of format '{message.format[:_SHOWN_FORMAT]}': {error}")


def _decode(
    packed: array[int] | np.ndarray, max_pixels: int, shown_in: tuple[int, int] | None
) -> tuple[np.ndarray, int]:
    data = _copied(packed, max_pixels)
    if _READERS.get(data[:4]) is TiffImageFile:
        data = _bare_tiff(data)
    picture = _opened(data, max_pixels)
    if isinstance(picture, PngImageFile):
        return _to_bgr(_loaded_png(data)), 1
    if isinstance(picture, TiffImageFile):
        return _to_bgr(_loaded_tiff(picture, data)), 1
    reduction = 1 if shown_in is None else _reduction(picture, shown_in)
    flags = _JPEG_FLAGS[reduction] | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f'it cannot be decoded: {error.err}') from error
    if image is None:
        raise ImageError(
            f'it cannot be decoded, although its {len(data)} bytes have the header of a JPEG; '
            'expected a sound file; set the camera driver to baseline JPEG'
        )
    return image, reduction


def _reduction(picture: ImageFile, shown_in: tuple[int, int]) -> int:
    """The greatest part that leaves no pixel over and fills what the picture is shown in."""
    most = max(picture.height / shown_in[0], picture.width / shown_in[1])
    return next(
        part
        for part in _JPEG_FLAGS
        if part == 1 or (part <= most and not picture.height % part and not picture.width % part)
    )


def _copied(packed: array[int] | np.ndarray, max_pixels: int) -> bytes:
    """The bytes of a file; one that no allowed picture needs is refused before it is copied."""
    limit = max_pixels * _MOST_BYTES_PER_PIXEL + _NOTES_BYTES
    if len(packed) > limit:
        raise ImageError(
            f'it has {len(packed)} bytes, limit {limit} for {max_pixels} pixels; let the camera '
            "send smaller images or raise the parameter 'max_image_pixels'"
        )
    return bytes(packed)


def _opened(data: bytes, max_pixels: int) -> ImageFile:
    """The file with its header read, which claims a size that is allowed and can be."""
    reader = next((reader for start, reader in _READERS.items() if data.startswith(start)), None)
    if reader is None:
        raise ImageError(
            f'it begins with bytes {data[:_SHOWN_BYTES].hex(" ")}, expected a JPEG, PNG or TIFF '
            'file; set the image transport of the camera to one of them'
            if data
            else 'it has no data, expected a JPEG, PNG or TIFF file'
        )
    file = io.BytesIO(data)
    try:
        picture = reader(file)
    except _DAMAGED as error:
        raise _damaged(data, error) from error
    check_image_size(*picture.size, max_pixels)
    if picture.width * picture.height > _MOST_PIXELS_PER_BYTE[reader] * len(data):
        raise ImageError(
            f'it claims {picture.width}x{picture.height} pixels, too many for its {len(data)} '
            'bytes; the file is damaged'
        )
    if reader is JpegImageFile:
        _check_scans(data, file.tell())
    return picture


def _check_scans(data: bytes, start: int) -> None:
    """Refuses a JPEG that is cut off, or slow on purpose; its first scan begins at `start`.

    In the compressed pixels 0xFF is followed by zero, so a marker found there is one. Another
    picture may follow the end of this one, but not take its place.
    """
    markers = _JPEG_MARKERS.findall(data, start)
    if _JPEG_END not in markers or _JPEG_START in markers[: markers.index(_JPEG_END)]:
        raise _damaged(data, 'it is cut off, expected a JPEG with its end')
    scans = 1 + markers.count(_JPEG_SCAN)
    if scans > _MAX_SCANS:
        raise ImageError(
            f'it has {scans} scans, expected 1 to {_MAX_SCANS}; set the camera driver to baseline '
            'JPEG'
        )


def _loaded_png(data: bytes) -> PngImageFile:
    """A PNG with its pixels, all checksums and the end looked at first."""
    try:
        PngImageFile(io.BytesIO(data)).verify()
        picture = PngImageFile(io.BytesIO(data))
        picture.load()
    except _DAMAGED as error:
        raise _damaged(data, error) from error
    return picture


def _bare_tiff(data: bytes) -> bytes:
    """A TIFF with a directory of what its pixels need: no rotation, notes or further pages.

    Readers would apply the one, and take memory for the others before they know of any limit.
    """
    order = '<' if data[:1] == b'I' else '>'
    try:
        (place,) = struct.unpack_from(f'{order}I', data, 4)
        (count,) = struct.unpack_from(f'{order}H', data, place)
        entries = [
            struct.unpack_from(f'{order}HHI4s', data, place + 2 + 12 * i) for i in range(count)
        ]
    except struct.error as error:
        raise _damaged(data, error) from error
    kept = {entry[0]: entry for entry in reversed(entries) if entry[0] in _TIFF_TAGS}
    if sum(values for _, _, values, _ in kept.values()) > len(data):
        raise _damaged(data, 'its directory claims more values than there are bytes')
    if _TIFF_COMPRESSION in kept:
        (compression,) = struct.unpack_from(f'{order}H', kept[_TIFF_COMPRESSION][3])
        if compression not in _TIFF_COMPRESSIONS:
            raise ImageError(
                f'it is a TIFF of compression {compression}, expected none, LZW, deflate or '
                'PackBits; set the camera driver to one of them, or to JPEG or PNG'
            )
    directory = struct.pack(f'{order}H', len(kept))
    for tag in sorted(kept):
        directory += struct.pack(f'{order}HHI4s', *kept[tag])
    directory += bytes(4)  # no further page
    return data[:place] + directory + data[place + len(directory) :]


def _loaded_tiff(picture: TiffImageFile, data: bytes) -> TiffImageFile:
    """A TIFF with its pixels."""
    if picture.mode not in _TIFF_MODES:
        raise ImageError(
            f'it is a TIFF of mode {picture.mode}, expected grey, a palette or RGB with 8 or 16 '
            'bits'
        )
    try:
        picture.load()
    except _DAMAGED as error:
        raise _damaged(data, error) from error
    return picture


def _to_bgr(picture: ImageFile) -> np.ndarray:
    """BGR uint8 [H, W, 3] of a PNG or TIFF of any kind."""
    if picture.mode in _DEEP_GREY:
        grey = (np.asarray(picture) >> 8).astype(np.uint8)
        return cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR)
    picture.info.pop('transparency', None)  # of a colour or palette entry, which is left out
    return cv2.cvtColor(np.asarray(picture.convert('RGB')), cv2.COLOR_RGB2BGR)


def _damaged(data: bytes, reason: object) -> ImageError:
    return ImageError(
        f'its {len(data)} bytes cannot be read: {reason}; the file is cut off or damaged, look '
        'for losses between the camera and this node'
    )
