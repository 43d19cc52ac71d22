# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A split in COCO panoptic format, made picture by picture; it is there when all of it is.

Until then its files lie in ``.unfinished_SPLIT``, with a journal that a second run goes on from.
"""

import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from training.convert.source import Picture, Regions
from training.data.errors import DataError
from training.data.frames import Frame, size_mismatch
from training.data.image_files import exif_orientation, write_segment_png
from training.label_sets import label_set_text
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.json_lines import JsonLines, differences, read_json_lines
from upsnet_ros.core.labels import VOID_CLASS, LabelSet

JOURNAL = 'journal.jsonl'


@dataclass
class Findings:
    """What became of the pictures, beside what was written.

    Attributes:
        broken: Name and problem of each that could not be converted.
        untrained: Pixels of each category id that the label set lacks.
        crowded: Pictures of each class with pixels of no single object.
        lost: Objects of which no pixel was left.
    """

    broken: list[tuple[str, str]] = field(default_factory=list)
    untrained: Counter[int] = field(default_factory=Counter)
    crowded: Counter[str] = field(default_factory=Counter)
    lost: int = 0

    def remarks(self) -> list[str]:
        """One line for each kind."""
        lines = []
        if self.crowded:
            found = ', '.join(f'{name} in {n}' for name, n in sorted(self.crowded.items()))
            lines.append(f'thing pixels of no single object became crowds; pictures: {found}')
        if self.lost:
            lines.append(f'objects without pixels, or all covered by others: {self.lost}')
        if self.untrained:
            found = ', '.join(f'{key} ({n} pixels)' for key, n in self.untrained.most_common(10))
            lines.append(f'categories that the label set lacks are void: {found}')
        return lines


class SplitWriter:
    """Writes ``SPLIT``, ``annotations/panoptic_SPLIT`` and its JSON file, and ``classes.yaml``.

    Args:
        output: Folder of the data set.
        split: Name of the split.
        label_set: The classes.
        settings: What has to be the same for a conversion to go on: plain JSON values.
        copy: Whether images are copied, not linked to.

    Raises:
        DataError: If the split is there already, or an unfinished one of other settings.
        OSError: If a file cannot be read or written.
    """

    def __init__(
        self,
        output: Path,
        split: str,
        label_set: LabelSet,
        settings: dict[str, Any],
        *,
        copy: bool = False,
    ) -> None:
        self.label_set = label_set
        self.copy = copy
        self.images = output / split
        self.pngs = output / 'annotations' / f'panoptic_{split}'
        self.json_path = output / 'annotations' / f'panoptic_{split}.json'
        self.classes = output / 'classes.yaml'
        self.work = output / f'.unfinished_{split}'
        self.settings = settings | {'label_set': label_set.to_dict()}
        self.done: dict[str, dict[str, Any]] = {}
        self._refuse_what_is_there()
        self.journal = JsonLines(self.work / JOURNAL, self.settings)

    def _refuse_what_is_there(self) -> None:
        path = self.work / JOURNAL
        entries: Iterator[dict[str, Any]] = read_json_lines(path) if path.is_file() else iter(())
        header = next(entries, None)
        if header is not None:
            for key, (before, now) in differences(header, self.settings).items():
                raise DataError(
                    f'{self.work} is an unfinished conversion with {key} {before!r}, now {now!r}; '
                    'remove it, or give another --output'
                )
            self.done = {entry['name']: entry for entry in entries if 'name' in entry}
        elif found := [path for path in (self.images, self.pngs, self.json_path) if path.exists()]:
            raise DataError(
                f'{found[0]} is there already; remove it, or give another --output or --split'
            )
        text = label_set_text(self.label_set)
        if self.classes.is_file() and self.classes.read_text() != text:
            raise DataError(
                f'{self.classes} has other classes than {self.label_set.name}; give another '
                '--output, or its classes with --label-set'
            )

    def convert(
        self,
        pictures: list[Picture],
        read: Callable[[Picture], Regions],
        *,
        workers: int,
        progress: bool = True,
    ) -> Findings:
        """Write the PNGs and the images of all pictures that are not there yet.

        Args:
            pictures: All of the split.
            read: Regions of one.
            workers: Pictures at a time.
            progress: Whether to show a bar.

        Raises:
            OSError: If a file cannot be written.
        """
        findings = Findings()

        def one(picture: Picture) -> dict[str, Any] | str:
            stamp = stamp_of(picture)
            kept = self.done.get(picture.name)
            if kept is not None and kept['stamp'] == stamp:
                return kept
            try:
                return {'stamp': stamp} | self._picture(picture, read(picture))
            except UpsnetError as error:
                return str(error)

        pool = ThreadPoolExecutor(workers)
        try:
            found = zip(pictures, pool.map(one, pictures), strict=True)
            for picture, entry in tqdm(
                found, 'converting', len(pictures), unit='picture', disable=not progress
            ):
                if isinstance(entry, str):
                    findings.broken.append((picture.name, entry))
                    continue
                if self.done.get(picture.name) is not entry:
                    self.journal.add(entry)
                    self.done[picture.name] = entry
                findings.lost += entry['lost']
                findings.untrained.update({int(k): n for k, n in entry['untrained'].items()})
                findings.crowded.update(entry['crowded'])
        finally:
            pool.shutdown(cancel_futures=True)
            if not self.done:  # nothing to go on from
                self.journal.close()
                shutil.rmtree(self.work)
        return findings

    def _picture(self, picture: Picture, regions: Regions) -> dict[str, Any]:
        """Write a picture's files; what the journal keeps of it."""
        height, width = shape = regions.runs.shape
        own = image_size(picture.image)
        if own != shape:
            frame = Frame(picture.name, picture.image, picture.truth)
            raise DataError(size_mismatch(frame, own, shape))
        ids, segments, untrained = number_segments(regions, self.label_set)
        write_segment_png(self.work / 'pngs' / f'{picture.name}.png', regions.runs.painted(ids))
        image = self.work / 'images' / f'{picture.name}{picture.image.suffix}'
        image.parent.mkdir(parents=True, exist_ok=True)
        image.unlink(missing_ok=True)
        if self.copy:
            shutil.copyfile(picture.image, image)
        else:
            image.symlink_to(picture.image.resolve())
        names = {entry.dataset_id: entry.name for entry in self.label_set.classes}
        return {
            'name': picture.name,
            'file_name': f'{picture.name}{picture.image.suffix}',
            'size': [height, width],
            'segments': segments,
            'untrained': untrained,
            'crowded': [names[s['category_id']] for s in segments if s['iscrowd']],
            'lost': regions.lost,
        }

    def finish(self, pictures: list[Picture]) -> None:
        """Put the split in its place.

        Args:
            pictures: Those that it holds, all of them converted.

        Raises:
            OSError: If a file cannot be written.
        """
        content: dict[str, list[Any]] = {'images': [], 'annotations': []}
        for number, picture in enumerate(pictures, 1):
            entry = self.done[picture.name]
            key = number if picture.image_id is None else picture.image_id
            height, width = entry['size']
            content['images'].append(
                {'id': key, 'file_name': entry['file_name'], 'width': width, 'height': height}
            )
            content['annotations'].append(
                {
                    'image_id': key,
                    'file_name': f'{picture.name}.png',
                    'segments_info': entry['segments'],
                }
            )
        content['categories'] = [
            {'id': c.dataset_id, 'name': c.name, 'isthing': int(c.is_thing), 'color': [*c.colour]}
            for c in self.label_set.classes
        ]
        self._drop_others({picture.name for picture in pictures})
        for own, place in ((self.work / 'images', self.images), (self.work / 'pngs', self.pngs)):
            place.parent.mkdir(parents=True, exist_ok=True)
            if own.is_dir():  # else an earlier run has moved it and was broken off then
                own.rename(place)
        write_whole(self.classes, label_set_text(self.label_set))
        write_whole(self.json_path, json.dumps(content) + '\n')
        self.journal.close()
        shutil.rmtree(self.work)

    def _drop_others(self, names: set[str]) -> None:
        """Remove files of pictures that an earlier run had and this one has not."""
        for name in self.done.keys() - names:
            (self.work / 'pngs' / f'{name}.png').unlink(missing_ok=True)
            (self.work / 'images' / self.done[name]['file_name']).unlink(missing_ok=True)


