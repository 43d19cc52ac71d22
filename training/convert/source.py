# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a format has to offer to be converted: its pictures, and the regions of each."""

from abc import ABC, abstractmethod
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from training.data.errors import DataError
from training.data.frames import pictures_in
from training.data.image_files import read_index_png
from training.data.label_runs import LabelRuns
from training.label_sets import find_label_set
from upsnet_ros.core.labels import LabelSet

VOID = -1
FIRST_OBJECT = 1 << 20  # codes of objects above a semantic map; those below are its values


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


def stem_of(file_name: str) -> str:
    """A relative path without its ending."""
    return PurePosixPath(file_name).with_suffix('').as_posix()
