# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The JSON files of the COCO panoptic format, truth and predictions, read by the same rules.

Source: https://cocodataset.org/#format-data, "Panoptic Segmentation".
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data.errors import BrokenFrame, DataError, list_problems
from upsnet_ros.core.labels import VOID_CLASS, LabelSet

TOLD = 3  # problems of an annotation
MAX_SEGMENT_ID = (1 << 24) - 1  # three bytes of a PNG; 0 is void
SEGMENT = np.dtype([('id', np.uint32), ('class_id', np.uint8), ('crowd', np.bool_)])


EXPECTED = (
    'expected the COCO panoptic format: images with id, file_name, width and height; annotations '
    'with image_id, file_name and segments_info of id, category_id and iscrowd; categories with id'
)


@dataclass(frozen=True)
class AnnotatedImage:
    """One image and its segments.

    Attributes:
        image_id: The data set's own; a number in COCO, other files may have texts.
        file_name: Image file, relative to the folder of images.
        png_name: PNG of segment ids, relative to the folder of annotations; '' without truth.
        size: Height and width in pixels, as the JSON file says.
        segments: ``[s]`` of :data:`SEGMENT`; class 255 for categories that are not trained.
    """

    image_id: int | str
    file_name: str
    png_name: str
    size: tuple[int, int]
    segments: np.ndarray


@dataclass(frozen=True)
class PanopticTruth:
    """A JSON file of a split.

    Attributes:
        images: Those that can be used, sorted by image file.
        broken: The others.
        categories: Each category id with its entry.
    """

    images: list[AnnotatedImage]
    broken: list[BrokenFrame]
    categories: dict[int, dict[str, Any]]


def read_truth(path: Path, label_set: LabelSet) -> PanopticTruth:
    """Read the annotations of a split.

    Args:
        path: The JSON file.
        label_set: Classes; their data-set ids are the file's category ids.

    Raises:
        DataError: If the file is missing or malformed as a whole or a category id is used twice.
            Names the file and the values.
    """
    content = parse_json(path)
    images, annotations, categories = (
        _entries(content, key, path) for key in ('images', 'annotations', 'categories')
    )
    by_id = read_categories(categories, path)
    found, broken = _match(images, annotations, train_ids(by_id, label_set))
    return PanopticTruth(sorted(found, key=lambda image: image.file_name), broken, by_id)


def read_images(path: Path) -> list[AnnotatedImage]:
    """The images of a JSON file without truth, such as ``image_info_test-dev2017.json``.

    Raises:
        DataError: If the file is missing or an entry is malformed.
    """
    found, broken = _match(_entries(parse_json(path), 'images', path), None, {})
    if broken:
        lines = [line for frame in broken for line in frame.problems]
        raise DataError(list_problems(lines, f'correct {path}'))
    return sorted(found, key=lambda image: image.file_name)


def parse_json(path: Path) -> dict[str, Any]:
    """Content of a JSON file that holds an object.

    Raises:
        DataError: If it is missing or something else.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(
            f'cannot read the annotations {path} ({error.strerror or error}); expected a JSON '
            'file in COCO panoptic format'
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path} is not valid JSON: {error}; get the file again') from error
    if not isinstance(content, dict):
        raise DataError(f'{path}: expected a JSON object with images, annotations, categories')
    return content


def read_categories(entries: list[dict[str, Any]], path: Path) -> dict[int, dict[str, Any]]:
    """The categories of a JSON file by their ids.

    Raises:
        DataError: If an id is missing, no whole number or used twice.
    """
    try:
        ids = [whole_number(entry['id'], 'category id') for entry in entries]
        problems = [f'category id {key} is there {n} times' for key, n in _repeated(ids)]
    except (KeyError, TypeError, ValueError) as error:
        problems = [malformed(error)]
    if problems:
        raise DataError(list_problems(problems, f'correct the categories of {path}'))
    return dict(zip(ids, entries, strict=True))


def train_ids(category_ids: Iterable[int], label_set: LabelSet) -> dict[int, int]:
    """Train id of each category id, 255 where it is not trained."""
    trained = {entry.dataset_id: entry.train_id for entry in label_set.classes}
    return {key: trained.get(key, VOID_CLASS) for key in category_ids}


def whole_number(value: Any, what: str) -> int:
    """An integer, also one that is written as 7.0, as tables of floats write it.

    Raises:
        ValueError: If it is anything else.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise ValueError(f'{what} is {value!r}, expected a whole number')
    return value


def image_key(value: Any) -> int | str:
    """An image's id: an integer or a text.

    Raises:
        ValueError: If it is anything else.
    """
    return value if isinstance(value, str) else whole_number(value, 'image id')


def malformed(error: Exception) -> str:
    """What to say of an entry that lacks a key or has another type."""
    return f'an entry is malformed ({type(error).__name__}: {error}); {EXPECTED}'


