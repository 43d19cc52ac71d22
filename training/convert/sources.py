# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats that can be converted: which pictures there are, and the regions of each.

Sources of the encodings: https://cocodataset.org/#format-data, https://doc.bdd100k.com/format.html,
the README of KITTI's semantics development kit, and Mapillary Vistas' own README.
"""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from pycocotools import mask as coco_masks

from training.data.coco_panoptic import category_remarks, read_segment_labels
from training.data.errors import DataError
from training.data.frames import pictures_in
from training.data.image_files import read_index_png, read_png, read_rgba_png
from training.data.label_runs import LabelRuns
from training.data.panoptic_json import (
    image_key,
    parse_json,
    read_categories,
    read_truth,
    whole_number,
)
from training.label_sets import find_label_set, label_set_of_categories
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    LabelSet,
    cityscapes_label_set,
)

VOID = -1
FIRST_OBJECT = 1 << 20  # codes of COCO's objects; those below are values of the semantic map
BDD_ATTRIBUTES, BDD_CROWD, BDD_IGNORE = 15, 2, 1  # bits of the second byte of a BDD100K bitmask
FIRST_BDD_THING = 11  # train id of its instance category 1, a pedestrian


@dataclass(frozen=True)
class Options:
    """What the command line says of the input.

    Attributes:
        images: Folder of the images.
        truth: Folder or JSON file of the truth, as the format has it.
        semantic: Folder of semantic maps, where the format takes one beside.
        label_set: Name or YAML file of the classes; '' for the format's own.
        offset: Category id of the value 0 of a semantic map.
    """

    images: Path
    truth: Path
    semantic: Path | None = None
    label_set: str = ''
    offset: int = 0


@dataclass(frozen=True)
class Picture:
    """One picture with its truth.

    Attributes:
        name: Unique; relative path without ending.
        image: The image file.
        truth: The file that its regions are read from.
        image_id: The format's own; None where it has none.
        beside: Another file that they are read from.
    """

    name: str
    image: Path
    truth: Path
    image_id: int | str | None = None
    beside: Path | None = None


@dataclass(frozen=True)
class Listing:
    """The pictures of a source.

    Attributes:
        pictures: Sorted by name.
        broken: Names that cannot be used, each with a sentence.
        remarks: What is allowed, one line each.
    """

    pictures: list[Picture]
    broken: list[tuple[str, str]]
    remarks: list[str]


@dataclass(frozen=True)
class Regions:
    """What the pixels of a picture show.

    Attributes:
        runs: The pixels, by codes of the source.
        categories: int64 ``[v]`` category id of each code, -1 for void.
        single: bool ``[v]`` whether the code is one object that is told apart.
        lost: Objects of which no pixel is left.
    """

    runs: LabelRuns
    categories: np.ndarray
    single: np.ndarray
    lost: int = 0


class Source(ABC):
    """A data set in another format.

    Args:
        options: Where it lies.

    Attributes:
        label_set: Classes of the result; other categories become void.
    """

    label_set: LabelSet

    def __init__(self, options: Options) -> None:
        self.options = options

    def listing(self) -> Listing:
        """The pictures: each PNG of truth with the image of its name.

        Raises:
            DataError: If there is none.
        """
        return pair_by_name(self.options.images, self.options.truth)

    @abstractmethod
    def read(self, picture: Picture) -> Regions:
        """The regions of a picture.

        Raises:
            ImageError: If a file cannot be read.
            DataError: If its content is none of the format.
        """


class SemanticMaps(Source):
    """PNGs of category ids: grey of 8 or 16 bits, or indices of a palette. No object is known."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.label_set = wanted_label_set(options)

    def read(self, picture: Picture) -> Regions:
        """See :meth:`Source.read`."""
        runs = LabelRuns.of(read_index_png(picture.truth))
        categories = runs.values.astype(np.int64) + self.options.offset
        return Regions(runs, categories, np.zeros(len(categories), bool))


