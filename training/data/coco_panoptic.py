# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The COCO panoptic format: a JSON file and a folder of PNGs per split.

```
annotations/panoptic_train2017.json    annotations/panoptic_val2017.json
annotations/panoptic_train2017/*.png   annotations/panoptic_val2017/*.png
train2017/*.jpg                        val2017/*.jpg
```

An own data set may call its splits ``train`` and ``val``. Objects are the visible pixels of the
panoptic annotation; the published models read their boxes and masks from COCO's detection
annotation, where they may overlap.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np

from training.data.errors import BrokenFrame, DataError
from training.data.frames import Frame, FrameList, FrameReader, read_image, read_rgb_png, unpaired_files
from training.data.label_runs import LabelRuns, bands
from training.data.label_values import label_values
from training.data.panoptic_json import read_category_names, read_panoptic_json
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet

YEAR = '2017'
IMAGE_ENDINGS = ('.jpg', '.jpeg', '.png')
NAMES_TOLD = 5


@dataclass(frozen=True, eq=False)  # names and files tell frames apart
class PanopticFrame(Frame):
    """A frame with what the JSON file says of it.

    Attributes:
        image_id: Of the JSON file; a number in COCO.
        size: Height and width in pixels.
        segments: ``[s]`` of :data:`training.data.panoptic_json.SEGMENT`.
    """

    image_id: int | str
    size: tuple[int, int]
    segments: np.ndarray

    def fingerprint(self) -> str:
        """See :meth:`training.data.frames.Frame.fingerprint`."""
        return f'{self.size} {crc32(self.segments.tobytes()):08x}'


class CocoPanopticReader(FrameReader):
    """A data set in COCO panoptic format, with the COCO classes or own ones.

    Args:
        root: Folder that holds ``annotations`` and the folders of images.
        label_set: Classes; their data-set ids are the category ids. Other categories are void.
    """

    default_label_set = 'coco'
    expected = 'annotations/panoptic_*.json'
    expected_split = 'annotations/panoptic_SPLIT.json'

    def __init__(self, root: Path, label_set: LabelSet) -> None:
        super().__init__(root, label_set)
        self._annotations = root / 'annotations'

    @staticmethod
    def fits(root: Path) -> bool:
        """See :class:`training.data.frames.FrameReader`, as for all that follow."""
        return any((root / 'annotations').glob('panoptic_*.json'))

    def splits(self) -> set[str]:
        """Those with a JSON file."""
        files = self._annotations.glob('panoptic_*.json')
        return {path.stem.removeprefix('panoptic_') for path in files}

    def splits_without_truth(self) -> set[str]:
        """None: images alone do not tell which folder is a split."""
        return set()

    def frames(self, split: str) -> list[Frame]:
        """Sorted by image file; an annotation that cannot be used is an error."""
        return self._frames(self.find_split(split), None)

    def survey(self, split: str) -> FrameList:
        """Frames whose annotation cannot be used are left out and told."""
        name = self.find_split(split)
        broken: list[BrokenFrame] = []
        frames = self._frames(name, broken)
        # A frame whose annotation is wrong owns its files all the same.
        used = {path for frame in frames for path in (frame.image, frame.instances)}
        stems = {Path(entry.name).name for entry in broken}
        folders = (self.root / name, self._annotations / f'panoptic_{name}')
        images, truth = (_unused(folder, used, stems) for folder in folders)
        categories = read_category_names(self._annotations / f'panoptic_{name}.json')
        return FrameList(
            frames,
            broken,
            unpaired_files(self.root, images, truth),
            category_remarks(categories, self.label_set),
        )

    def _frames(self, name: str, broken: list[BrokenFrame] | None) -> list[Frame]:
        pngs = self._annotations / f'panoptic_{name}'
        path = self._annotations / f'panoptic_{name}.json'
        return [
            PanopticFrame(
                name=str(Path(image.file_name).with_suffix('')),
                image=self.root / name / image.file_name,
                instances=pngs / image.png_name,
                image_id=image.image_id,
                size=image.size,
                segments=image.segments,
            )
            for image in read_panoptic_json(path, self.label_set, broken)
        ]

    def find_split(self, split: str) -> str:
        """``train`` or ``val`` with or without the year 2017, or a name of one's own."""
        names = dict.fromkeys((split, f'{split}{YEAR}', split.removesuffix(YEAR)))
        for name in names:
            if (self._annotations / f'panoptic_{name}.json').is_file():
                return name
        wanted = ' or '.join(f'panoptic_{name}.json' for name in names)
        raise DataError(
            f"no annotations of the split '{split}': expected {wanted} in "
            f'{self._annotations}, with a folder of PNGs of the same name beside it'
        )

    def read_image(self, frame: Frame) -> np.ndarray:
        """As BGR."""
        return read_image(frame.image)

    def read_label_image(self, frame: Frame) -> np.ndarray:
        """The segments' classes and numbers.

        A segment of a thing class with ``iscrowd`` gets instance 0; pixels of id 0 and of
        categories that are not trained are void.
        """
        if not isinstance(frame, PanopticFrame):
            raise TypeError(f'got {frame!r}, expected a frame of this reader')
        colours = read_rgb_png(frame.instances)
        if colours.shape[:2] != frame.size:
            (height, width), found = frame.size, colours.shape
            raise DataError(
                f'{frame.instances} is {found[1]}x{found[0]} pixels, but its image {width}x'
                f'{height} in the JSON file; get both files again'
            )
        runs = _segment_runs(colours)
        return runs.painted(self._label_values(runs, frame))

    def _label_values(self, runs: LabelRuns, frame: PanopticFrame) -> np.ndarray:
        ids = frame.segments['id']
        found = runs.values[runs.values > 0]
        if not np.array_equal(found, np.sort(ids)):
            unknown, lost = np.setdiff1d(found, ids), np.setdiff1d(ids, found)
            parts = [
                f'{which} {values[:5].tolist()}'
                for which, values in (
                    ('ids without an entry in the JSON file', unknown),
                    ("no pixel of the JSON file's ids", lost),
                )
                if len(values)
            ]
            raise DataError(
                f'{frame.instances}: {" and ".join(parts)}; PNG and JSON file do not belong '
                'together, get both again'
            )
        # In the order of the JSON file, which numbers the objects.
        position = np.searchsorted(runs.values, ids)
        classes, single = frame.segments['class_id'], ~frame.segments['crowd']
        areas = runs.areas()[position]
        values = np.full(len(runs.values), UNKNOWN_LABEL, np.uint16)
        values[position] = label_values(
            classes, single, areas, self.label_set, path=frame.instances
        )
        return values


