# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures and films of a file system, upright, as a viewer shows them.

Messages of a camera are read by the other files of this folder: there a label must lie on the
pixels of the sensor, so nothing is turned.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps

from upsnet_ros.core.errors import ImageError

PICTURE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')  # in any case
FILM_ENDINGS = ('.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.mpg', '.mpeg', '.ts', '.wmv')
FORMATS = ('JPEG', 'PNG', 'BMP', 'TIFF', 'WEBP')  # as Pillow calls them
# Telephones have up to 64 million pixels; a picture of that many takes 200 MB, and some are on
# their way at a time.
MOST_PIXELS = 1 << 26
LONGEST_SIDE = 65_500  # of the JPEG that is written of it
UPRIGHT = 1
EXIF_ORIENTATION = 0x0112
# Modes of Pillow whose values are no brightness that a camera could mean.
_NO_PICTURE = ('F', 'I')
# What Pillow raises for files that are damaged in one way or another.
_DAMAGED = (SyntaxError, ValueError, OSError, EOFError, IndexError, TypeError, ZeroDivisionError)
# Of the decoders themselves: what matters is told in our own words.
_QUIET = '-8'


@dataclass(frozen=True, eq=False)
class PictureFile:
    """A picture of a file.

    Attributes:
        image: BGR uint8 [H, W, 3], turned upright.
        orientation: as the file states it, 2 to 8 as EXIF numbers them; 1 if nothing was turned.
    """

    image: np.ndarray
    orientation: int


def read_picture(path: Path) -> PictureFile:
    """Read a JPEG, PNG, BMP, TIFF or WebP file.

    16 bits become their more significant 8, grey and palettes BGR; transparency is left out. Of
    several pictures in a file it is the first.

    Raises:
        ImageError: it is missing, cut off, damaged, too large or something else; says what.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f'cannot be read ({error.strerror}); look at its path and rights') from (
            error
        )
    if not data:
        raise ImageError('the file is empty, expected a picture; copy it again')
    Image.init()  # it loads the less usual of its readers only when it is told
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # of odd tags; sizes are looked at below
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
                _check_claim(picture)
                return _upright(picture)
    except Image.DecompressionBombError as error:
        raise ImageError(f'{error}; expected at most {MOST_PIXELS} pixels') from error
    except Image.UnidentifiedImageError as error:
        raise ImageError(
            f'its {len(data)} bytes begin with {data[:8].hex(" ")}, expected a JPEG, PNG, BMP, '
            'TIFF or WebP file; convert it'
        ) from error
    except _DAMAGED as error:
        raise ImageError(
            f'its {len(data)} bytes cannot be decoded ({error}): cut off or damaged; get the file '
            'again'
        ) from error


def _check_claim(picture: Image.Image) -> None:
    """Refuse by the header what would cost too much memory or is no picture."""
    _check_size(*picture.size)
    if picture.mode in _NO_PICTURE:
        raise ImageError(
            f'it has one channel of 32 bits (mode {picture.mode}), expected 8 or 16 bits; convert '
            'it'
        )


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise ImageError(
            f'it has {width}x{height} pixels, expected at most {MOST_PIXELS} in all and '
            f'{LONGEST_SIDE} on a side; make it smaller'
        )


def _upright(picture: Image.Image) -> PictureFile:
    found = picture.getexif().get(EXIF_ORIENTATION, UPRIGHT)
    orientation = found if found in range(2, 9) else UPRIGHT
    picture.load()
    turned = ImageOps.exif_transpose(picture)
    if turned.mode.startswith('I;16'):
        grey = (np.asarray(turned).astype(np.uint16) >> 8).astype(np.uint8)
        return PictureFile(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), orientation)
    turned.info.pop('transparency', None)  # of a colour or palette entry, which is left out
    rgb = np.asarray(turned.convert('RGB'))
    return PictureFile(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), orientation)


class FilmFile:
    """A film that is read frame by frame; close it.

    Args:
        path: its file.

    Attributes:
        rate_hz: frames a second as the file states them; 0 where it does not.
        stated_frames: how many it says that it has; 0 where it does not.
        rotation: how far its frames are turned to be upright, clockwise [degrees].

    Raises:
        ImageError: it cannot be read as a film.
    """

    def __init__(self, path: Path) -> None:
        os.environ.setdefault('OPENCV_FFMPEG_LOGLEVEL', _QUIET)
        level = cv2.utils.logging.getLogLevel()
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        try:
            self._capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
        except (cv2.error, UnicodeError) as error:
            raise ImageError(f'cannot be opened as a film ({error}); rename it') from error
        finally:
            cv2.utils.logging.setLogLevel(level)
        if not self._capture.isOpened():
            raise ImageError(
                'OpenCV cannot read it as a film: missing, cut off, damaged, or of a codec that '
                'this build lacks; try "ffmpeg -i FILM -c:v libx264 new.mp4"'
            )
        self.rate_hz = self._stated(cv2.CAP_PROP_FPS)
        self.stated_frames = int(self._stated(cv2.CAP_PROP_FRAME_COUNT))
        self.rotation = int(self._stated(cv2.CAP_PROP_ORIENTATION_META)) % 360

    def _stated(self, number: int) -> float:
        """A property; 0 where the file has nonsense."""
        value = self._capture.get(number)
        return value if 0 < value < 1e8 else 0.0

    def frames(self, wanted: Callable[[int], bool]) -> Iterator[tuple[int, np.ndarray | None]]:
        """All frames by their number from 0: BGR uint8 [H, W, 3], None for those not wanted.

        Raises:
            ImageError: a frame is larger than pictures may be.
        """
        number = 0
        while self._capture.grab():
            image = None
            if wanted(number):
                is_read, image = self._capture.retrieve()
                if not is_read:
                    return
                _check_size(image.shape[1], image.shape[0])
            yield number, image
            number += 1

    def close(self) -> None:
        """Let go of the file; safe to call twice."""
        self._capture.release()
