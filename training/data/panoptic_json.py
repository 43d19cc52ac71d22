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

from training.data.errors import DataError, list_problems
from upsnet_ros.core.labels import VOID_CLASS, LabelSet

MAX_SEGMENT_ID = (1 << 24) - 1  # three bytes of a PNG; 0 is void
SEGMENT = np.dtype([('id', np.uint32), ('class_id', np.uint8), ('crowd', np.bool_)])


@dataclass(frozen=True)
class AnnotatedImage:
    """One image and its segments.

    Attributes:
        file_name: Image file, relative to the folder of images.
        png_name: PNG of segment ids, relative to the folder of annotations.
        size: Height and width in pixels, as the JSON file says.
        segments: ``[s]`` of :data:`SEGMENT`; class 255 for categories that are not trained.
    """

    file_name: str
    png_name: str
    size: tuple[int, int]
    segments: np.ndarray


def read_panoptic_json(path: Path, label_set: LabelSet) -> list[AnnotatedImage]:
    """Read the annotations of a split, sorted by image file.

    Args:
        path: The JSON file.
        label_set: Classes; their data-set ids are the file's category ids.

    Raises:
        DataError: If the file is missing or malformed, an id is unknown or used twice, or an image
            has no annotation. Names the file and the values.
    """
    content = _parse(path)
    images, annotations, categories = (
        _entries(content, key, path) for key in ('images', 'annotations', 'categories')
    )
    try:
        class_of = _classes(categories, label_set)
        problems = _repeated('image id', (entry['id'] for entry in images))
        problems += _repeated('annotation of image', (entry['image_id'] for entry in annotations))
        annotation_of = {entry['image_id']: entry for entry in annotations}
        unknown = set(annotation_of) - {entry['id'] for entry in images}
        problems += [f'annotation of an unknown image {value!r}' for value in sorted(unknown)]
        problems += [
            f'image {entry["file_name"]} (id {entry["id"]}) has no annotation'
            for entry in images
            if entry['id'] not in annotation_of
        ]
        if not problems:
            pairs = [(image, annotation_of[image['id']]) for image in images]
            problems += [line for _, own in pairs for line in _segment_problems(own, class_of)]
        if problems:
            raise DataError(list_problems(problems, f'correct {path}'))
        found = [_annotated(image, own, class_of) for image, own in pairs]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f'{path}: an entry is malformed ({type(error).__name__}: {error}); expected the COCO '
            'panoptic format: images with id, file_name, width and height; annotations with '
            'image_id, file_name and segments_info of id, category_id and iscrowd; categories '
            'with id'
        ) from error
    return sorted(found, key=lambda image: image.file_name)


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


def _repeated(what: str, values: Iterable[Any]) -> list[str]:
    counts = Counter(values)
    return [f'{what} {value!r} is there {n} times' for value, n in counts.items() if n > 1]


def _classes(categories: list[dict[str, Any]], label_set: LabelSet) -> dict[int, int]:
    """Train id of each category id of the file, 255 where it is not trained."""
    problems = _repeated('category id', (entry['id'] for entry in categories))
    if problems:
        raise ValueError(problems[0])
    trained = {entry.dataset_id: entry.train_id for entry in label_set.classes}
    return {entry['id']: trained.get(entry['id'], VOID_CLASS) for entry in categories}


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
                f'{segment["category_id"]!r}'
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
    return AnnotatedImage(*names, (height, width), np.array(segments, SEGMENT))
