# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Image messages to BGR arrays, without copies where the message already has that layout.

Written for NumPy rather than taken from cv_bridge, whose compiled part fails under NumPy 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from upsnet_ros.core.errors import ImageError


@dataclass(frozen=True)
class PixelLayout:
    """How the pixels of an encoding lie in memory.

    Attributes:
        channels: values per pixel.
        bytes_per_value: 1 or 2; of two bytes the more significant one is kept.
        to_bgr: OpenCV conversion code, None when the pixels are BGR already.
        even_columns: the width must be even, two pixels share their colour.
    """

    channels: int
    bytes_per_value: int = 1
    to_bgr: int | None = None
    even_columns: bool = False


_UYVY = PixelLayout(2, to_bgr=cv2.COLOR_YUV2BGR_UYVY, even_columns=True)
_YUYV = PixelLayout(2, to_bgr=cv2.COLOR_YUV2BGR_YUYV, even_columns=True)

LAYOUTS = {
    'bgr8': PixelLayout(3),
    '8UC3': PixelLayout(3),
    'rgb8': PixelLayout(3, to_bgr=cv2.COLOR_RGB2BGR),
    'bgra8': PixelLayout(4, to_bgr=cv2.COLOR_BGRA2BGR),
    'rgba8': PixelLayout(4, to_bgr=cv2.COLOR_RGBA2BGR),
    'mono8': PixelLayout(1, to_bgr=cv2.COLOR_GRAY2BGR),
    '8UC1': PixelLayout(1, to_bgr=cv2.COLOR_GRAY2BGR),
    'mono16': PixelLayout(1, bytes_per_value=2, to_bgr=cv2.COLOR_GRAY2BGR),
    'bgr16': PixelLayout(3, bytes_per_value=2),
    'rgb16': PixelLayout(3, bytes_per_value=2, to_bgr=cv2.COLOR_RGB2BGR),
    'bayer_rggb8': PixelLayout(1, to_bgr=cv2.COLOR_BayerRGGB2BGR),
    'bayer_bggr8': PixelLayout(1, to_bgr=cv2.COLOR_BayerBGGR2BGR),
    'bayer_gbrg8': PixelLayout(1, to_bgr=cv2.COLOR_BayerGBRG2BGR),
    'bayer_grbg8': PixelLayout(1, to_bgr=cv2.COLOR_BayerGRBG2BGR),
    'uyvy': _UYVY,
    'yuv422': _UYVY,  # the name until ROS 2 Iron
    'yuyv': _YUYV,
    'yuv422_yuy2': _YUYV,  # the name until ROS 2 Iron
}

JPEG_START, JPEG_END = b'\xff\xd8', b'\xff\xd9'
PNG_START, PNG_END = b'\x89PNG\r\n\x1a\n', b'IEND\xaeB`\x82'


def image_to_bgr(message: Image | CompressedImage) -> np.ndarray:
    """The picture of a message.

    Args:
        message: a raw or compressed image.

    Returns:
        BGR uint8 [H, W, 3], C-contiguous, read-only where it shares the message's memory.

    Raises:
        ImageError: the message cannot be read; names the field, what it holds and what was
            expected.
    """
    if isinstance(message, CompressedImage):
        return decode_compressed(message)
    return decode_raw(message)


def describe_encoding(message: Image | CompressedImage) -> str:
    """The encoding of a message in words, for diagnostics."""
    return message.format if isinstance(message, CompressedImage) else message.encoding


def decode_raw(message: Image) -> np.ndarray:
    """The picture of a raw image message; see `image_to_bgr`."""
    layout = LAYOUTS.get(message.encoding)
    if layout is None:
        raise ImageError(
            f"image encoding is '{message.encoding}', expected one of: {', '.join(LAYOUTS)}; set "
            'the camera driver to one of them'
        )
    _check_size(message, layout)
    values = _values(message, layout)  # [H, W, channels], a view where values are single bytes
    if layout.to_bgr is None:
        return np.ascontiguousarray(values)
    return cv2.cvtColor(np.ascontiguousarray(values), layout.to_bgr)  # [H, W, 3]


def _check_size(message: Image, layout: PixelLayout) -> None:
    """Raises ImageError unless width, height, step and the amount of data fit together."""
    if message.width == 0 or message.height == 0:
        raise ImageError(
            f'image size is {message.width}x{message.height}, expected at least one pixel'
        )
    if layout.even_columns and message.width % 2:
        raise ImageError(
            f"image width is {message.width}, expected an even number for '{message.encoding}'"
        )
    row_bytes = message.width * layout.channels * layout.bytes_per_value
    if message.step < row_bytes:
        raise ImageError(
            f'image step is {message.step} bytes, expected at least {row_bytes} for '
            f"{message.width} pixels of '{message.encoding}'"
        )
    expected = message.step * message.height
    if len(message.data) != expected:
        raise ImageError(
            f'image data has {len(message.data)} bytes, expected {expected}: step {message.step} '
            f'times height {message.height}'
        )


def _values(message: Image, layout: PixelLayout) -> np.ndarray:
    """The 8-bit values of a raw image without the padding of its rows: [H, W, channels]."""
    rows = np.frombuffer(message.data, dtype=np.uint8).reshape(message.height, message.step)
    row_bytes = message.width * layout.channels * layout.bytes_per_value
    pixels = rows[:, :row_bytes]
    if layout.bytes_per_value == 2:
        significant = 0 if message.is_bigendian else 1
        pixels = pixels[:, significant::2]
    return pixels.reshape(message.height, message.width, layout.channels)


def decode_compressed(message: CompressedImage) -> np.ndarray:
    """The picture of a compressed image message; see `image_to_bgr`."""
    data = message.data.tobytes() if hasattr(message.data, 'tobytes') else bytes(message.data)
    _check_complete(data, message.format)
    # The label image must lie on the pixels of the sensor, so a rotation that the file suggests
    # to viewers is not applied.
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), flags)
    except cv2.error as error:
        raise ImageError(
            f"compressed image of format '{message.format}' cannot be decoded: {error.err}"
        ) from error
    if image is None:
        raise ImageError(
            f"compressed image of format '{message.format}' with {len(data)} bytes cannot be "
            'decoded, expected a complete JPEG or PNG file'
        )
    return image


def _check_complete(data: bytes, image_format: str) -> None:
    """Raises ImageError for a file that ends early, which OpenCV would fill up with grey."""
    if not data:
        raise ImageError('compressed image has no data, expected a JPEG or PNG file')
    # Cameras may fill the end of their buffer with zeros.
    end = data.rstrip(b'\0')[-16:]
    is_cut = (data.startswith(JPEG_START) and not end.endswith(JPEG_END)) or (
        data.startswith(PNG_START) and PNG_END not in end
    )
    if is_cut:
        raise ImageError(
            f"compressed image of format '{image_format}' is cut off after {len(data)} bytes, "
            'expected a file with its end; look for losses between the camera and this node'
        )
