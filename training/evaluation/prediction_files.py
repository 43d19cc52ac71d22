# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions of any method, read from files in COCO panoptic format."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from training.data.coco_panoptic import read_segment_labels
from training.data.errors import DataError
from training.data.panoptic_json import (
    image_key,
    malformed,
    parse_json,
    read_categories,
    read_segments,
    train_ids,
)
from training.evaluation.frame_files import path_inside
from upsnet_ros.core.labels import LabelSet

EXPECTED = (
    'expected the COCO panoptic format: annotations with image_id, file_name and segments_info '
    'of id and category_id'
)
# Endings of file names in Cityscapes that are no part of the frame's name.
ENDINGS = ('_gtFine_panoptic', '_gtFine_leftImg8bit', '_leftImg8bit')


class PredictionFiles:
    """Label images out of a JSON file and the folder of PNGs beside it, of the same stem.

    They are read as the truth is, with two differences: the lists of images and categories may be
    missing, as in the official format of results, and ``iscrowd`` means nothing, as in the
    official tools: all segments of thing classes are objects. What is wrong with one frame leaves
    the others alone.

    Args:
        path: The JSON file, or a folder that holds exactly one with a folder of PNGs.
        label_set: Classes; their data-set ids are the category ids.

    Raises:
        DataError: If there is no such file or it is malformed.
    """

    def __init__(self, path: Path, label_set: LabelSet) -> None:
        self.path = _find_json(path)
        self.label_set = label_set
        self._pngs = self.path.with_suffix('')
        content = parse_json(self.path)
        listed = content.get('categories')
        if listed is None:
            categories = [entry.dataset_id for entry in label_set.classes]
        elif isinstance(listed, list) and all(isinstance(entry, dict) for entry in listed):
            categories = list(read_categories(listed, self.path))
        else:
            raise DataError(f"{self.path}: 'categories' is no list of objects; {EXPECTED}")
        self._class_of = train_ids(categories, label_set)
        self._annotations = AnnotationIndex(content, self.path)

    def read(self, frame_name: str, size: tuple[int, int]) -> np.ndarray:
        """The predicted label image of a frame. Threads may read at the same time.

        A label image holds 255 objects of a class. Of more, the largest 255 stay and the others
        become one segment, with a warning; the official tools count each of them.

        Args:
            frame_name: Of the data set; found by its path or, without folders, by its stem.
            size: Height and width of its image in pixels.

        Returns:
            uint16 ``[H, W]``, 65535 where there is no segment.

        Raises:
            ImageError: If the PNG is missing or cannot be decoded.
            DataError: If the frame has no annotation or two, a segment cannot be used, the PNG has
                another size, or PNG and JSON file do not fit. Names the file and the values.
        """
        annotation = self._annotations.find(frame_name)
        where = f'{self.path}: image {annotation["image_id"]!r}'
        try:
            segments, problems = read_segments(annotation, self._class_of)
        except (KeyError, TypeError, AttributeError) as error:
            raise DataError(f'{where}: {malformed(error)}') from error
        if problems:
            raise DataError(f'{where}: {"; ".join(problems)}')
        segments['crowd'] = False
        png = path_inside(self._pngs, annotation['file_name'])
        return read_segment_labels(
            png, segments, self.label_set, size, f'the image of {frame_name}'
        )


class AnnotationIndex:
    """Finds the annotation of a frame.

    The image's name tells the frame or, where images are not listed, the PNG's; so does an image
    id that is a text. Endings of Cityscapes are no part of a name. Folders may be left out on
    either side, but they may not differ.

    Args:
        content: Of the JSON file.
        path: The file, for messages.

    Raises:
        DataError: If it is malformed.
    """

    def __init__(self, content: Mapping[str, Any], path: Path) -> None:
        self._path = path
        self._by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._by_stem: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._given_to: dict[int | str, str] = {}
        annotations = content.get('annotations')
        if not isinstance(annotations, list):
            raise DataError(f"{path}: no list 'annotations'; {EXPECTED}")
        try:
            self._times = Counter(image_key(entry['image_id']) for entry in annotations)
            images = {image_key(e['id']): e['file_name'] for e in content.get('images', ())}
            for entry in annotations:
                names = set(_names(entry, images))
                for name in names:
                    self._by_name[name].append(entry)
                for stem in {PurePosixPath(name).name for name in names}:
                    self._by_stem[stem].append(entry)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataError(
                f'{path}: an entry is malformed ({type(error).__name__}: {error}); {EXPECTED}'
            ) from error

    def find(self, frame_name: str) -> dict[str, Any]:
        """The annotation of a frame.

        Raises:
            DataError: If there is none, more than one, or one that was another frame's already.
        """
        stem = PurePosixPath(frame_name).name
        # A frame in a folder is never given the annotation of another folder.
        other = self._by_stem if stem == frame_name else self._by_name
        found = self._by_name.get(frame_name) or other.get(stem, [])
        if not found:
            raise DataError(
                f'{self._path}: no annotation of the frame {frame_name}; expected one whose '
                f'file_name is {frame_name}.png, with empty segments_info if nothing was found'
            )
        identity = image_key(found[0]['image_id'])
        times = max(len(found), self._times[identity])
        if times > 1:
            raise DataError(
                f'{self._path}: the frame {frame_name} is annotated {times} times (image_id '
                f'{identity!r}); expected once'
            )
        owner = self._given_to.setdefault(identity, frame_name)
        if owner != frame_name:
            raise DataError(
                f'{self._path}: the annotation of image_id {identity!r} fits the frames {owner} '
                f'and {frame_name}; expected names with their folders'
            )
        return found[0]


def _names(entry: Mapping[str, Any], images: Mapping[int | str, str]) -> Iterator[str]:
    """The names that the frame of an annotation may have."""
    identity, png = image_key(entry['image_id']), entry['file_name']
    if not isinstance(png, str):
        raise ValueError(f'file_name is {png!r}')
    if isinstance(identity, str):
        yield _without_ending(identity)
    image = images.get(identity)
    if image is not None:
        yield image  # frames that differ in the ending alone have it in their names
    yield _without_ending(str(PurePosixPath(image or png).with_suffix('')))


def _without_ending(name: str) -> str:
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name


def _find_json(path: Path) -> Path:
    if path.is_dir():
        found = sorted(p for p in path.glob('*.json') if p.with_suffix('').is_dir())
        if len(found) != 1:
            names = ', '.join(p.name for p in found) or 'none'
            raise DataError(
                f'{path}: expected exactly one NAME.json with a folder NAME of PNGs beside it, '
                f'found {names}; give the path of the JSON file'
            )
        return found[0]
    if not path.is_file():
        raise DataError(
            f'no predictions at {path}; expected a JSON file in COCO panoptic format with a '
            'folder of PNGs of the same name beside it'
        )
    if not path.with_suffix('').is_dir():
        raise DataError(
            f'no folder {path.with_suffix("")} beside {path}; expected the PNGs of the predictions'
        )
    return path
