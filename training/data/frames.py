# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What every format of data set offers: a list of frames, their images and label images."""

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from training.data.errors import BrokenFrame, DataError, list_problems
from training.data.image_files import PICTURE_ENDINGS, exif_orientation, read_image
from upsnet_ros.core.labels import LabelSet

SPLIT = 'SPLIT'  # in the name of a folder: stands for the name of the split


@dataclass(frozen=True)
class Frame:
    """Files of one image.

    Attributes:
        name: Unique in its split; the key of all that is kept of a frame.
        image: Camera image.
        instances: PNG of the truth; None where there is no truth.
    """

    name: str
    image: Path
    instances: Path | None

    def fingerprint(self) -> str:
        """Text that changes with what is known of the frame beside its two files."""
        return ''

    def stamp(self) -> list[str | int] | None:
        """What changes when the frame does: names, sizes, times; None when a file is missing."""
        try:
            files = [os.stat(path) for path in (self.image, self.instances) if path]
        except OSError:
            return None
        times = [value for file in files for value in (file.st_size, file.st_mtime_ns)]
        return [str(self.instances), *times, self.fingerprint()]


@dataclass(frozen=True)
class Places:
    """Where the files of a split lie, if not where the format has them.

    Attributes:
        images: Folder of the images, relative to the data set; ``SPLIT`` stands for the split.
        truth: Folder of the truth, likewise; of COCO panoptic the JSON file lies beside it.
    """

    images: str = ''
    truth: str = ''

    def __post_init__(self) -> None:
        """Refuse what leads out of the data set."""
        for name, place in (('images', self.images), ('truth', self.truth)):
            if place.startswith('/') or '..' in place.split('/'):
                raise DataError(
                    f'folder of {name} is {place!r}, expected one below the data set, such as '
                    f'pictures/{SPLIT}'
                )


USUAL = Places()


@dataclass(frozen=True)
class FrameList:
    """What names and annotations say of a split, before any picture is read.

    Attributes:
        frames: Those whose annotations are sound; their files need not be.
        broken: The others.
        remarks: What is allowed but hints at the wrong label set, one line each.
        annotations: The file that describes them, if there is one.
        unpaired: See :func:`unpaired_files`; only :meth:`FrameReader.survey` looks for them.
    """

    frames: list[Frame]
    broken: list[BrokenFrame]
    remarks: list[str] = field(default_factory=list)
    annotations: Path | None = None
    unpaired: dict[str, list[str]] = field(default_factory=dict)

    def sound_frames(self) -> list[Frame]:
        """The frames of a split without broken ones.

        Raises:
            DataError: If there are broken ones; names the first ten.
        """
        if self.broken:
            lines = [line for frame in self.broken for line in frame.problems]
            raise DataError(list_problems(lines, f'correct {self.annotations}'))
        return self.frames


class FrameReader(ABC):
    """A data set of some format.

    Args:
        root: Its folder.
        label_set: Classes that the label images are written in.
        places: Where its files lie.

    Attributes:
        default_label_set: Name of the classes that data sets of the format usually have.
        expected: What a folder of the format holds, for messages.
        expected_split: What it holds of each split, for messages.
    """

    default_label_set: ClassVar[str]
    expected: ClassVar[str]
    expected_split: ClassVar[str]

    def __init__(self, root: Path, label_set: LabelSet, places: Places = USUAL) -> None:
        self.root = root
        self.label_set = label_set
        self.places = places

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
    def has_truth(self, split: str) -> bool:
        """Whether a split has truth, sound or not."""

    @abstractmethod
    def find_split(self, split: str) -> str:
        """The name of a split with truth as the files have it.

        Raises:
            DataError: If there is none.
        """

    @abstractmethod
    def listing(self, split: str) -> FrameList:
        """Names and annotations of a split in a fixed order; what is wrong is told, not raised.

        Raises:
            DataError: If the split is not there, is empty, or its annotations are malformed as a
                whole.
        """

    @abstractmethod
    def survey(self, split: str) -> FrameList:
        """The listing of a split, with what its folders hold beside; may look at many files.

        Raises:
            DataError: As :meth:`listing`.
        """

    @abstractmethod
    def frames_without_truth(self, split: str) -> list[Frame]:
        """Frames of a split that has images alone; none where there are no images either."""

    def frames(self, split: str) -> list[Frame]:
        """Frames of a split in a fixed order; their files need not be there.

        Raises:
            DataError: If the split is not there, is empty, or its annotations are malformed.
        """
        return self.listing(split).sound_frames()

    def read_image(self, frame: Frame) -> np.ndarray:
        """Colour image, uint8 ``[H, W, 3]`` BGR.

        Raises:
            ImageError: If the file cannot be decoded.
        """
        return read_image(frame.image)

    @abstractmethod
    def read_label_image(self, frame: Frame) -> np.ndarray:
        """Truth, uint16 ``[H, W]``: ``class << 8 | instance``.

        Objects count from 1 per class; a thing class with instance 0 is a crowd; void is 65535.

        Raises:
            ImageError: If the file cannot be decoded.
            DataError: If it holds values that its annotations do not explain.
        """


def told_apart(names: Sequence[str], longer: Sequence[str]) -> list[str]:
    """A name of its own for each frame: the short one, or where several share it, the longer."""
    counts = Counter(names)
    pairs = zip(names, longer, strict=True)
    found = [name if counts[name] == 1 else more for name, more in pairs]
    return found if len(set(found)) == len(found) else list(longer)


def pictures_in(folder: Path) -> list[Path]:
    """All image files below a folder, sorted."""
    return sorted(path for path in folder.rglob('*') if path.suffix.lower() in PICTURE_ENDINGS)


def split_names(root: Path, places: Iterable[str]) -> set[str]:
    """What ``SPLIT`` stands for in the folders and files that are there.

    Args:
        root: Folder of the data set.
        places: Paths below it; one without ``SPLIT`` names no split.
    """
    names = set()
    for place in places:
        before, _, after = place.partition(SPLIT)
        for path in root.glob(place.replace(SPLIT, '*')) if SPLIT in place else ():
            names.add(path.relative_to(root).as_posix()[len(before) :].removesuffix(after))
    return names


def first_folder(root: Path, places: Sequence[str], split: str) -> Path:
    """The folder of a split: the first of some places that is there, or the first of all."""
    folders = [root / place.replace(SPLIT, split) for place in places]
    return next((folder for folder in folders if folder.is_dir()), folders[0])


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


def size_mismatch(frame: Frame, image: tuple[int, ...], labels: tuple[int, ...]) -> str:
    """What to say of an image and labels of different sizes (height, width)."""
    sizes = (
        f'{frame.image} is {image[1]}x{image[0]} pixels, but {frame.instances} '
        f'{labels[1]}x{labels[0]}'
    )
    orientation = exif_orientation(frame.image)
    if orientation > 1:
        return (
            f'{sizes}; the EXIF orientation {orientation} of the image turns it, so the truth was '
            'drawn on the stored pixels: remove the orientation or turn the truth'
        )
    return f'{sizes}; replace or remove both files'
