# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The drive as a film (for players and browsers) and as a moving picture (for the report).

OpenCV's wheels bring no H.264 encoder. VP8 in WebM is in all of them, is quick on two cores and
plays in every present browser and in VLC; MPEG-4 stands in where a build of OpenCV lacks it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.panels import fit_width

CODECS = (('VP80', '.webm'), ('mp4v', '.mp4'))
# The line between camera and labels wanders over this part of the width in this time.
SWEEP_SECONDS = 6.0
SWEEP_REACH = 0.42
# Wide enough to see edges; encoding a film of 1024 px takes twice the time.
FILM_WIDTH = 768
ANIMATION_WIDTH = 640
ANIMATION_FRAMES = 60
ANIMATION_QUALITY = 62


def sweep_position(seconds: float) -> float:
    """Where the dividing line stands at a time of the film, 0..1; it begins in the middle."""
    return 0.5 - SWEEP_REACH * math.sin(2 * math.pi * seconds / SWEEP_SECONDS)


@contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Swallow what C code writes to standard error.

    OpenCV tells there that WebM has no four-letter code for VP8, which it then does without, and
    of every codec that is not built in; neither means anything to the reader.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class DriveVideo:
    """A film that is written frame by frame. Close it before use."""

    def __init__(self, stem: Path, *, frames_per_second: float) -> None:
        self._stem = stem
        self._rate = frames_per_second
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self.path: Path | None = None

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        for codec, suffix in CODECS:
            path = self._stem.with_suffix(suffix)
            with quiet_standard_error():
                writer = cv2.VideoWriter(
                    str(path), cv2.VideoWriter.fourcc(*codec), self._rate, (width, height)
                )
            if writer.isOpened():
                self.path = path
                return writer
        raise EvaluationError(
            f'this OpenCV writes neither {" nor ".join(c for c, _ in CODECS)}; '
            'install opencv-python-headless from PyPI.'
        )

    def add(self, picture: np.ndarray) -> None:
        """Append a picture, BGR uint8 [H, W, 3].

        All take the size of the first, made even as codecs want it.
        """
        if self._writer is None:
            shown = fit_width(picture, min(FILM_WIDTH, picture.shape[1]))
            self._size = (shown.shape[1] // 2 * 2, shown.shape[0] // 2 * 2)
            self._writer = self._open(*self._size)
        self._writer.write(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA))

    def close(self) -> None:
        """Finish the file; harmless when nothing was added."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None


@dataclass
class _Kept:
    picture: np.ndarray
    milliseconds: int


class MovingPicture:
    """An animated WebP of the drive's first seconds, small enough to lie inside a page."""

    def __init__(self, *, frames_per_second: float) -> None:
        self._milliseconds = round(1000 / frames_per_second)
        self._kept: list[_Kept] = []

    def add(self, picture: np.ndarray) -> None:
        """Append a picture, BGR uint8 [H, W, 3], while there is room."""
        if len(self._kept) < ANIMATION_FRAMES:
            small = fit_width(picture, min(ANIMATION_WIDTH, picture.shape[1]))
            if self._kept:
                height, width = self._kept[0].picture.shape[:2]
                small = cv2.resize(small, (width, height))
            self._kept.append(_Kept(small, self._milliseconds))

    def encode(self) -> bytes:
        """The animation as WebP bytes that loop forever; empty when nothing was added."""
        if not self._kept:
            return b''
        animation = cv2.Animation()
        animation.frames = [kept.picture for kept in self._kept]
        animation.durations = np.array([k.milliseconds for k in self._kept], np.int32)
        animation.loop_count = 0
        done, data = cv2.imencodeanimation(
            '.webp', animation, [cv2.IMWRITE_WEBP_QUALITY, ANIMATION_QUALITY]
        )
        if not done:
            raise EvaluationError(
                'this OpenCV cannot write animated WebP; install opencv-python-headless >= 4.11.'
            )
        return bytes(data)

    def still(self) -> np.ndarray | None:
        """One picture of it for those who asked for less motion, or None when empty."""
        return self._kept[len(self._kept) // 2].picture if self._kept else None
