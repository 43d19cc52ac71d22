# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels of a replay as files: 16-bit PNGs, and COCO panoptic format for the official tools.

Source: https://cocodataset.org/#format-results, "Panoptic Segmentation".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.json_lines import json_line, read_json_lines
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, LabelSet

LABEL_FOLDER, PANOPTIC_FOLDER = 'labels', 'panoptic'
JSON_FILE = 'panoptic.json'
# The annotations as they come; the JSON file is made of them when the run is done.
LINES_FILE = 'panoptic.jsonl'
# What stands in a line of it, and in the JSON file among the images.
OF_IMAGES = ('image_name', 'width', 'height')
# Label images are flat areas: the run-length strategy packs them as well as the default, faster.
PNG_FLAGS = [cv2.IMWRITE_PNG_COMPRESSION, 3, cv2.IMWRITE_PNG_STRATEGY, 3]


def camera_in_a_file_name(camera: str) -> str:
    """The name of a camera without slashes; no two cameras share one, as topics have no dots."""
    return camera.replace('/', '.')


def label_path(folder: Path, camera: str, stamp_ns: int) -> Path:
    """Where the label image of a frame lies below the output of a run."""
    return folder / LABEL_FOLDER / camera_in_a_file_name(camera) / f'{stamp_ns}.png'


def write_label(folder: Path, camera: str, stamp_ns: int, labels: np.ndarray) -> Path:
    """Write a label image, uint16 [H, W], and return its path.

    Raises:
        EvaluationError: it cannot be written.
    """
    path = label_path(folder, camera, stamp_ns)
    path.parent.mkdir(parents=True, exist_ok=True)
    _write_png(path, labels)
    return path


def _write_png(path: Path, picture: np.ndarray) -> None:
    # By way of memory: `imwrite` cannot write where the bytes of a path are no text.
    done, data = cv2.imencode('.png', picture, PNG_FLAGS)
    try:
        if done:
            path.write_bytes(data.tobytes())
    except OSError as error:
        raise EvaluationError(f'{path} could not be written ({error.strerror})') from error
    if not done:
        raise EvaluationError(f'{path} could not be written: PNG cannot hold {picture.shape}')


def segment_ids(labels: np.ndarray) -> np.ndarray:
    """The segment of each pixel: label value + 1, and 0 for unknown. uint16 to int64 [H, W]."""
    ids = labels.astype(np.int64) + 1
    ids[labels == UNKNOWN_LABEL] = 0
    return ids


def segments_info(labels: np.ndarray, label_set: LabelSet) -> list[dict[str, Any]]:
    """What the format says of each segment of a label image, uint16 [H, W]."""
    segments = []
    areas = np.bincount(labels.reshape(-1), minlength=1 << 16)
    for label in np.flatnonzero(areas).tolist():
        if label == UNKNOWN_LABEL:
            continue
        box = cv2.boundingRect((labels == label).astype(np.uint8))
        segments.append(
            {
                'id': label + 1,
                'category_id': label_set.classes[label >> INSTANCE_BITS].dataset_id,
                'area': int(areas[label]),
                'bbox': list(box),
                'iscrowd': 0,
            }
        )
    return segments


def frame_name(camera: str, stamp_ns: int) -> str:
    """What a frame is called in COCO panoptic format."""
    return f'{camera_in_a_file_name(camera)}_{stamp_ns}'


class PanopticFiles:
    """Writes `panoptic/NAME.png` picture by picture, and `panoptic.json` at the end.

    Use it as a context manager. Frames of an interrupted run are part of the file.

    Args:
        folder: the run's output.
        label_set: the classes; their data set ids are the category ids.
        restart: whether what an earlier run wrote is thrown away.
    """

    def __init__(self, folder: Path, label_set: LabelSet, *, restart: bool) -> None:
        self._folder = folder
        self._label_set = label_set
        (folder / PANOPTIC_FOLDER).mkdir(parents=True, exist_ok=True)
        self._lines = (folder / LINES_FILE).open('w' if restart else 'a', encoding='utf-8')
        self._lines.write('\n')  # ends a line that an interrupt cut off

    def __enter__(self) -> PanopticFiles:
        """Nothing to prepare."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file of annotations."""
        self._lines.close()

    def add(self, name: str, labels: np.ndarray, *, image_name: str | None = None) -> None:
        """Write a label image.

        Args:
            name: of the picture, its image id; may hold folders.
            labels: uint16 [H, W].
            image_name: of its file; None: as the PNG's.

        Raises:
            EvaluationError: the file cannot be written.
        """
        path = self._folder / PANOPTIC_FOLDER / f'{name}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        ids = segment_ids(labels)
        colours = np.stack([ids >> 16, ids >> 8 & 255, ids & 255], axis=-1).astype(np.uint8)
        _write_png(path, colours)
        height, width = labels.shape
        annotation = {
            'image_id': name,
            'file_name': f'{name}.png',
            'image_name': image_name or f'{name}.png',
            'width': width,
            'height': height,
            'segments_info': segments_info(labels, self._label_set),
        }
        self._lines.write(json_line(annotation))
        self._lines.flush()

    def finish(self) -> Path:
        """Write the JSON file from the annotations, one after another; returns its path."""
        path = self._folder / JSON_FILE
        categories = [
            {'id': c.dataset_id, 'name': c.name, 'isthing': int(c.is_thing), 'color': [*c.colour]}
            for c in self._label_set.classes
        ]
        with path.open('w', encoding='utf-8') as file:
            file.write(f'{{"categories":{json.dumps(categories)},\n"images":[')
            for number, entry in enumerate(self._annotations()):
                image = {'id': entry['image_id'], 'file_name': entry['image_name']}
                image |= {'width': entry['width'], 'height': entry['height']}
                file.write((',\n' if number else '\n') + json.dumps(image))
            file.write('],\n"annotations":[')
            for number, entry in enumerate(self._annotations()):
                kept = {k: v for k, v in entry.items() if k not in OF_IMAGES}
                file.write((',\n' if number else '\n') + json.dumps(kept))
            file.write(']}\n')
        return path

    def _annotations(self) -> Iterator[dict[str, Any]]:
        """Each image's annotation once; a frame may be there twice after an interrupt."""
        seen: set[str] = set()
        for entry in read_json_lines(self._folder / LINES_FILE):
            if entry['image_id'] not in seen:
                seen.add(entry['image_id'])
                yield entry