class KittiInstances(Source):
    """KITTI's ``instance`` PNGs: 16 bits, label id in the upper byte, number in the lower."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.label_set = find_label_set(options.label_set or 'cityscapes')

    def read(self, picture: Picture) -> Regions:
        """See :meth:`Source.read`."""
        values = read_png(picture.truth)
        if values.dtype != np.uint16:
            raise DataError(
                f"{picture.truth}: a PNG of 8 bits, expected KITTI's instance PNGs of 16 bits; "
                'give the folder instance, not semantic'
            )
        runs = LabelRuns.of(values)
        codes = runs.values.astype(np.int64)
        return Regions(runs, codes >> 8, (codes & 255) > 0)


class BddPanoptic(Source):
    """BDD100K's ``pan_seg/bitmasks``."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self.label_set = find_label_set(options.label_set or 'bdd100k')

    def read(self, picture: Picture) -> Regions:
        """See :meth:`Source.read`."""
        return read_bitmask(picture.truth)


class BddInstances(Source):
    """BDD100K's ``ins_seg/bitmasks``, on the maps of ``sem_seg/masks`` where these are given.

    The category ids become those of the maps, 0 to 18. Thing pixels of a map that no object covers
    are void.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        classes = cityscapes_label_set().classes  # with their train ids for ids
        if options.semantic is None:
            classes = tuple(entry for entry in classes if entry.is_thing)
        own = LabelSet(
            'bdd100k_instances',
            tuple(
                replace(entry, train_id=index, dataset_id=entry.train_id)
                for index, entry in enumerate(classes)
            ),
        )
        self.label_set = find_label_set(options.label_set) if options.label_set else own

    def listing(self) -> Listing:
        """Each bitmask with the image, and the map where one is wanted, of its name."""
        return pair_by_name(self.options.images, self.options.truth, self.options.semantic)

    def read(self, picture: Picture) -> Regions:
        """See :meth:`Source.read`."""
        found = read_bitmask(picture.truth)
        categories = found.categories
        categories = np.where(categories == VOID, VOID, categories - 1 + FIRST_BDD_THING)
        if picture.beside is None:
            return replace(found, categories=categories)
        # Background shows the map; what is to be ignored stays void.
        codes = np.where(
            found.runs.values & 0xFF > 0, FIRST_OBJECT + np.arange(len(categories)), 0
        )
        return on_semantic_map(
            found.runs.painted(codes),
            dict(zip(codes.tolist(), categories.tolist(), strict=True)),
            set(codes[found.single].tolist()),
            read_map(picture.beside, found.runs.shape, picture.truth),
            self.label_set,
        )


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


KINDS: dict[str, type[Source]] = {
    'coco': CocoInstances,
    'mapillary': MapillaryPanoptic,
    'bdd100k_panoptic': BddPanoptic,
    'bdd100k_instances': BddInstances,
    'kitti': KittiInstances,
    'semantic': SemanticMaps,
}


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


def read_bitmask(path: Path) -> Regions:
    """The regions of a BDD100K bitmask.

    Red is the category, green holds attributes, blue and alpha are the upper and lower byte of
    the object's number. A region with the attribute ``ignore`` is void, one with ``crowd`` or
    without a number no single object.

    Raises:
        ImageError: If it cannot be read.
        DataError: If green holds something else.
    """
    codes = np.ascontiguousarray(read_rgba_png(path)).view(np.dtype('<u4'))[:, :, 0]
    runs = LabelRuns.of(codes)
    red, green, blue, alpha = (
        runs.values.astype(np.int64) >> shift & 255 for shift in (0, 8, 16, 24)
    )
    if green.max() > BDD_ATTRIBUTES:
        raise DataError(
            f'{path}: green is {green.max()}, expected the attributes of BDD100K, 0 to '
            f'{BDD_ATTRIBUTES}; give the folder bitmasks, not colormaps'
        )
    void = (red == 0) | (green & BDD_IGNORE > 0)
    single = (green & BDD_CROWD == 0) & ((blue << 8) + alpha > 0)
    return Regions(runs, np.where(void, VOID, red), single & ~void)


def on_semantic_map(
    codes: np.ndarray,
    category_of: dict[int, int],
    single: set[int],
    below: np.ndarray,
    label_set: LabelSet,
) -> Regions:
    """Objects above the category ids of a semantic map.

    Args:
        codes: int64 ``[H, W]``, 0 where there is no object, else a code from ``FIRST_OBJECT``.
        category_of: Category id of each code.
        single: Codes of objects that are told apart.
        below: ``[H, W]`` category ids of the map.
        label_set: Its things are void where no object covers them.
    """
    runs = LabelRuns.of(np.where(codes > 0, codes, below))
    things = [entry.dataset_id for entry in label_set.classes if entry.is_thing]
    categories = runs.values.astype(np.int64)
    categories[(categories < FIRST_OBJECT) & np.isin(categories, things)] = VOID
    for index, code in enumerate(runs.values.tolist()):
        if code >= FIRST_OBJECT:
            categories[index] = category_of[code]
    lost = len(category_of.keys() - {0, *runs.values.tolist()})
    return Regions(runs, categories, np.isin(runs.values, sorted(single)), lost)


def read_map(path: Path, size: Sequence[int], other: Path) -> np.ndarray:
    """A semantic map that has a certain size.

    Args:
        path: The PNG.
        size: Height and width.
        other: What has them, for the message.

    Raises:
        ImageError: If it cannot be read.
        DataError: If it has another size.
    """
    values = read_index_png(path)
    if values.shape != tuple(size):
        raise DataError(
            f'{path} is {values.shape[1]}x{values.shape[0]} pixels, but by {other} it is '
            f'{size[1]}x{size[0]}; replace or remove one'
        )
    return values


def wanted_label_set(options: Options) -> LabelSet:
    """The label set of a format without classes of its own.

    Raises:
        DataError: If none was given.
    """
    if not options.label_set:
        raise DataError(
            'no classes; give their names and ids with --label-set (docs/data_sets.md), since '
            'the files hold ids alone'
        )
    return find_label_set(options.label_set)


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


def stem_of(file_name: str) -> str:
    """A relative path without its ending."""
    return PurePosixPath(file_name).with_suffix('').as_posix()


def pair_by_name(images: Path, truth: Path, beside: Path | None = None) -> Listing:
    """Each PNG below a folder with the files of the same relative path below others.

    Args:
        images: Folder of the images.
        truth: Folder of the PNGs.
        beside: Folder of further PNGs.

    Raises:
        DataError: If there is no folder or no PNG.
    """
    for what, folder in (('images', images), ('truth', truth)):
        if not folder.is_dir():
            raise DataError(f'{folder} is no folder; give the folder of the {what}')
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in pictures_in(images):
        by_name[stem_of(path.relative_to(images).as_posix())].append(path)
    pictures, broken = [], []
    for path in sorted(truth.rglob('*')):
        if path.suffix.lower() != '.png':
            continue
        name = stem_of(path.relative_to(truth).as_posix())
        found = by_name.pop(name, [])
        if len(found) > 1:
            names = ' and '.join(map(str, found))
            broken.append((name, f'{names} are images of one truth {path}; remove all but one'))
        else:
            image = found[0] if found else images / f'{name}.*'
            other = beside / f'{name}.png' if beside else None
            pictures.append(Picture(name, image, path, beside=other))
    remarks = []
    if by_name:
        remarks.append(f'images without truth, left out: {len(by_name)} ({min(by_name)}, ...)')
    return sound_listing(pictures, broken, remarks, truth)


def sound_listing(
    pictures: Iterable[Picture], broken: list[tuple[str, str]], remarks: list[str], place: Path
) -> Listing:
    """A listing whose pictures have an image, a truth and a name of their own.

    Raises:
        DataError: If there is no picture, sound or broken.
    """
    pictures, broken, sound = list(pictures), list(broken), []
    here, advice = 'its name without ending is there', 'remove all but one'
    if not pictures and not broken:
        raise DataError(f'{place} has no truth of any picture; expected some of this format')
    names = Counter(picture.name for picture in pictures)
    for picture in pictures:
        if names[picture.name] > 1:
            problem = f'{picture.image}: {here} {names[picture.name]} times; {advice}'
        elif picture.name.startswith('/') or '..' in PurePosixPath(picture.name).parts:
            problem = f'{picture.name}: the name leads out of the folder of images'
        elif not picture.image.is_file():
            problem = f'{picture.image}: no such image; get it, or remove {picture.truth}'
        else:
            files = (picture.truth, picture.beside or picture.truth)
            missing = next((path for path in files if not path.is_file()), None)
            if missing is None:
                sound.append(picture)
                continue
            problem = f'{missing}: no such file of truth; get it, or leave the picture out'
        broken.append((picture.name, problem))
    return Listing(sorted(sound, key=lambda picture: picture.name), broken, remarks)
