# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes as downloaded: ``leftImg8bit`` and ``gtFine`` or ``gtCoarse``.

Of the truth, ``instanceIds`` is read. An own data set may have any file names below any folder
of drives, and JPEGs.
"""

from pathlib import Path

import numpy as np

from training.data.errors import BrokenFrame, DataError
from training.data.frames import (
    SPLIT,
    Frame,
    FrameList,
    FrameReader,
    first_folder,
    pictures_in,
    split_names,
    told_apart,
    unpaired_files,
)
from training.data.image_files import read_png
from training.data.label_runs import LabelRuns
from training.data.label_values import label_values
from upsnet_ros.core.labels import VOID_CLASS, LabelSet

INSTANCE_FACTOR = 1000  # instanceIds: label id * 1000 + instance for single objects
LARGEST_LABEL = 33  # label ids of Cityscapes itself, trained or not
IMAGES = ('leftImg8bit/SPLIT',)
TRUTH = ('gtFine/SPLIT', 'gtCoarse/SPLIT')  # the first that a split has


class CityscapesReader(FrameReader):
    """A data set in Cityscapes layout, with the Cityscapes classes or own ones.

    An image is ``DRIVE/NAME_leftImg8bit.png``, its truth ``DRIVE/NAME_gtFine_instanceIds.png``;
    the words in the middle are those of the uppermost folders. Images may be JPEGs, and the word
    may be missing in their names.

    Args:
        root: Folder that holds ``leftImg8bit`` and ``gtFine``.
        label_set: Classes with their data-set ids, which are the files' label ids.
        places: Other folders than these.
    """

    default_label_set = 'cityscapes'
    expected = 'leftImg8bit and gtFine or gtCoarse'
    expected_split = 'leftImg8bit/SPLIT and gtFine/SPLIT or gtCoarse/SPLIT'

    @staticmethod
    def fits(root: Path) -> bool:
        """See :class:`training.data.frames.FrameReader`, as for all that follow."""
        return (root / 'leftImg8bit').is_dir()

    @property
    def _image_places(self) -> tuple[str, ...]:
        return (self.places.images,) if self.places.images else IMAGES

    @property
    def _truth_places(self) -> tuple[str, ...]:
        return (self.places.truth,) if self.places.truth else TRUTH

    def splits(self) -> set[str]:
        """Those with folders of both kinds."""
        truth = split_names(self.root, self._truth_places)
        apart = SPLIT in self._image_places[0]
        return truth & split_names(self.root, self._image_places) if apart else truth

    def splits_without_truth(self) -> set[str]:
        """Those with a folder of images alone."""
        return split_names(self.root, self._image_places) - self.splits()

    def has_truth(self, split: str) -> bool:
        """Whether there is a folder of it."""
        return first_folder(self.root, self._truth_places, split).is_dir()

    def find_split(self, split: str) -> str:
        """The name itself; that there is such a split is seen when its frames are listed."""
        return split

    def listing(self, split: str) -> FrameList:
        """Sorted by file; they go by the images, and there are no annotations beside."""
        folder = self._image_folder(split)
        truth = first_folder(self.root, self._truth_places, split)
        frames = self._frames(folder, truth)
        if not frames:
            raise DataError(
                f'no images: expected {folder}/CITY/*_{self._word(folder)}.png (or .jpg); make a '
                'data set with "python -m training.synthetic --output DIR", give the Cityscapes '
                'folder, or name the folder of the images (data.images, --images)'
            )
        return FrameList(frames, [])

    def frames_without_truth(self, split: str) -> list[Frame]:
        """They go by the images."""
        return self._frames(self._image_folder(split), None)

    def survey(self, split: str) -> FrameList:
        """Truth that lacks its image is broken, an image that lacks its truth is found later."""
        frames = self.listing(split).frames
        images, truth = self._image_folder(split), first_folder(
            self.root, self._truth_places, split
        )
        known = {frame.instances for frame in frames}
        ending = self._truth_ending(truth)
        lost = {
            path: images / path.relative_to(truth).with_name(
                f'{path.name.removesuffix(ending)}_{self._word(images)}.png'
            )
            for path in sorted(truth.rglob(f'*{ending}'))
            if path not in known
        }
        broken = [
            BrokenFrame(
                path.name.removesuffix(ending),
                (f'{image}: missing, but its truth {path} is there; get the image again',),
            )
            for path, image in lost.items()
        ]
        unlabelled = (f.image for f in frames if f.instances and not f.instances.exists())
        return FrameList(
            frames, broken, unpaired=unpaired_files(self.root, unlabelled, lost)
        )

    def _image_folder(self, split: str) -> Path:
        return first_folder(self.root, self._image_places, split)

    def _word(self, folder: Path) -> str:
        """What stands in the names of a folder's files: the name of the uppermost folder."""
        return folder.relative_to(self.root).parts[0]

    def _truth_ending(self, folder: Path) -> str:
        return f'_{self._word(folder)}_instanceIds.png'

    def _frames(self, images: Path, truth: Path | None) -> list[Frame]:
        """Frames of a folder of images.

        Raises:
            DataError: If two images have one name.
        """
        files: dict[Path, Path] = {}  # by drive and name
        for path in pictures_in(images):
            name = path.stem.removesuffix(f'_{self._word(images)}')
            key = path.relative_to(images).with_name(name)
            if key in files:
                raise DataError(
                    f'{files[key]} and {path} are images of one frame; expected one of them, '
                    'remove the other'
                )
            files[key] = path
        names = told_apart([key.name for key in files], [key.as_posix() for key in files])
        return [
            Frame(name, path, truth and truth / key.with_name(key.name + self._truth_ending(truth)))
            for name, (key, path) in zip(names, files.items(), strict=True)
        ]

    def read_label_image(self, frame: Frame) -> np.ndarray:
        """See :func:`read_label_image`."""
        if frame.instances is None:
            raise TypeError(f'got {frame!r}, expected a frame with truth')
        return read_label_image(frame.instances, self.label_set)


def read_label_image(path: Path, label_set: LabelSet) -> np.ndarray:
    """Turn an ``instanceIds`` file into a label image.

    Group regions (a thing's label id without an instance) become the class with instance 0, the
    crowd of the panoptic metric; classes that are not trained become void.

    Args:
        path: 16-bit PNG.
        label_set: Classes with their data-set ids.

    Returns:
        uint16 ``[H, W]``: ``class << 8 | instance``, things from 1 per class, void 65535.

    Raises:
        ImageError: If the file cannot be decoded.
        DataError: If it holds values that are no label ids.
    """
    runs = LabelRuns.of(read_png(path))
    values = runs.values.astype(np.int64)
    single = values >= INSTANCE_FACTOR
    label_ids = np.where(single, values // INSTANCE_FACTOR, values)
    largest = LARGEST_LABEL if label_set.name == 'cityscapes' else VOID_CLASS - 1
    wrong = values[label_ids > largest].tolist()
    if wrong:
        raise DataError(
            f'{path}: values {wrong[:5]} are no label ids: expected 0 to {largest}, or 1000 times '
            'one plus an instance (the instanceIds file, not labelTrainIds or color)'
        )
    class_ids = label_set.class_of_dataset_id()[label_ids]
    return runs.painted(label_values(class_ids, single, runs.areas(), label_set, path=path))
