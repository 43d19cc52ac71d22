# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every format of data set offers: a list of frames, their images and label images."""

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np

from training.data.errors import BrokenFrame
from upsnet_ros.core.errors import ImageError
from upsnet_ros.core.labels import LabelSet

PNG_SIGNATURE = b'\x89PNG\r\n\x1a\n'
RGB_OF_8_BITS = bytes((8, 2))  # depth and colour type in the header


@dataclass(frozen=True)
class Frame:
    """Files of one image.

    Attributes:
        name: Unique in its split, for messages.
        image: Camera image.
        instances: PNG of the truth.
    """

    name: str
    image: Path
    instances: Path

    def fingerprint(self) -> str:
        """Text that changes with what is known of the frame beside its two files."""
        return ''

    def stamp(self) -> list[str | int] | None:
        """What changes when the frame does: names, sizes, times; None when a file is missing."""
        try:
            files = [os.stat(path) for path in (self.image, self.instances)]
        except OSError:
            return None
        times = [value for file in files for value in (file.st_size, file.st_mtime_ns)]
        return [str(self.instances), *times, self.fingerprint()]


@dataclass(frozen=True)
class FrameList:
    """What names and annotations say of a split, before any picture is read.

    Attributes:
        frames: Those whose annotations are sound; their files need not be.
        broken: The others, and truth whose image is missing.
        unpaired: See :func:`unpaired_files`.
        remarks: What is allowed but hints at the wrong label set, one line each.
    """

    frames: list[Frame]
    broken: list[BrokenFrame]
    unpaired: dict[str, list[str]]
    remarks: list[str]


class FrameReader(ABC):
    """A data set of some format.

    Args:
        root: Its folder.
        label_set: Classes that the label images are written in.

    Attributes:
        default_label_set: Name of the classes that data sets of the format usually have.
        expected: What a folder of the format holds, for messages.
        expected_split: What it holds of each split, for messages.
    """

    default_label_set: ClassVar[str]
    expected: ClassVar[str]
    expected_split: ClassVar[str]

    def __init__(self, root: Path, label_set: LabelSet) -> None:
        self.root = root
        self.label_set = label_set

    @staticmethod
    @abstractmethod
    def fits(root: Path) -> bool:
        """Whether a folder has the names of the format."""

    @abstractmethod
    def splits(self) -> set[str]:
        """Names of the splits with truth, as the files have them."""

    @abstractmethod
    def splits_without_truth(self) -> set[str]:
        """Names of the splits that have images alone, as Cityscapes' ``train_extra``."""

    @abstractmethod
    def find_split(self, split: str) -> str:
        """The name of a split as the files have it.

        Raises:
            DataError: If there is none.
        """

    @abstractmethod
    def survey(self, split: str) -> FrameList:
        """Look at the names and annotations of a split; what is wrong is told, not raised.

        Raises:
            DataError: If the split is not there, is empty, or its annotations are malformed as a
                whole.
        """

    @abstractmethod
    def frames(self, split: str) -> list[Frame]:
        """Frames of a split in a fixed order; their files need not be there.

        Raises:
            DataError: If the split is not there, is empty, or its annotations are malformed.
        """

    @abstractmethod
    def read_image(self, frame: Frame) -> np.ndarray:
        """Colour image, uint8 ``[H, W, 3]`` BGR.

        Raises:
            ImageError: If the file cannot be decoded.
        """

    @abstractmethod
    def read_label_image(self, frame: Frame) -> np.ndarray:
        """Truth, uint16 ``[H, W]``: ``class << 8 | instance``.

        Objects count from 1 per class; a thing class with instance 0 is a crowd; void is 65535.

        Raises:
            ImageError: If the file cannot be decoded.
            DataError: If it holds values that its annotations do not explain.
        """


def unpaired_files(
    root: Path, images: Iterable[Path], truth: Iterable[Path]
) -> dict[str, list[str]]:
    """Files that belong to no frame.

    Args:
        root: Folder of the data set.
        images: Those without truth.
        truth: That without an image.

    Returns:
        ``images_without_truth`` and ``truth_without_image``, relative to the root and sorted.
    """
    kinds = {'images_without_truth': images, 'truth_without_image': truth}
    return {
        kind: sorted(str(path.relative_to(root)) for path in paths)
        for kind, paths in kinds.items()
    }


def read_image(path: Path) -> np.ndarray:
    """Read a colour image as uint8 ``[H, W, 3]`` BGR.

    Raises:
        ImageError: If the file is missing, empty, cut off or cannot be decoded.
    """
    image = _decode(_read_bytes(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(f'{path}: not a readable image; replace or remove the file')
    return image


def read_png(path: Path) -> np.ndarray:
    """Read a PNG of labels as it is.

    Args:
        path: PNG with a single channel of 8 or 16 bits.

    Returns:
        ``[H, W]``, uint8 or uint16.

    Raises:
        ImageError: If the file is missing, empty, cut off or something else.
    """
    pixels = _decode(_read_bytes(path), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.ndim != 2:
        raise ImageError(f'{path}: not a readable single-channel PNG; replace or remove the file')
    return pixels


def read_rgb_png(path: Path) -> np.ndarray:
    """Read a PNG of colours as it is.

    Three quarters of the time that the same takes in OpenCV's own order of channels.

    Args:
        path: PNG with three channels of 8 bits.

    Returns:
        uint8 ``[H, W, 3]`` RGB.

    Raises:
        ImageError: If the file is missing, empty, cut off or something else.
    """
    data = _read_bytes(path)
    pixels = None
    if data.startswith(PNG_SIGNATURE) and data[24:26] == RGB_OF_8_BITS:
        pixels = _decode(data, cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        raise ImageError(
            f'{path}: not a readable PNG with three channels of 8 bits; replace or remove the file'
        )
    return pixels


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
