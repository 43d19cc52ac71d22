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
from training.data.frames import Frame, read_image, read_rgb_png
from training.data.label_runs import LabelRuns, bands
from training.data.label_values import label_values
from training.data.panoptic_json import read_panoptic_json
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet

YEAR = '2017'


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


class CocoPanopticReader:
    """A data set in COCO panoptic format, with the COCO classes or own ones.

    Args:
        root: Folder that holds ``annotations`` and the folders of images.
        label_set: Classes; their data-set ids are the category ids. Other categories are void.
    """

    def __init__(self, root: Path, label_set: LabelSet) -> None:
        self.root = root
        self.label_set = label_set

    def frames(self, split: str, broken: list[BrokenFrame] | None = None) -> list[Frame]:
        """See :meth:`training.data.frames.FrameReader.frames`; sorted by image file.

        Args:
            split: ``train`` or ``val`` with or without the year 2017, or a name of one's own.
            broken: Receives the images whose annotation cannot be used, which are then left out.
                Without it, one such image is an error.
        """
        name = self.find_split(split)
        annotations = self.root / 'annotations'
        pngs = annotations / f'panoptic_{name}'
        path = annotations / f'panoptic_{name}.json'
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
        """The name of a split as its files have it.

        Raises:
            DataError: If there is none.
        """
        names = dict.fromkeys((split, f'{split}{YEAR}', split.removesuffix(YEAR)))
        for name in names:
            if (self.root / 'annotations' / f'panoptic_{name}.json').is_file():
                return name
        wanted = ' or '.join(f'panoptic_{name}.json' for name in names)
        raise DataError(
            f"no annotations of the split '{split}': expected {wanted} in "
            f'{self.root / "annotations"}, with a folder of PNGs of the same name beside it'
        )

    def read_image(self, frame: PanopticFrame) -> np.ndarray:
        """See :meth:`training.data.frames.FrameReader.read_image`."""
        return read_image(frame.image)

    def read_label_image(self, frame: PanopticFrame) -> np.ndarray:
        """See :meth:`training.data.frames.FrameReader.read_label_image`.

        A segment of a thing class with ``iscrowd`` gets instance 0; pixels of id 0 and of
        categories that are not trained are void.
        """
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
