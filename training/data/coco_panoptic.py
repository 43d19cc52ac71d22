# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The COCO panoptic format: a JSON file and a folder of PNGs per split.

```
annotations/panoptic_train2017.json    annotations/panoptic_val2017.json
annotations/panoptic_train2017/*.png   annotations/panoptic_val2017/*.png
train2017/*.jpg                        val2017/*.jpg
```

An own data set may call its splits ``train`` and ``val``, and keep its images in
``images/SPLIT`` or elsewhere. Objects are the visible pixels of the
panoptic annotation; the published models read their boxes and masks from COCO's detection
annotation, where they may overlap.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any
from zlib import crc32

import cv2
import numpy as np

from training.data.errors import DataError
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
from training.data.image_files import read_rgb_png
from training.data.label_runs import LabelRuns, bands
from training.data.label_values import label_values
from training.data.panoptic_json import AnnotatedImage, read_images, read_truth
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet

YEAR = '2017'
IMAGES = ('SPLIT', 'images/SPLIT')  # the first that is there
TRUTH = 'annotations/panoptic_SPLIT'
IMAGE_LISTS = 'annotations/image_info_SPLIT.json'  # of splits without truth
NAMES_TOLD = 5


@dataclass(frozen=True, eq=False)  # names and files tell frames apart
class PanopticFrame(Frame):
    """A frame with what the JSON file says of it.

    Attributes:
        image_id: Of the JSON file; a number in COCO.
        size: Height and width in pixels.
        segments: ``[s]`` of :data:`training.data.panoptic_json.SEGMENT`.
    """

    image_id: int | str
    size: tuple[int, int]
    segments: np.ndarray

    def fingerprint(self) -> str:
        """See :meth:`training.data.frames.Frame.fingerprint`."""
        return f'{self.size} {crc32(self.segments.tobytes()):08x}'


class CocoPanopticReader(FrameReader):
    """A data set in COCO panoptic format, with the COCO classes or own ones.

    Args:
        root: Folder that holds ``annotations`` and the folders of images.
        label_set: Classes; their data-set ids are the category ids. Other categories are void.
        places: Other folders than these.
    """

    default_label_set = 'coco'
    expected = 'annotations/panoptic_*.json'
    expected_split = 'annotations/panoptic_SPLIT.json'

    @staticmethod
    def fits(root: Path) -> bool:
        """See :class:`training.data.frames.FrameReader`, as for all that follow."""
        annotations = root / 'annotations'
        return any(any(annotations.glob(f'{kind}_*.json')) for kind in ('panoptic', 'image_info'))

    @property
    def _truth_place(self) -> str:
        return self.places.truth or TRUTH

    def splits(self) -> set[str]:
        """Those with a JSON file."""
        return split_names(self.root, [f'{self._truth_place}.json'])

    def splits_without_truth(self) -> set[str]:
        """Those with a list of images; images alone do not tell which folder is a split."""
        return split_names(self.root, [IMAGE_LISTS]) - self.splits()

    def listing(self, split: str) -> FrameList:
        """Sorted by image file; frames whose annotation cannot be used are left out and told."""
        name = self.find_split(split)
        path = self._truth_files(name)[name]
        truth = read_truth(path, self.label_set)
        remarks = category_remarks(truth.categories, self.label_set)
        return FrameList(self._frames(name, truth.images), truth.broken, remarks, path)

    def frames_without_truth(self, split: str) -> list[Frame]:
        """By the list of images, ``image_info_SPLIT.json``, or all images of the split's folder."""
        for name in _names_of(split):
            path = self.root / IMAGE_LISTS.replace(SPLIT, name)
            if path.is_file():
                return self._frames(name, read_images(path))
        for name in _names_of(split):
            folder = self._image_folder(name)
            paths = pictures_in(folder)
            files = [path.relative_to(folder) for path in paths]
            names = told_apart(
                [file.with_suffix('').as_posix() for file in files], list(map(Path.as_posix, files))
            )
            if paths:
                return [Frame(*entry, None) for entry in zip(names, paths, strict=True)]
        return []

    def survey(self, split: str) -> FrameList:
        """A frame whose annotation is wrong owns its files all the same."""
        name, listed = self.find_split(split), self.listing(split)
        used = {path for frame in listed.frames for path in (frame.image, frame.instances)}
        stems = {Path(entry.name).name for entry in listed.broken}
        images, truth = (
            [path for path in pictures_in(folder) if path not in used and path.stem not in stems]
            for folder in (self._image_folder(name), self._truth_folder(name))
        )
        return replace(listed, unpaired=unpaired_files(self.root, images, truth))

    def _image_folder(self, name: str) -> Path:
        places = (self.places.images,) if self.places.images else IMAGES
        return first_folder(self.root, places, name)

    def _truth_folder(self, name: str) -> Path:
        return self.root / self._truth_place.replace(SPLIT, name)

    def _frames(self, name: str, images: list[AnnotatedImage]) -> list[Frame]:
        folder, pngs = self._image_folder(name), self._truth_folder(name)
        names = told_apart(
            [str(PurePosixPath(image.file_name).with_suffix('')) for image in images],
            [image.file_name for image in images],
        )
        return [
            PanopticFrame(
                name=own,
                image=folder / image.file_name,
                instances=pngs / image.png_name if image.png_name else None,
                image_id=image.image_id,
                size=image.size,
                segments=image.segments,
            )
            for own, image in zip(names, images, strict=True)
        ]

    def _truth_files(self, split: str) -> dict[str, Path]:
        """JSON files that a split may have, by its possible names."""
        folders = {name: self._truth_folder(name) for name in _names_of(split)}
        return {name: path.with_name(f'{path.name}.json') for name, path in folders.items()}

    def has_truth(self, split: str) -> bool:
        """Whether there is a JSON file."""
        return any(path.is_file() for path in self._truth_files(split).values())

    def find_split(self, split: str) -> str:
        """``train`` or ``val`` with or without the year 2017, or a name of one's own."""
        files = self._truth_files(split)
        for name, path in files.items():
            if path.is_file():
                return name
        wanted = ' or '.join(path.name for path in files.values())
        raise DataError(
            f"no annotations of the split '{split}': expected {wanted} in "
            f'{files[split].parent}, with a folder of PNGs of the same name beside it'
        )

    def read_label_image(self, frame: Frame) -> np.ndarray:
        """The segments' classes and numbers.

        A segment of a thing class with ``iscrowd`` gets instance 0; pixels of id 0 and of
        categories that are not trained are void.
        """
        if not isinstance(frame, PanopticFrame) or frame.instances is None:
            raise TypeError(f'got {frame!r}, expected a frame with truth of this reader')
        return read_segment_labels(
            frame.instances, frame.segments, self.label_set, frame.size, 'its entry in the JSON file'
        )


