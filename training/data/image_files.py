# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of pixels: camera images, PNGs of label ids, PNGs of segment ids (R + 256 G + 65536 B)."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from upsnet_ros.core.errors import ImageError

PICTURE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')  # in any case
PNG_SIGNATURE, JPEG_SIGNATURE = b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6  # colour types in a PNG's header
COLOUR_TYPES = {
    GREY: 'grey',
    RGB: 'RGB',
    PALETTE: 'a palette',
    GREY_ALPHA: 'grey with alpha',
    RGB_ALPHA: 'RGB with alpha',
}
EXIF_ORIENTATION = 0x0112
# Labels are flat areas, for which the fastest compression is hardly larger than the best.
FAST_PNG = (
    cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE
)  # fmt: skip


def read_image(path: Path) -> np.ndarray:
    """Read a colour image as uint8 ``[H, W, 3]`` BGR, turned as its EXIF orientation says.

    Raises:
        ImageError: If the file is missing, empty, cut off or cannot be decoded.
    """
    image = _decode(_read_bytes(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f'{path}: not a readable image; replace or remove the file')
    return image


def exif_orientation(path: Path) -> int:
    """How a viewer has to turn an image: 1 not at all, 2 to 8 as EXIF numbers it."""
    try:
        with Image.open(path) as image:
            orientation = image.getexif().get(EXIF_ORIENTATION, 1)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
        return 1
    return orientation if orientation in range(2, 9) else 1


def read_png(path: Path) -> np.ndarray:
    """Read a PNG of labels as it is.

    Args:
        path: PNG with a single channel of 8 or 16 bits.

    Returns:
        ``[H, W]``, uint8 or uint16.

    Raises:
        ImageError: If the file is missing, empty, cut off or something else; says what it is.
    """
    wanted = {(8, GREY), (16, GREY)}
    return _read_labels(path, wanted, 'single-channel PNG of 8 or 16 bits', cv2.IMREAD_UNCHANGED)


def read_index_png(path: Path) -> np.ndarray:
    """Read a PNG of labels as it is, also where the labels are the indices of a palette.

    Args:
        path: PNG with a single channel of 8 or 16 bits, or with a palette.

    Returns:
        ``[H, W]``, uint8 or uint16.

    Raises:
        ImageError: If the file is missing, empty, cut off or something else; says what it is.
    """
    data = _read_bytes(path)
    if not (data.startswith(PNG_SIGNATURE) and len(data) > 25 and data[25] == PALETTE):
        return read_png(path)
    try:
        with Image.open(io.BytesIO(data)) as image:  # OpenCV gives the colours
            return np.array(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(
            f'{path}: not a readable PNG with a palette; replace or remove the file'
        ) from error


def read_rgba_png(path: Path) -> np.ndarray:
    """Read a PNG of four channels as it is.

    Args:
        path: PNG with red, green, blue and alpha of 8 bits.

    Returns:
        uint8 ``[H, W, 4]`` RGBA.

    Raises:
        ImageError: If the file is missing, empty, cut off or something else; says what it is.
    """
    expected = 'PNG with four channels of 8 bits'
    pixels = _read_labels(path, {(8, RGB_ALPHA)}, expected, cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)


def read_rgb_png(path: Path) -> np.ndarray:
    """Read a PNG of colours as it is; an alpha channel is left out.

    Three quarters of the time that the same takes in OpenCV's own order of channels.

    Args:
        path: PNG with three channels of 8 bits.

    Returns:
        uint8 ``[H, W, 3]`` RGB.

    Raises:
        ImageError: If the file is missing, empty, cut off or something else; says what it is.
    """
    wanted = {(8, RGB), (8, RGB_ALPHA)}
    how = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    return _read_labels(path, wanted, 'PNG with three channels of 8 bits', how)


def read_segment_png(path: Path) -> np.ndarray:
    """Segment ids of a PNG.

    Args:
        path: PNG with three channels of 8 bits.

    Returns:
        uint32 ``[H, W]``, 0 where there is no segment.

    Raises:
        ImageError: If the file is missing, empty, cut off or something else.
    """
    colours = read_rgb_png(path)
    return cv2.cvtColor(colours, cv2.COLOR_RGB2RGBA).view(np.uint32)[:, :, 0] & 0xFFFFFF


def write_segment_png(path: Path, ids: np.ndarray) -> None:
    """Write segment ids, where :func:`read_segment_png` finds them again.

    Args:
        path: The file; its folder is made.
        ids: Integers ``[H, W]`` from 0 to 2^24 - 1.

    Raises:
        OSError: If the file cannot be written.
    """
    ids = np.ascontiguousarray(ids, np.uint32)
    colours = cv2.cvtColor(ids.view(np.uint8).reshape(*ids.shape, 4), cv2.COLOR_RGBA2BGR)
    write_png(path, colours, FAST_PNG)


def write_png(path: Path, pixels: np.ndarray, options: tuple[int, ...] = FAST_PNG) -> None:
    """Write a PNG.

    Args:
        path: The file; its folder is made.
        pixels: ``[H, W]`` or ``[H, W, 3]`` BGR, uint8 or uint16.
        options: Of OpenCV's encoder.

    Raises:
        OSError: If the file cannot be written.
    """
    # By way of memory, because `imwrite` does not say why a file cannot be written.
    done, data = cv2.imencode('.png', pixels, options)
    if not done:
        raise OSError(f'cannot encode {path}')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.tobytes())


def _read_labels(path: Path, wanted: set[tuple[int, int]], expected: str, how: int) -> np.ndarray:
    """The pixels of a PNG whose depth and colour type are among those wanted."""
    data = _read_bytes(path)
    if data.startswith(PNG_SIGNATURE) and len(data) > 25:
        depth, colours = data[24], data[25]
        if (depth, colours) not in wanted:
            kind = COLOUR_TYPES.get(colours, 'an unknown kind of colour')
            raise ImageError(
                f'{path}: a PNG of {depth} bits with {kind}, expected a {expected}; write the '
                'ids themselves'
            )
        pixels = _decode(data, how)
        if pixels is not None:
            return pixels
    found = 'a JPEG, which keeps no exact ids' if data.startswith(JPEG_SIGNATURE) else ''
    reason = f'{found}, ' if found else ''
    raise ImageError(f'{path}: {reason}not a readable {expected}; replace or remove the file')


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f'{path}: cannot be read ({error.strerror or error})') from error
    if not data:
        raise ImageError(f'{path}: the file is empty; replace or remove it')
    return data


def _decode(data: bytes, how: int) -> np.ndarray | None:
    # From memory, because `imread` paints the missing part of a JPEG grey and says nothing.
    try:
        return cv2.imdecode(np.frombuffer(data, np.uint8), how)
    except cv2.error:  # a header that promises more pixels than any image has
        return None
