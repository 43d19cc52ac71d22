# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The JSON file of the COCO panoptic format, read once and checked.

Source: https://cocodataset.org/#format-data, "Panoptic Segmentation".
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data.errors import BrokenFrame, DataError, list_problems
from upsnet_ros.core.labels import VOID_CLASS, LabelSet

MAX_SEGMENT_ID = (1 << 24) - 1  # three bytes of a PNG; 0 is void
SEGMENT = np.dtype([('id', np.uint32), ('class_id', np.uint8), ('crowd', np.bool_)])


@dataclass(frozen=True)
class AnnotatedImage:
    """One image and its segments.

    Attributes:
        image_id: The data set's own; a number in COCO, other files may have texts.
        file_name: Image file, relative to the folder of images.
        png_name: PNG of segment ids, relative to the folder of annotations.
        size: Height and width in pixels, as the JSON file says.
        segments: ``[s]`` of :data:`SEGMENT`; class 255 for categories that are not trained.
    """

    image_id: int | str
    file_name: str
    png_name: str
    size: tuple[int, int]
    segments: np.ndarray


def read_panoptic_json(
    path: Path, label_set: LabelSet, problems: list[BrokenFrame] | None = None
) -> list[AnnotatedImage]:
    """Read the annotations of a split, sorted by image file.

    Args:
        path: The JSON file.
        label_set: Classes; their data-set ids are the file's category ids.
        problems: Receives the images that cannot be used, which are then left out. Without it,
            one such image is an error.

    Raises:
        DataError: If the file is missing or malformed as a whole or a category id is used twice;
            without ``problems`` also if an id of an image or a segment is unknown or used twice,
            an image has no annotation or an entry is malformed. Names the file and the values.
    """
    content = _parse(path)
    images, annotations, categories = (
        _entries(content, key, path) for key in ('images', 'annotations', 'categories')
    )
    class_of = _classes(categories, label_set, path)
    found, broken = _match(images, annotations, class_of)
    if problems is not None:
        problems += broken
    elif broken:
        lines = [line for frame in broken for line in frame.problems]
        raise DataError(list_problems(lines, f'correct {path}'))
    return sorted(found, key=lambda image: image.file_name)


def read_category_names(path: Path) -> dict[Any, Any]:
    """Name of each category id of a JSON file, as it is written there.

    Raises:
        DataError: If the file is missing or malformed.
    """
    categories = _entries(_parse(path), 'categories', path)
    return {entry.get('id'): entry.get('name') for entry in categories}


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(
            f'cannot read the annotations {path} ({error.strerror or error}); expected the JSON '
            'file of a split in COCO panoptic format'
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path} is not valid JSON: {error}; get the file again') from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: expected a JSON object with images, annotations, categories')
    return content


def _entries(content: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    entries = content.get(key)
    good = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
    if not good or not entries:
        raise DataError(
            f"{path}: '{key}' is {'empty' if entries == [] else 'missing or no list of objects'}; "
            'expected the COCO panoptic format (not the one of instances_*.json)'
        )
    return entries


def _classes(categories: list[dict[str, Any]], label_set: LabelSet, path: Path) -> dict[int, int]:
    """Train id of each category id of the file, 255 where it is not trained."""
    trained = {entry.dataset_id: entry.train_id for entry in label_set.classes}
    try:
        ids = [entry['id'] for entry in categories]
        problems = _repeated('category id', ids)
        classes = {value: trained.get(value, VOID_CLASS) for value in ids}
    except (KeyError, TypeError) as error:
        problems = [_malformed(error)]
    if problems:
        raise DataError(list_problems(problems, f'correct the categories of {path}'))
    return classes


def _match(
    images: list[dict[str, Any]], annotations: list[dict[str, Any]], class_of: dict[int, int]
) -> tuple[list[AnnotatedImage], list[BrokenFrame]]:
    """The images with their annotations, and those where either is wrong."""
    # Text keys, because a malformed id may be a list, which no table holds.
    own: dict[str, list[dict[str, Any]]] = {}
    for entry in annotations:
        own.setdefault(repr(entry.get('image_id')), []).append(entry)
    counts = Counter(repr(entry.get('id')) for entry in images)
    names = Counter(repr(entry.get('file_name')) for entry in images)
    found, broken = [], []
    for index, image in enumerate(images):
        key, name = repr(image.get('id')), image.get('file_name')
        name = name if isinstance(name, str) else f'images[{index}]'
        lines = _pairing_problems(name, key, counts[key], len(own.get(key, ())))
        if names[repr(name)] > 1:
            lines.append(f'{name}: the file is there {names[repr(name)]} times, expected once')
        try:
            lines = lines or _segment_problems(own[key][0], class_of)
            if not lines:
                found.append(_annotated(image, own[key][0], class_of))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            lines = [f'{name}: {_malformed(error)}']
        if lines:
            broken.append(BrokenFrame(str(Path(name).with_suffix('')), tuple(lines)))
    for key in sorted(set(own) - set(counts)):
        what = f'annotation of an unknown image {key}'
        broken.append(BrokenFrame(what, (f'{what}, expected an id of the list of images',)))
    return found, broken


def _pairing_problems(name: str, key: str, images: int, annotations: int) -> list[str]:
    if images > 1:
        return [f'{name}: image id {key} is there {images} times, expected once']
    if annotations == 0:
        return [f'image {name} (id {key}) has no annotation, expected one']
    if annotations > 1:
        return [f'{name}: annotation of image {key} is there {annotations} times, expected one']
    return []


def _malformed(error: Exception) -> str:
    return (
        f'an entry is malformed ({type(error).__name__}: {error}); expected the COCO panoptic '
        'format: images with id, file_name, width and height; annotations with image_id, '
        'file_name and segments_info of id, category_id and iscrowd; categories with id'
    )


def _repeated(what: str, values: Iterable[Any]) -> list[str]:
    counts = Counter(values)
    return [f'{what} {value!r} is there {n} times' for value, n in counts.items() if n > 1]


def _segment_problems(annotation: dict[str, Any], class_of: dict[int, int]) -> list[str]:
    name, segments = annotation['file_name'], annotation['segments_info']
    problems = []
    for line in _repeated('segment id', (segment['id'] for segment in segments)):
        problems.append(f'{name}: {line}')
    for segment in segments:
        if not 0 < segment['id'] <= MAX_SEGMENT_ID:
            limits = f'1 to {MAX_SEGMENT_ID}'
            problems.append(f'{name}: segment id {segment["id"]!r}, expected {limits}')
        if segment['category_id'] not in class_of:
            problems.append(
                f'{name}: segment {segment["id"]!r} has the unknown category '
                f'{segment["category_id"]!r}, expected one of the list of categories'
            )
    return problems


def _annotated(
    image: dict[str, Any], annotation: dict[str, Any], class_of: dict[int, int]
) -> AnnotatedImage:
    segments = [
        (segment['id'], class_of[segment['category_id']], bool(segment.get('iscrowd', 0)))
        for segment in annotation['segments_info']
    ]
    height, width = int(image['height']), int(image['width'])
    if height < 1 or width < 1:
        raise ValueError(f'image {image["file_name"]} has the size {width}x{height}')
    names = (image['file_name'], annotation['file_name'])
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f'file_name is {names}, expected texts')
    identity = image['id']
    if type(identity) not in (int, str):
        raise TypeError(f'id of image {names[0]} is {identity!r}, expected an integer or a text')
    return AnnotatedImage(identity, *names, (height, width), np.array(segments, SEGMENT))
