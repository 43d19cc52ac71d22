# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Raw image messages to BGR arrays, without copies where they already have that layout.

cv_bridge converts where a ROS installation has one that is sound, and gives what the table here
gives, pixel for pixel. Its compiled part was built with NumPy 1 in all distributions up to Kilted
and takes the process down under NumPy 2, so it is not even imported there.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import cv2
import numpy as np

from upsnet_ros.core.errors import ImageError

MAX_IMAGE_PIXELS = 7680 * 4320
"""Default of the parameter `max_image_pixels`: 8K, whose BGR picture has 100 MB."""


class RawMessage(Protocol):
    """sensor_msgs/Image, of ROS or of a bag."""

    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: array[int] | np.ndarray


@dataclass(frozen=True)
class PixelLayout:
    """How the pixels of an encoding lie in memory.

    Attributes:
        channels: values per pixel; of planar encodings those of the first plane.
        bytes_per_value: 1 or 2; of two bytes the more significant one is kept.
        to_bgr: OpenCV conversion code, None when the pixels are BGR already.
        even_columns: the width must be even, two pixels of a row share their colour.
        has_colour_plane: half as many rows of colour follow those of brightness, each for two
            rows of pixels, so the height must be even.
        splits_colours: the colour rows are two planes, whose rows are half as long.
        least_side: fewest rows and columns that OpenCV converts rather than leaves black.
    """

    channels: int
    bytes_per_value: int = 1
    to_bgr: int | None = None
    even_columns: bool = False
    has_colour_plane: bool = False
    splits_colours: bool = False
    least_side: int = 1

    def row_bytes(self, width: int) -> int:
        """Bytes of the pixels of one row, without padding."""
        return width * self.channels * self.bytes_per_value

    def rows(self, height: int) -> int:
        """Rows of bytes that a picture of this height takes."""
        return height * 3 // 2 if self.has_colour_plane else height


def _bayer(to_bgr: int, bytes_per_value: int) -> PixelLayout:
    """The layout of a mosaic; a colour of each pixel is taken from its neighbours."""
    return PixelLayout(1, bytes_per_value, to_bgr, least_side=3)


_UYVY = PixelLayout(2, to_bgr=cv2.COLOR_YUV2BGR_UYVY, even_columns=True)
_YUYV = PixelLayout(2, to_bgr=cv2.COLOR_YUV2BGR_YUYV, even_columns=True)
_BGRA = PixelLayout(4, to_bgr=cv2.COLOR_BGRA2BGR)
_GREY = PixelLayout(1, to_bgr=cv2.COLOR_GRAY2BGR)
_BGR16 = PixelLayout(3, 2)
_BGRA16 = PixelLayout(4, 2, cv2.COLOR_BGRA2BGR)


def _half_colour(to_bgr: int, *, splits_colours: bool = False) -> PixelLayout:
    """The layout of a plane of brightness with a colour for each 2x2 pixels behind it."""
    return PixelLayout(
        1,
        to_bgr=to_bgr,
        even_columns=True,
        has_colour_plane=True,
        splits_colours=splits_colours,
    )


_I420 = _half_colour(cv2.COLOR_YUV2BGR_I420, splits_colours=True)