def number_segments(
    regions: Regions, label_set: LabelSet
) -> tuple[np.ndarray, list[dict[str, Any]], dict[str, int]]:
    """Segments of a picture, numbered from 1: each object, each class of stuff, each crowd.

    Args:
        regions: Of the picture.
        label_set: Other categories are void.

    Returns:
        uint32 ``[v]`` the segment of each code, 0 for void; the ``segments_info``; and the pixels
        of each category that the label set lacks.
    """
    runs, categories = regions.runs, regions.categories
    inside = (categories >= 0) & (categories < VOID_CLASS)
    classes = np.full(len(categories), VOID_CLASS, np.int64)
    classes[inside] = label_set.class_of_dataset_id()[categories[inside]]
    areas, boxes = runs.areas(), runs.boxes()
    untrained: Counter[str] = Counter()
    for index in np.flatnonzero((classes == VOID_CLASS) & (categories >= 0)).tolist():
        untrained[str(categories[index])] += int(areas[index])
    alone = regions.single & (classes >= label_set.num_stuff)
    numbers = np.where(alone, np.arange(1, len(classes) + 1), 0)
    known = np.flatnonzero(classes != VOID_CLASS)
    keys, segment = np.unique(classes[known] << 32 | numbers[known], return_inverse=True)
    ids = np.zeros(len(classes), np.uint32)
    ids[known] = segment + 1
    segments = []
    for index, key in enumerate(keys.tolist()):
        members = known[segment == index]
        x1, y1 = boxes[members, :2].min(axis=0).tolist()
        x2, y2 = boxes[members, 2:].max(axis=0).tolist()
        entry = label_set.classes[key >> 32]
        segments.append(
            {
                'id': index + 1,
                'category_id': entry.dataset_id,
                'area': int(areas[members].sum()),
                'bbox': [x1, y1, x2 - x1 + 1, y2 - y1 + 1],
                'iscrowd': int(entry.is_thing and key & 0xFFFFFFFF == 0),
            }
        )
    return ids, segments, dict(untrained)


def stamp_of(picture: Picture) -> list[Any]:
    """What changes when a file of a picture does."""
    files = (picture.truth, picture.beside)
    return [Frame(picture.name, picture.image, path).stamp() for path in files if path]


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image as a viewer shows it, by its header.

    Raises:
        DataError: If it is no image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f'{path}: not a readable image; replace or remove the file') from error
    return (width, height) if exif_orientation(path) > 4 else (height, width)


def write_whole(path: Path, text: str) -> None:
    """Write a file that is never there in part.

    Raises:
        OSError: If it cannot be written.
    """
    part = path.with_name(f'.{path.name}.part')
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        part.write_text(text)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
