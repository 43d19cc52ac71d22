# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Truth in PNGs alone: semantic maps, KITTI's instances, BDD100K's bitmasks.

Sources of the encodings: the README of KITTI's semantics development kit, and
https://doc.bdd100k.com/format.html.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from training.convert.source import (
    FIRST_OBJECT,
    VOID,
    Listing,
    Options,
    Picture,
    Regions,
    Source,
    on_semantic_map,
    pair_by_name,
    read_map,
    wanted_label_set,
)
from training.data.errors import DataError
from training.data.image_files import read_index_png, read_png, read_rgba_png
from training.data.label_runs import LabelRuns
from training.label_sets import find_label_set
from upsnet_ros.core.labels import LabelSet, cityscapes_label_set

BDD_ATTRIBUTES, BDD_CROWD, BDD_IGNORE = 15, 2, 1  # bits of the second byte of a BDD100K bitmask
FIRST_BDD_THING = 11  # train id of its instance category 1, a pedestrian


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