# Names as in image_encodings.hpp, and below those that drivers use beside them, which are found in
# capitals as well. Left out are those of measurements (16UC1 is depth, 32FC1 and
# the signed ones), whose values are no brightness, and nv24, which OpenCV does not convert.
LAYOUTS = {
    'bgr8': PixelLayout(3),
    '8UC3': PixelLayout(3),
    'rgb8': PixelLayout(3, to_bgr=cv2.COLOR_RGB2BGR),
    'bgra8': _BGRA,
    '8UC4': _BGRA,
    'rgba8': PixelLayout(4, to_bgr=cv2.COLOR_RGBA2BGR),
    'mono8': _GREY,
    '8UC1': _GREY,
    'mono16': PixelLayout(1, 2, cv2.COLOR_GRAY2BGR),
    'bgr16': _BGR16,
    '16UC3': _BGR16,
    'rgb16': PixelLayout(3, 2, cv2.COLOR_RGB2BGR),
    'bgra16': _BGRA16,
    '16UC4': _BGRA16,
    'rgba16': PixelLayout(4, 2, cv2.COLOR_RGBA2BGR),
    'bayer_rggb8': _bayer(cv2.COLOR_BayerRGGB2BGR, 1),
    'bayer_bggr8': _bayer(cv2.COLOR_BayerBGGR2BGR, 1),
    'bayer_gbrg8': _bayer(cv2.COLOR_BayerGBRG2BGR, 1),
    'bayer_grbg8': _bayer(cv2.COLOR_BayerGRBG2BGR, 1),
    'bayer_rggb16': _bayer(cv2.COLOR_BayerRGGB2BGR, 2),
    'bayer_bggr16': _bayer(cv2.COLOR_BayerBGGR2BGR, 2),
    'bayer_gbrg16': _bayer(cv2.COLOR_BayerGBRG2BGR, 2),
    'bayer_grbg16': _bayer(cv2.COLOR_BayerGRBG2BGR, 2),
    'uyvy': _UYVY,
    'yuv422': _UYVY,  # the name until ROS 2 Iron
    'yuyv': _YUYV,
    'yuv422_yuy2': _YUYV,  # the name until ROS 2 Iron
    'nv12': _half_colour(cv2.COLOR_YUV2BGR_NV12),
    'nv21': _half_colour(cv2.COLOR_YUV2BGR_NV21),
    'yuv420': _I420,  # of OAK cameras, in capitals, and of libcamera
    'yuv420p': _I420,  # of FFmpeg
    'i420': _I420,  # of GStreamer
    'yu12': _I420,  # of V4L2
    'yv12': _half_colour(cv2.COLOR_YUV2BGR_YV12, splits_colours=True),
    'yvyu': PixelLayout(2, to_bgr=cv2.COLOR_YUV2BGR_YVYU, even_columns=True),
}


def check_image_size(width: int, height: int, max_pixels: int) -> None:
    """Refuses a picture without pixels or with too many, before any memory is given to it.

    Args:
        width: columns that a message or the header of a file claims.
        height: rows that it claims.
        max_pixels: greatest allowed product of the two.

    Raises:
        ImageError: names size and limit, and what to do.
    """
    if width == 0 or height == 0:
        raise ImageError(f'image size is {width}x{height}, expected at least one pixel')
    if width * height > max_pixels:
        raise ImageError(
            f'image size is {width}x{height}, {width * height} pixels, limit {max_pixels}; let '
            "the camera send smaller images or raise the parameter 'max_image_pixels'"
        )


def decode_raw(message: RawMessage, *, max_pixels: int) -> np.ndarray:
    """The picture of a raw image message.

    Args:
        message: an image of one of the encodings in `LAYOUTS`.
        max_pixels: greatest allowed product of width and height.

    Returns:
        BGR uint8 [H, W, 3], C-contiguous, read-only where it shares the message's memory.

    Raises:
        ImageError: the message cannot be read; names the field, what it holds and what was
            expected.
    """
    layout = _layout(message.encoding)
    if layout is None:
        raise ImageError(
            f"image encoding is '{message.encoding}', expected one of: {', '.join(LAYOUTS)}; set "
            'the camera driver to one of them'
        )
    pixels = pixel_rows(message, layout, max_pixels=max_pixels)
    # Not with padded rows, which it reads askew where the padding is no whole pixel.
    if message.step == layout.row_bytes(message.width) and _bridge_is_sound(message.encoding):
        bridged = _bridged(message)
        if bridged is not None:
            return bridged
    return _converted(message, layout, pixels)


def _layout(encoding: str) -> PixelLayout | None:
    return LAYOUTS.get(encoding) or LAYOUTS.get(encoding.lower())


def _converted(message: RawMessage, layout: PixelLayout, pixels: np.ndarray) -> np.ndarray:
    """The picture by the table, of the bytes of its pixels, uint8 [rows, bytes of a row]."""
    if layout.bytes_per_value == 2:
        pixels = pixels[:, 0 if message.is_bigendian else 1 :: 2]  # the significant ones
    values = np.ascontiguousarray(pixels.reshape(len(pixels), message.width, layout.channels))
    return values if layout.to_bgr is None else cv2.cvtColor(values, layout.to_bgr)  # [H, W, 3]