def _names_of(split: str) -> list[str]:
    """The names that the files of a split may have."""
    return list(dict.fromkeys((split, f'{split}{YEAR}', split.removesuffix(YEAR))))


def read_segment_labels(
    path: Path, segments: np.ndarray, label_set: LabelSet, size: tuple[int, int], whose: str
) -> np.ndarray:
    """The label image of a PNG of segment ids, of truth or of a prediction.

    All segments of a stuff class are one; of more than 255 objects of a class the smallest become
    a crowd, with a warning.

    Args:
        path: The PNG.
        segments: ``[s]`` of :data:`training.data.panoptic_json.SEGMENT`.
        label_set: The classes.
        size: Height and width that it should have in pixels.
        whose: What has this size, for the message.

    Returns:
        uint16 ``[H, W]``, void 65535.

    Raises:
        ImageError: If the PNG cannot be read.
        DataError: If it has another size, or other ids than the segments.
    """
    colours = read_rgb_png(path)
    if colours.shape[:2] != tuple(size):
        (height, width), there = size, colours.shape
        raise DataError(
            f'{path} is {there[1]}x{there[0]} pixels, but {whose} {width}x{height}; nothing is '
            'stretched, get or write the files again'
        )
    runs = _segment_runs(colours)
    ids = segments['id']
    found = runs.values[runs.values > 0]
    if not np.array_equal(found, np.sort(ids)):
        parts = [
            f'{which} {values[:5].tolist()} ({len(values)} in all)'
            for which, values in (
                ('ids without an entry in the JSON file', np.setdiff1d(found, ids)),
                ("no pixel of the JSON file's ids", np.setdiff1d(ids, found)),
            )
            if len(values)
        ]
        raise DataError(
            f'{path}: {" and ".join(parts)}; PNG and JSON file do not belong together, get or '
            'write both again'
        )
    # In the order of the JSON file, which numbers the objects.
    position = np.searchsorted(runs.values, ids)
    values = np.full(len(runs.values), UNKNOWN_LABEL, np.uint16)
    values[position] = label_values(
        segments['class_id'], ~segments['crowd'], runs.areas()[position], label_set, path=path
    )
    return runs.painted(values)


def _segment_runs(colours: np.ndarray) -> LabelRuns:
    """Runs of the ids ``R + 256 G + 65536 B`` of a PNG: uint8 ``[H, W, 3]`` RGB."""
    size = colours.shape[:2]
    # The fourth byte is 255 in every pixel, so it can stay until few values are left.
    parts = (
        cv2.cvtColor(colours[rows], cv2.COLOR_RGB2RGBA).view(np.uint32)[:, :, 0]
        for rows in bands(size)
    )
    runs = LabelRuns.of_bands(size, parts)
    return replace(runs, values=runs.values & 0xFFFFFF)


def category_remarks(
    categories: Mapping[int, Mapping[str, Any]], label_set: LabelSet
) -> list[str]:
    """Where the categories of a JSON file and a label set disagree, one line a kind.

    Args:
        categories: Each category id of the file with its entry.
        label_set: Classes; their data-set ids are category ids.
    """
    known = {entry.dataset_id: entry for entry in label_set.classes}
    names = {key: entry.get('name') for key, entry in categories.items()}
    shared = [(key, entry) for key, entry in known.items() if key in categories]
    other = [
        f'{key} is {names[key]!r} in the file but {entry.name!r} in the label set'
        for key, entry in shared
        if names[key] != entry.name
    ]
    void = [f'{key} {name!r}' for key, name in names.items() if key not in known]
    lost = [f'{key} {entry.name!r}' for key, entry in known.items() if key not in names]
    kinds = (
        ("categories with another name than the label set's; is it the right one?", other),
        ('categories that the label set lacks; their pixels are void', void),
        ('classes of the label set that are no category of the file', lost),
    )
    return [f'{kind} ({len(found)}): {_shortened(found)}' for kind, found in kinds if found]


def _shortened(names: list[str]) -> str:
    more = ', ...' if len(names) > NAMES_TOLD else ''
    return ', '.join(names[:NAMES_TOLD]) + more
