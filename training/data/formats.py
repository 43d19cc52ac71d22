# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of data sets, by the name that a recipe gives them: a new one is one more row."""

from pathlib import Path

from training.data.cityscapes import CityscapesReader
from training.data.coco_panoptic import CocoPanopticReader
from training.data.errors import DataError
from training.data.frames import FrameReader
from upsnet_ros.core.labels import LabelSet

# A recipe, the command line and the guess by the names of a folder all go by this table.
READERS: dict[str, type[FrameReader]] = {
    'cityscapes': CityscapesReader,
    'coco_panoptic': CocoPanopticReader,
}
USUAL_SPLITS = ('train', 'train2017', 'val', 'val2017')  # told first, in this order


def open_data_set(root: Path, layout: str, label_set: LabelSet) -> FrameReader:
    """The reader of a data set.

    Args:
        root: Its folder.
        layout: Its format, a key of ``READERS``.
        label_set: Classes to read it with.

    Raises:
        DataError: If there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f'{root} is no folder; give the folder of the data set ({layout} format)')
    return READERS[layout](root, label_set)


def guess_format(root: Path) -> str:
    """The format of a data set, by the names in its folder.

    Raises:
        DataError: If it is no folder, or the names fit no format or several.
    """
    if not root.is_dir():
        raise DataError(f'{root} is no folder; give the folder of a data set')
    fitting = [layout for layout, reader in READERS.items() if reader.fits(root)]
    if len(fitting) != 1:
        found = 'several formats' if fitting else 'the folders of no known format'
        formats = [f'{reader.expected} ({layout})' for layout, reader in READERS.items()]
        raise DataError(
            f'{root} has {found}: expected {" or ".join(formats)}; give the folder that holds '
            'them, or name the format with --format'
        )
    return fitting[0]


def find_splits(reader: FrameReader, layout: str) -> list[str]:
    """Names of all splits with truth, training first.

    Raises:
        DataError: If there is none.
    """
    names = reader.splits()
    if not names:
        raise DataError(
            f'{reader.root} has no split in {layout} format: expected {reader.expected_split}'
        )
    usual = [name for name in USUAL_SPLITS if name in names]
    return usual + sorted(names - set(usual))
