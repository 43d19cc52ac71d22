# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Truth with a JSON file of COCO: panoptic, as Mapillary Vistas has it, or instances.

Source: https://cocodataset.org/#format-data.
"""

from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_masks

from training.convert.source import (
    FIRST_OBJECT,
    VOID,
    Listing,
    Options,
    Picture,
    Regions,
    Source,
    on_semantic_map,
    read_map,
    sound_listing,
    stem_of,
    wanted_label_set,
)
from training.data.coco_panoptic import category_remarks, read_segment_labels
from training.data.errors import DataError
from training.data.label_runs import LabelRuns
from training.data.panoptic_json import (
    image_key,
    parse_json,
    read_categories,
    read_truth,
    whole_number,
)
from training.label_sets import find_label_set, label_set_of_categories
from upsnet_ros.core.labels import INSTANCE_BITS, MAX_INSTANCE, UNKNOWN_LABEL, LabelSet


class MapillaryPanoptic(Source):
    """Mapillary Vistas' ``panoptic_2018.json`` or ``panoptic_2020.json``, with the PNGs beside it.

    Any other file in COCO panoptic format is read, too; its PNGs lie beside it, or in a folder of
    its name.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        own = options.label_set
        self.label_set = find_label_set(own) if own else label_set_of_file(options.truth)
        self.truth = read_truth(options.truth, self.label_set)
        self.entries = {stem_of(entry.file_name): entry for entry in self.truth.images}

    def listing(self) -> Listing:
        """By the JSON file."""
        path = self.options.truth
        own = path.with_suffix('')
        pngs = own if own.is_dir() else path.parent
        entries = self.truth.images
        broken = [(bad.name, line) for bad in self.truth.broken for line in bad.problems]
        pictures = [
            Picture(stem_of(e.file_name), self.options.images / e.file_name, pngs / e.png_name,
                    e.image_id)
            for e in entries
        ]  # fmt: skip
        remarks = category_remarks(self.truth.categories, self.label_set)
        return sound_listing(pictures, broken, remarks, path)

    def read(self, picture: Picture) -> Regions:
        """See :meth:`Source.read`."""
        entry = self.entries[picture.name]
        labels = read_segment_labels(
            picture.truth, entry.segments, self.label_set, entry.size, 'its entry in the JSON file'
        )
        runs = LabelRuns.of(labels)
        ids = np.full(256, VOID)
        ids[: self.label_set.num_classes] = [c.dataset_id for c in self.label_set.classes]
        single = (runs.values & MAX_INSTANCE > 0) & (runs.values != UNKNOWN_LABEL)
        return Regions(runs, ids[runs.values >> INSTANCE_BITS], single)


