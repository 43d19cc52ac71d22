# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions of any method, read from files in COCO panoptic format."""

from pathlib import Path

import numpy as np

from training.data.errors import DataError
from training.data.label_runs import LabelRuns
from training.data.label_values import label_values
from training.data.segment_png import read_segment_png
from training.evaluation.frame_files import path_inside
from training.evaluation.prediction_json import AnnotationIndex, checked_segments
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet


class PredictionFiles:
    """Label images out of a JSON file and the folder of PNGs beside it, of the same stem.

    ``iscrowd`` means nothing in a prediction, as in the official tools: all segments of thing
    classes are objects.

    Args:
        path: The JSON file, or a folder that holds exactly one with a folder of PNGs.
        label_set: Classes; their data-set ids are the category ids.

    Raises:
        DataError: If there is no such file or it is malformed.
    """

    def __init__(self, path: Path, label_set: LabelSet) -> None:
        self.path = _find_json(path)
        self.label_set = label_set
        self._pngs = self.path.with_suffix('')
        self._annotations = AnnotationIndex(self.path)
        self._class_of = {entry.dataset_id: entry.train_id for entry in label_set.classes}

    def read(self, frame_name: str, size: tuple[int, int]) -> np.ndarray:
        """The predicted label image of a frame. Threads may read at the same time.

        A label image holds 255 objects of a class. Of more, the largest 255 stay and the others
        become one segment, with a warning; the official tools count each of them.

        Args:
            frame_name: Of the data set; found by its path or, without folders, by its stem.
            size: Height and width of its image in pixels.

        Returns:
            uint16 ``[H, W]``, 65535 where there is no segment.

        Raises:
            ImageError: If the PNG is missing or cannot be decoded.
            DataError: If the frame has no annotation or two, the PNG has another size, or
                PNG and JSON file do not fit. Names the file and the values.
        """
        annotation = self._annotations.find(frame_name)
        identities, class_ids = checked_segments(
            annotation, self._class_of, num_stuff=self.label_set.num_stuff, path=self.path
        )
        png = path_inside(self._pngs, annotation['file_name'])
        pixels = read_segment_png(png)
        if pixels.shape != tuple(size):
            (height, width), found = size, pixels.shape
            raise DataError(
                f'{png} is {found[1]}x{found[0]} pixels, but the image of {frame_name} '
                f'{width}x{height}; predict at the size of the image, nothing is stretched'
            )
        runs = LabelRuns.of(pixels)
        self._check_match(runs.values, identities, png)
        position = np.searchsorted(runs.values, identities)
        values = np.full(len(runs.values), UNKNOWN_LABEL, np.uint16)
        values[position] = label_values(
            class_ids,
            np.ones(len(class_ids), bool),
            runs.areas()[position],
            self.label_set,
            path=png,
        )
        return runs.painted(values)

    def _check_match(self, found: np.ndarray, identities: np.ndarray, png: Path) -> None:
        """Raise unless the ids of the PNG, 0 aside, are those of the JSON file."""
        unknown = np.setdiff1d(found[found > 0], identities)
        lost = np.setdiff1d(identities, found)
        problems = [
            f'{what} {values[:5].tolist()} ({len(values)} in all)'
            for what, values in (
                ('segment ids without an entry in the JSON file', unknown),
                ('no pixel of the segment ids', lost),
            )
            if len(values)
        ]
        if problems:
            raise DataError(
                f'{png}: {" and ".join(problems)}; PNG and {self.path.name} do not belong '
                'together, write both again'
            )


def _find_json(path: Path) -> Path:
    if path.is_dir():
        found = sorted(p for p in path.glob('*.json') if p.with_suffix('').is_dir())
        if len(found) != 1:
            names = ', '.join(p.name for p in found) or 'none'
            raise DataError(
                f'{path}: expected exactly one NAME.json with a folder NAME of PNGs beside it, '
                f'found {names}; give the path of the JSON file'
            )
        return found[0]
    if not path.is_file():
        raise DataError(
            f'no predictions at {path}; expected a JSON file in COCO panoptic format with a '
            'folder of PNGs of the same name beside it'
        )
    if not path.with_suffix('').is_dir():
        raise DataError(
            f'no folder {path.with_suffix("")} beside {path}; expected the PNGs of the predictions'
        )
    return path