@cache
def cv_bridge() -> Any:
    """cv_bridge's converter; None where there is none, or where it would not be sound."""
    if np.lib.NumpyVersion(np.__version__) >= '2.0.0.dev0':
        return None
    try:
        from cv_bridge import CvBridge

        return CvBridge()
    except Exception:  # whatever a broken installation raises
        return None


@cache
def _bridge_is_sound(encoding: str) -> bool:
    """Whether cv_bridge gives of a small random picture just what the table does.

    Of 16 bits it does not: it divides by 257 where here the more significant byte is taken.
    """
    layout = _layout(encoding)
    if cv_bridge() is None or layout is None:
        return False
    side = 8
    step = layout.row_bytes(side)
    data = np.random.default_rng(1).integers(0, 256, layout.rows(side) * step, np.uint8)
    message = _Trial(side, side, encoding, 0, step, array('B', data.tobytes()))
    expected = _converted(message, layout, pixel_rows(message, layout, max_pixels=side * side))
    bridged = _bridged(message)
    return bridged is not None and np.array_equal(bridged, expected)


@dataclass
class _Trial:
    height: int
    width: int
    encoding: str
    is_bigendian: int
    step: int
    data: array[int] | np.ndarray


def _bridged(message: RawMessage) -> np.ndarray | None:
    """The picture by cv_bridge; None where it fails or gives something else."""
    try:
        image = np.ascontiguousarray(cv_bridge().imgmsg_to_cv2(message, 'bgr8'))
    except Exception:  # it refuses by errors of its own and of OpenCV
        return None
    is_picture = image.dtype == np.uint8 and image.shape == (message.height, message.width, 3)
    return image if is_picture else None


def pixel_rows(message: RawMessage, layout: PixelLayout, *, max_pixels: int) -> np.ndarray:
    """The bytes of a raw image's pixels, without the padding of its rows.

    Returns:
        uint8 [rows, bytes of a row], a view into the message's memory.

    Raises:
        ImageError: size, step and data do not fit each other or the layout.
    """
    check_image_size(message.width, message.height, max_pixels)
    _check_sides(message, layout)
    _check_memory(message, layout)
    height, width = layout.rows(message.height), layout.row_bytes(message.width)
    rows = np.frombuffer(message.data, dtype=np.uint8).reshape(height, message.step)
    if layout.splits_colours and message.step != width:
        # Their rows are padded to half of a step; without that, two of them make one row.
        colours = rows[message.height :].reshape(message.height, message.step // 2)
        rows = np.concatenate(
            (rows[: message.height, :width], colours[:, : width // 2].reshape(-1, width))
        )
    return rows[:, :width]


def _check_sides(message: RawMessage, layout: PixelLayout) -> None:
    """Raises ImageError for a width or height that the encoding cannot have."""
    if min(message.width, message.height) < layout.least_side:
        raise ImageError(
            f'image size is {message.width}x{message.height}, expected at least '
            f"{layout.least_side} pixels on every side for '{message.encoding}'"
        )
    sides = [('width', message.width)] if layout.even_columns else []
    sides += [('height', message.height)] if layout.has_colour_plane else []
    for side, pixels in sides:
        if pixels % 2:
            raise ImageError(
                f"image {side} is {pixels}, expected an even number for '{message.encoding}'"
            )


def _check_memory(message: RawMessage, layout: PixelLayout) -> None:
    """Raises ImageError unless step and amount of data fit the size."""
    row_bytes = layout.row_bytes(message.width)
    if message.step < row_bytes:
        raise ImageError(
            f'image step is {message.step} bytes, expected at least {row_bytes} for '
            f"{message.width} pixels of '{message.encoding}'"
        )
    if layout.splits_colours and message.step % 2:
        raise ImageError(
            f'image step is {message.step} bytes, expected an even number for '
            f"'{message.encoding}': the colours take half of it"
        )
    rows = layout.rows(message.height)
    expected = message.step * rows
    if len(message.data) != expected:
        colour = ', a half more for the colours' if layout.has_colour_plane else ''
        raise ImageError(
            f'image data has {len(message.data)} bytes, expected {expected}: step {message.step} '
            f'times height {message.height}{colour}'
        )
