# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The formats of data sets, by the name that a recipe gives them: a new one is one more row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from training.data.cityscapes import CityscapesReader
from training.data.coco_panoptic import CocoPanopticReader
from training.data.errors import DataError
from training.data.frames import SPLIT, USUAL, FrameReader, Places
from upsnet_ros.core.labels import LabelSet

# A recipe, the command line and the guess by the names of a folder all go by this table.
READERS: dict[str, type[FrameReader]] = {
    'cityscapes': CityscapesReader,
    'coco_panoptic': CocoPanopticReader,
}
USUAL_SPLITS = ('train', 'train2017', 'val', 'val2017')  # told first, in this order


def open_data_set(
    root: Path, layout: str, label_set: LabelSet, places: Places = USUAL
) -> FrameReader:
    """The reader of a data set.

    Args:
        root: Its folder.
        layout: Its format, a key of ``READERS``.
        label_set: Classes to read it with.
        places: Where its files lie, if not where the format has them.

    Raises:
        DataError: If there is no such folder.
    """
    if not root.is_dir():
        raise DataError(f'{root} is no folder; give the folder of the data set ({layout} format)')
    return READERS[layout](root, label_set, places)


def guess_format(root: Path, *, usual: str | None = None) -> str:
    """The format of a data set, by the names in its folder.

    Args:
        root: Its folder.
        usual: The format where the names fit it beside others, or fit none.

    Raises:
        DataError: If it is no folder, or the names do not decide.
    """
    if not root.is_dir():
        raise DataError(f'{root} is no folder; give the folder of a data set')
    fitting = [layout for layout, reader in READERS.items() if reader.fits(root)]
    if len(fitting) == 1:
        return fitting[0]
    if usual is not None and usual in (fitting or READERS):
        return usual
    found = 'several formats' if fitting else 'the folders of no known format'
    formats = [f'{reader.expected} ({layout})' for layout, reader in READERS.items()]
    raise DataError(
        f'{root} has {found}: expected {" or ".join(formats)}; give the folder that holds '
        'them, or name the format with --format'
    )


def add_place_options(add: Callable[..., Any]) -> None:
    """Options of a command that reads a data set: its format and its folders.

    Args:
        add: ``add_argument`` of a parser or a group.
    """
    add(
        '--format',
        choices=('auto', *sorted(READERS)),
        default='auto',
        help='of the data set (default: auto, by the names in its folder)',
    )
    add(
        '--images',
        default='',
        metavar='FOLDER',
        help=f'of the images, below --data; {SPLIT} stands for the split (default: where the '
        f'format has them; for example pictures/{SPLIT})',
    )
    add('--truth', default='', metavar='FOLDER', help='of the truth, likewise (docs/data_sets.md)')


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
