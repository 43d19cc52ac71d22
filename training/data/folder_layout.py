# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a folder says of the data set in it: format, splits, files that belong to no frame."""

from collections.abc import Iterable
from pathlib import Path

from training.data.errors import DataError
from training.data.frames import Frame

DEFAULT_LABEL_SETS = {'cityscapes': 'cityscapes', 'coco_panoptic': 'coco'}
IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png')
USUAL_SPLITS = ('train', 'train2017', 'val', 'val2017')  # told first, in this order
TRUTH_ENDING = '_gtFine_instanceIds.png'


def guess_format(root: Path) -> str:
    """The format of a data set, by the names in its folder.

    Raises:
        DataError: If it is no folder, or the names fit no format or both.
    """
    if not root.is_dir():
        raise DataError(f'{root} is no folder; give the folder of a data set')
    is_there = {
        'cityscapes': (root / 'leftImg8bit').is_dir() and (root / 'gtFine').is_dir(),
        'coco_panoptic': any((root / 'annotations').glob('panoptic_*.json')),
    }
    fitting = [layout for layout, found in is_there.items() if found]
    if len(fitting) != 1:
        found = 'both formats' if fitting else 'the folders of no known format'
        raise DataError(
            f'{root} has {found}: expected leftImg8bit and gtFine (cityscapes) or '
            'annotations/panoptic_*.json (coco_panoptic); give the folder that holds them, or '
            'name the format with --format'
        )
    return fitting[0]


def find_splits(root: Path, layout: str) -> list[str]:
    """Names of all splits with truth, training first.

    Raises:
        DataError: If there is none.
    """
    if layout == 'cityscapes':
        folders = (root / 'gtFine', root / 'leftImg8bit')
        images, truth = ({path.name for path in at.glob('*/')} for at in folders)
        names, expected = images & truth, 'leftImg8bit/SPLIT and gtFine/SPLIT'
    else:
        files = (root / 'annotations').glob('panoptic_*.json')
        names = {path.stem.removeprefix('panoptic_') for path in files}
        expected = 'annotations/panoptic_SPLIT.json'
    if not names:
        raise DataError(f'{root} has no split in {layout} format: expected {expected}')
    usual = [name for name in USUAL_SPLITS if name in names]
    return usual + sorted(names - set(usual))


def splits_without_truth(root: Path, layout: str) -> list[str]:
    """Splits that have images but no truth, for example Cityscapes' ``train_extra``."""
    if layout != 'cityscapes':
        return []
    images = (path.name for path in (root / 'leftImg8bit').glob('*/'))
    return sorted(name for name in images if not (root / 'gtFine' / name).is_dir())


def unpaired_files(
    root: Path, layout: str, split: str, frames: Iterable[Frame], known: Iterable[str]
) -> dict[str, list[str]]:
    """Files that belong to no frame, sorted by name.

    Args:
        root: Folder of the data set.
        layout: Its format.
        split: As its files are named, with the year.
        frames: All of the split.
        known: Names of frames whose annotations are wrong, which own their files all the same.

    Returns:
        ``images_without_truth`` and ``truth_without_image``, paths relative to the root.
    """
    if layout == 'cityscapes':
        images = [frame.image for frame in frames if not frame.instances.exists()]
        truth = lost_truth(root, split)
    else:
        used = {path for frame in frames for path in (frame.image, frame.instances)}
        stems = {Path(name).name for name in known}
        pngs = root / 'annotations' / f'panoptic_{split}'
        images, truth = (_unused(folder, used, stems) for folder in (root / split, pngs))
    return {
        'images_without_truth': sorted(str(path.relative_to(root)) for path in images),
        'truth_without_image': sorted(str(path.relative_to(root)) for path in truth),
    }


def lost_truth(root: Path, split: str) -> list[Path]:
    """Files of truth of Cityscapes without an image; the reader goes by the images."""
    lost = []
    for truth in sorted((root / 'gtFine' / split).glob(f'*/*{TRUTH_ENDING}')):
        if not image_of_truth(root, split, truth).exists():
            lost.append(truth)
    return lost


def image_of_truth(root: Path, split: str, truth: Path) -> Path:
    """The image that a file of truth of Cityscapes belongs to."""
    name = truth.name.removesuffix(TRUTH_ENDING)
    return root / 'leftImg8bit' / split / truth.parent.name / f'{name}_leftImg8bit.png'


def _unused(folder: Path, used: set[Path], stems: set[str]) -> list[Path]:
    pictures = (path for path in folder.rglob('*') if path.suffix.lower() in IMAGE_ENDINGS)
    return [path for path in pictures if path not in used and path.stem not in stems]
