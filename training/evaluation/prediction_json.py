# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The JSON file of predictions in COCO panoptic format: the annotation of a frame, its segments.

Unlike the truth's, it may lack the lists of images and categories, as the official format of
results does, and what is wrong with one frame leaves the others alone.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from training.data.errors import DataError
from training.data.panoptic_json import MAX_SEGMENT_ID

EXPECTED = (
    'expected the COCO panoptic format: annotations with image_id, file_name and segments_info '
    'of id and category_id'
)
# Endings of file names in Cityscapes that are no part of the frame's name.
ENDINGS = ('_gtFine_panoptic', '_gtFine_leftImg8bit', '_leftImg8bit')


class AnnotationIndex:
    """Finds the annotation of a frame.

    The image's name tells the frame or, where images are not listed, the PNG's; so does an image
    id that is a text. Endings of Cityscapes are no part of a name. Folders may be left out on
    either side, but they may not differ.

    Args:
        path: The JSON file.

    Raises:
        DataError: If it cannot be read or is malformed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_name: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._by_stem: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._given_to: dict[int | str, str] = {}
        content = _parse(path)
        try:
            annotations = content['annotations']
            self._times = Counter(entry['image_id'] for entry in annotations)
            image_names = {e['id']: e['file_name'] for e in content.get('images', ())}
            for entry in annotations:
                names = set(_names(entry, image_names))
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
        identity = found[0]['image_id']
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


def _parse(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise DataError(f'{path}: cannot be read ({error.strerror or error})') from error
    except (ValueError, RecursionError) as error:
        raise DataError(f'{path} is not valid JSON: {error}; write the file again') from error
    if not isinstance(content, dict) or not isinstance(content.get('annotations'), list):
        raise DataError(f"{path}: no list 'annotations'; {EXPECTED}")
    return content


def _names(entry: Mapping[str, Any], image_names: Mapping[Any, str]) -> Iterator[str]:
    """The names that the frame of an annotation may have."""
    identity, png = entry['image_id'], entry['file_name']
    if not isinstance(identity, int | str) or not isinstance(png, str):
        raise ValueError(f'image_id is {identity!r} and file_name {png!r}')
    if isinstance(identity, str):
        yield _without_ending(identity)
    yield _without_ending(str(PurePosixPath(image_names.get(identity, png)).with_suffix('')))


def _without_ending(name: str) -> str:
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name


def checked_segments(
    annotation: Mapping[str, Any],
    class_of: Mapping[int, int],
    *,
    num_stuff: int,
    path: Path,
) -> tuple[np.ndarray, np.ndarray]:
    """Ids and classes of an annotation's segments.

    Args:
        annotation: Of one image.
        class_of: Train id of each category id.
        num_stuff: Number of stuff classes.
        path: The JSON file, for messages.

    Returns:
        int64 ``[s]`` segment ids and uint8 ``[s]`` train ids.

    Raises:
        DataError: If an id is unknown, impossible or used twice, or a stuff class has several
            segments, which a label image cannot hold. Names the values.
    """
    where = f'{path}: image {annotation["image_id"]!r}'
    try:
        pairs = [(entry['id'], entry['category_id']) for entry in annotation['segments_info']]
        problems = list(_problems(pairs, class_of, num_stuff))
    except (KeyError, TypeError) as error:
        raise DataError(
            f'{where}: a segment is malformed ({type(error).__name__}: {error}); {EXPECTED}'
        ) from error
    if problems:
        raise DataError(f'{where}: {"; ".join(problems)}')
    classes = [class_of[category] for _, category in pairs]
    return np.array([i for i, _ in pairs], np.int64), np.array(classes, np.uint8)


def _problems(
    pairs: list[tuple[Any, Any]], class_of: Mapping[int, int], num_stuff: int
) -> Iterator[str]:
    """What is wrong with pairs of segment id and category id."""
    wrong = [i for i, _ in pairs if type(i) is not int or not 0 < i <= MAX_SEGMENT_ID]
    if wrong:
        yield f'segment ids {wrong[:5]}, expected integers from 1 to {MAX_SEGMENT_ID}'
    repeated = [i for i, times in Counter(i for i, _ in pairs).items() if times > 1]
    if repeated:
        yield f'segment ids {repeated[:5]} are there more than once, expected once each'
    categories = Counter(category for _, category in pairs)
    unknown = [c for c in categories if type(c) is not int or c not in class_of]
    if unknown:
        yield f'unknown category ids {unknown[:5]}, expected those of the label set'
    several = [
        category
        for category, times in categories.items()
        if times > 1 and class_of.get(category, num_stuff) < num_stuff
    ]
    if several:
        yield (
            f'several segments of the stuff categories {several[:5]}, expected one of each; '
            'give all pixels of a stuff class the same segment id'
        )