def _segment_runs(colours: np.ndarray) -> LabelRuns:
    """Runs of the ids ``R + 256 G + 65536 B`` of a PNG: uint8 ``[H, W, 3]`` RGB."""
    size = colours.shape[:2]
    # The fourth byte is 255 in every pixel, so it can stay until few values are left.
    parts = (
        cv2.cvtColor(colours[rows], cv2.COLOR_RGB2RGBA).view(np.uint32)[:, :, 0]
        for rows in bands(size)
    )
    runs = LabelRuns.of_bands(size, parts)
    return replace(runs, values=runs.values & 0xFFFFFF)


def category_remarks(names: dict[object, object], label_set: LabelSet) -> list[str]:
    """Where the categories of a JSON file and a label set disagree, one line a kind.

    Args:
        names: Name of each category id of the file.
        label_set: Classes; their data-set ids are category ids.
    """
    known = {entry.dataset_id: entry.name for entry in label_set.classes}
    other = [
        f'{key} is {names[key]!r} in the file but {name!r} in the label set'
        for key, name in known.items()
        if key in names and names[key] != name
    ]
    void = [f'{key} {name!r}' for key, name in names.items() if key not in known]
    lost = [f'{key} {name!r}' for key, name in known.items() if key not in names]
    kinds = (
        ("categories with another name than the label set's; is it the right one?", other),
        ('categories that the label set lacks; their pixels are void', void),
        ('classes of the label set that are no category of the file', lost),
    )
    return [f'{kind} ({len(found)}): {_shortened(found)}' for kind, found in kinds if found]


def _shortened(names: list[str]) -> str:
    more = ', ...' if len(names) > NAMES_TOLD else ''
    return ', '.join(names[:NAMES_TOLD]) + more


def _unused(folder: Path, used: set[Path], stems: set[str]) -> list[Path]:
    pictures = (path for path in folder.rglob('*') if path.suffix.lower() in IMAGE_ENDINGS)
    return [path for path in pictures if path not in used and path.stem not in stems]