class CocoInstances(Source):
    """COCO's ``instances_*.json`` on semantic maps (``stuff_*_pixelmaps`` or one's own).

    Objects lie above the map, crowds lowest, then the larger below the smaller. Thing pixels of
    the map that no object covers are void: which object they belong to is not known.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.label_set = wanted_label_set(options)
        content = parse_json(options.truth)
        lists: dict[str, list[dict[str, Any]]] = {}
        for key in ('images', 'annotations', 'categories'):
            entries = content.get(key)
            if not isinstance(entries, list):
                raise DataError(
                    f'{options.truth}: {key} is missing or no list; expected a file of COCO '
                    'instances with images, annotations and categories'
                )
            lists[key] = entries
        self.images = lists['images']
        self.categories = read_categories(lists['categories'], options.truth)
        self.objects: dict[int | str, list[dict[str, Any]]] = defaultdict(list)
        try:
            for entry in lists['annotations']:
                self.objects[image_key(entry['image_id'])].append(entry)
            self.sizes = {
                image_key(entry['id']): tuple(
                    whole_number(entry[side], side) for side in ('height', 'width')
                )
                for entry in self.images
            }
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f'{options.truth}: an entry is malformed ({type(error).__name__}: {error}); '
                'expected images with id, file_name, width and height, and annotations with '
                'image_id, category_id and segmentation'
            ) from error

    def listing(self) -> Listing:
        """By the JSON file."""
        if self.options.semantic is None:
            raise DataError('no semantic maps; give their folder with --semantic')
        path = self.options.truth
        pictures, broken = [], []
        ids = Counter(image_key(entry['id']) for entry in self.images)
        for entry in self.images:
            name, key = str(entry.get('file_name')), image_key(entry['id'])
            if ids[key] > 1:
                broken.append((name, f'{name}: image id {key} is there {ids[key]} times'))
                continue
            truth = self.options.semantic / f'{stem_of(name)}.png'
            pictures.append(Picture(stem_of(name), self.options.images / name, truth, key))
        unknown = [str(key) for key in self.objects if key not in ids]
        if unknown:
            broken.append(
                (unknown[0], f'{path}: annotations of unknown images {", ".join(unknown[:5])}')
            )
        names = {entry.dataset_id: entry.name for entry in self.label_set.classes}
        other = [
            f'{key} is {entry.get("name")!r} in the file but {names[key]!r} in the label set'
            for key, entry in self.categories.items()
            if key in names and names[key] != entry.get('name')
        ]
        remarks = [f'is it the right label set? {line}' for line in other[:3]]
        return sound_listing(pictures, broken, remarks, path)

    def read(self, picture: Picture) -> Regions:
        """See :meth:`Source.read`."""
        assert picture.image_id is not None
        size = self.sizes[picture.image_id]
        below = read_map(picture.truth, size, self.options.truth).astype(np.int64)
        below += self.options.offset
        objects = [self._object(entry, size) for entry in self.objects[picture.image_id]]
        # Crowds first, then by falling area; what is painted later lies above.
        objects.sort(key=lambda entry: (not entry[1], -int(entry[2].sum())))
        codes = np.zeros(size, np.int64)
        category_of, single = {}, set()
        for code, (category, crowd, mask) in enumerate(objects, FIRST_OBJECT):
            codes[mask] = code
            category_of[code] = category
            if not crowd:
                single.add(code)
        return on_semantic_map(codes, category_of, single, below, self.label_set)

    def _object(
        self, entry: dict[str, Any], size: tuple[int, ...]
    ) -> tuple[int, bool, np.ndarray]:
        """Category, whether it is a crowd, and mask of an annotation."""
        name = f'{self.options.truth}: annotation {entry.get("id")!r}'
        try:
            category = whole_number(entry['category_id'], 'category')
            crowd = entry.get('iscrowd', 0)
            crowd = crowd if isinstance(crowd, bool) else bool(whole_number(crowd, 'iscrowd'))
            mask = decode_segmentation(entry['segmentation'], size)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f'{name} is malformed ({type(error).__name__}: {error}); expected category_id, '
                'iscrowd of 0 or 1, and polygons or a run-length code of the size of the image'
            ) from error
        if category not in self.categories:
            raise DataError(f'{name} has the unknown category {category}; add it to categories')
        return category, crowd, mask


def decode_segmentation(segmentation: Any, size: tuple[int, ...]) -> np.ndarray:
    """The mask of a COCO segmentation: bool ``[H, W]``.

    Args:
        segmentation: Polygons, or a run-length code, compressed or not.
        size: Height and width.

    Raises:
        ValueError, TypeError, KeyError: If it is none, or of another size.
    """
    height, width = size
    if isinstance(segmentation, list):
        for line in segmentation:
            if not isinstance(line, list) or len(line) < 6 or len(line) % 2:
                raise ValueError('a polygon has no three points')
            if not np.isfinite(np.asarray(line, np.float64)).all():
                raise ValueError('a polygon has a coordinate that is no number')
        if not segmentation:
            return np.zeros((height, width), bool)
        codes = coco_masks.frPyObjects(segmentation, height, width)
        return coco_masks.decode(coco_masks.merge(codes)).astype(bool)
    own = tuple(segmentation['size'])
    if own != (height, width):
        raise ValueError(f'the run-length code is {own[1]}x{own[0]}, the image {width}x{height}')
    counts = segmentation['counts']
    if isinstance(counts, list):
        if sum(counts) != height * width or min(counts) < 0:
            raise ValueError(f'the run-length code has {sum(counts)} pixels')
        flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)
        return flat.reshape(width, height).T
    data = counts.encode() if isinstance(counts, str) else counts
    return coco_masks.decode({'size': [height, width], 'counts': data}).astype(bool)


def label_set_of_file(path: Path) -> LabelSet:
    """The classes of the ``categories`` of a JSON file; where none says so, all are things.

    Raises:
        DataError: If there are none.
        LabelError: If they break a rule of label sets.
    """
    content = parse_json(path)
    entries = content.get('categories')
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise DataError(f'{path}: categories are missing or no list of objects')
    categories = read_categories(entries, path)
    if not any('isthing' in entry for entry in entries):
        categories = {key: entry | {'isthing': 1} for key, entry in categories.items()}
    return label_set_of_categories(categories, path)