def read_segments(
    annotation: Mapping[str, Any], class_of: Mapping[int, int]
) -> tuple[np.ndarray, list[str]]:
    """The segments of an annotation.

    Args:
        annotation: Of one image.
        class_of: Train id of each category id.

    Returns:
        ``[s]`` of :data:`SEGMENT`, and what is wrong with some: nothing if all are there.

    Raises:
        KeyError, TypeError: If an entry lacks a key or is no object.
    """
    segments, problems = [], []
    for entry in annotation['segments_info']:
        identity, category = entry['id'], entry['category_id']
        crowd = entry.get('iscrowd', 0)
        try:
            identity = whole_number(identity, 'segment id')
            category = whole_number(category, f'category of segment {identity}')
            if not isinstance(crowd, bool):
                crowd = whole_number(crowd, f'iscrowd of segment {identity}')
        except ValueError as error:
            problems.append(str(error))
            continue
        if not 0 < identity <= MAX_SEGMENT_ID:
            problems.append(f'segment id {identity}, expected 1 to {MAX_SEGMENT_ID}')
        if crowd not in (0, 1):
            problems.append(f'iscrowd of segment {identity} is {crowd}, expected 0 or 1')
        if category not in class_of:
            problems.append(
                f'segment {identity} has the unknown category {category}, expected one of the '
                'list of categories'
            )
        segments.append((identity, class_of.get(category, VOID_CLASS), bool(crowd)))
    ids = [identity for identity, *_ in segments]
    problems += [f'segment id {key} is there {n} times' for key, n in _repeated(ids)]
    return np.array([] if problems else segments, SEGMENT), problems


def _entries(content: dict[str, Any], key: str, path: Path) -> list[dict[str, Any]]:
    entries = content.get(key)
    good = isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)
    if not good or not entries:
        raise DataError(
            f"{path}: '{key}' is {'empty' if entries == [] else 'missing or no list of objects'}; "
            'expected the COCO panoptic format (not the one of instances_*.json)'
        )
    return entries


def _match(
    images: list[dict[str, Any]],
    annotations: list[dict[str, Any]] | None,
    class_of: Mapping[int, int],
) -> tuple[list[AnnotatedImage], list[BrokenFrame]]:
    """The images with their annotations (None: there are none), and those with something wrong."""
    own: dict[str, list[dict[str, Any]]] = {}
    for entry in annotations or ():
        own.setdefault(_text_key(entry.get('image_id')), []).append(entry)
    counts = Counter(_text_key(entry.get('id')) for entry in images)
    names = Counter(repr(entry.get('file_name')) for entry in images)
    found, broken = [], []
    for index, image in enumerate(images):
        key, name = _text_key(image.get('id')), image.get('file_name')
        name = name if isinstance(name, str) else f'images[{index}]'
        annotated = 1 if annotations is None else len(own.get(key, ()))
        lines = _pairing_problems(name, key, counts[key], annotated)
        if names[repr(name)] > 1:
            lines.append(f'{name}: the file is there {names[repr(name)]} times, expected once')
        try:
            if not lines:
                found.append(_annotated(image, own[key][0] if own else None, class_of))
        except DataError as error:
            lines = [str(error)]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            lines = [f'{name}: {malformed(error)}']
        if lines:
            broken.append(BrokenFrame(str(Path(name).with_suffix('')), tuple(lines)))
    for key in sorted(set(own) - set(counts)):
        what = f'annotation of an unknown image {key}'
        broken.append(BrokenFrame(what, (f'{what}, expected an id of the list of images',)))
    return found, broken


def _text_key(value: Any) -> str:
    """A text for any image id, because a malformed one may be a list, which no table holds."""
    is_whole = isinstance(value, float) and value.is_integer()
    return repr(int(value) if is_whole else value)


def _pairing_problems(name: str, key: str, images: int, annotations: int) -> list[str]:
    if images > 1:
        return [f'{name}: image id {key} is there {images} times, expected once']
    if annotations == 0:
        return [f'image {name} (id {key}) has no annotation, expected one']
    if annotations > 1:
        return [f'{name}: annotation of image {key} is there {annotations} times, expected one']
    return []


def _repeated(values: list[int]) -> Iterator[tuple[int, int]]:
    """Values that are there more than once, with how often."""
    return ((value, number) for value, number in Counter(values).items() if number > 1)


def _annotated(
    image: dict[str, Any], annotation: dict[str, Any] | None, class_of: Mapping[int, int]
) -> AnnotatedImage:
    names = (image['file_name'], annotation['file_name'] if annotation else '')
    if not all(isinstance(name, str) for name in names) or not names[0]:
        raise ValueError(f'file_name is {names}, expected texts')
    segments = np.array([], SEGMENT)
    problems: list[str] = []
    if annotation:
        segments, problems = read_segments(annotation, class_of)
    if problems:
        more = f'; and {len(problems) - TOLD} more' if len(problems) > TOLD else ''
        raise DataError(f'{names[1]}: {"; ".join(problems[:TOLD])}{more}')
    height, width = (whole_number(image[key], key) for key in ('height', 'width'))
    if height < 1 or width < 1:
        raise ValueError(f'image {names[0]} has the size {width}x{height}')
    return AnnotatedImage(image_key(image['id']), *names, (height, width), segments)
