# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cityscapes as downloaded: ``leftImg8bit`` and ``gtFine``, read from ``instanceIds``."""

from pathlib import Path

import numpy as np

from training.data.errors import BrokenFrame, DataError
from training.data.frames import Frame, FrameList, FrameReader, read_image, read_png, unpaired_files
from training.data.label_runs import LabelRuns
from training.data.label_values import label_values
from upsnet_ros.core.labels import VOID_CLASS, LabelSet

INSTANCE_FACTOR = 1000  # instanceIds: label id * 1000 + instance for single objects
LARGEST_LABEL = 33  # label ids of Cityscapes itself, trained or not
IMAGE_ENDING = '_leftImg8bit.png'
TRUTH_ENDING = '_gtFine_instanceIds.png'


class CityscapesReader(FrameReader):
    """A data set in Cityscapes layout, with the Cityscapes classes or own ones.

    Args:
        root: Folder that holds ``leftImg8bit`` and ``gtFine``.
        label_set: Classes with their data-set ids, which are the files' label ids.
    """

    default_label_set = 'cityscapes'
    expected = 'leftImg8bit and gtFine'
    expected_split = 'leftImg8bit/SPLIT and gtFine/SPLIT'

    def __init__(self, root: Path, label_set: LabelSet) -> None:
        super().__init__(root, label_set)
        self._images, self._truth = root / 'leftImg8bit', root / 'gtFine'

    @staticmethod
    def fits(root: Path) -> bool:
        """See :class:`training.data.frames.FrameReader`, as for all that follow."""
        return (root / 'leftImg8bit').is_dir() and (root / 'gtFine').is_dir()

    def splits(self) -> set[str]:
        """Those with folders of both kinds."""
        return _folders(self._images) & _folders(self._truth)

    def splits_without_truth(self) -> set[str]:
        """Those with a folder of images alone."""
        return _folders(self._images) - _folders(self._truth)

    def find_split(self, split: str) -> str:
        """The name itself; that there is such a split is seen when its frames are listed."""
        return split

    def survey(self, split: str) -> FrameList:
        """Nothing but the pairing of the files can be wrong: there are no annotations beside."""
        frames = self.frames(split)
        lost = {
            path: image
            for path in sorted((self._truth / split).glob(f'*/*{TRUTH_ENDING}'))
            if not (image := self._image_of(path, split)).exists()
        }
        broken = [
            BrokenFrame(
                path.name.removesuffix(TRUTH_ENDING),
                (f'{image}: missing, but its truth {path} is there; get the image again',),
            )
            for path, image in lost.items()
        ]
        unlabelled = (frame.image for frame in frames if not frame.instances.exists())
        return FrameList(frames, broken, unpaired_files(self.root, unlabelled, lost), remarks=[])

    def frames(self, split: str) -> list[Frame]:
        """Sorted by name; they go by the images."""
        folder = self._images / split
        images = sorted(folder.glob(f'*/*{IMAGE_ENDING}'))
        if not images:
            raise DataError(
                f'no images: expected {folder}/CITY/*{IMAGE_ENDING}; make a data set with '
                '"python -m training.synthetic --output DIR" or give the Cityscapes folder'
            )
        names = [path.name.removesuffix(IMAGE_ENDING) for path in images]
        return [
            Frame(name, path, self._truth / split / path.parent.name / f'{name}{TRUTH_ENDING}')
            for name, path in zip(names, images, strict=True)
        ]

    def _image_of(self, truth: Path, split: str) -> Path:
        name = truth.name.removesuffix(TRUTH_ENDING)
        return self._images / split / truth.parent.name / f'{name}{IMAGE_ENDING}'

    def read_image(self, frame: Frame) -> np.ndarray:
        """As BGR."""
        return read_image(frame.image)

    def read_label_image(self, frame: Frame) -> np.ndarray:
        """See :func:`read_label_image`."""
        return read_label_image(frame.instances, self.label_set)


def _folders(at: Path) -> set[str]:
    return {path.name for path in at.glob('*/')}


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
