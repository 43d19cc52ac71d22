# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Predictions in COCO panoptic format, which the official tools of both data sets read.

Source: https://cocodataset.org/#format-results, "Panoptic Segmentation".
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from training.data.errors import DataError
from training.data.frames import Frame
from training.data.image_files import read_segment_png, write_segment_png
from training.data.label_runs import LabelRuns
from training.evaluation.frame_files import path_inside
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, LabelSet


@dataclass(frozen=True)
class SubmittedImage:
    """What the JSON file says of an image beside its segments.

    Attributes:
        name: Of the frame; may hold folders.
        image_id: The data set's own: an integer in COCO, in Cityscapes the frame's name, as its
            converter writes it.
        file_name: Of the image.
    """

    name: str
    image_id: int | str
    file_name: str

    @classmethod
    def of(cls, frame: Frame) -> 'SubmittedImage':
        """The image of a frame; without an ``image_id``, its name is its id."""
        suffix = frame.image.suffix
        file_name = f'{frame.name}{suffix}' if '/' in frame.name else frame.image.name
        return cls(frame.name, getattr(frame, 'image_id', frame.name), file_name)


class PanopticSubmission:
    """Writes ``panoptic/NAME.png`` frame by frame, and ``panoptic.json`` at the end.

    The JSON file is made of the PNGs, so frames of an earlier, interrupted run and of other
    processes are part of it.

    Args:
        folder: Receives both.
        label_set: Classes of the label images; their data-set ids are the category ids.
    """

    def __init__(self, folder: Path, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.pngs = folder / 'panoptic'
        self.json_path = folder / 'panoptic.json'

    def write(self, name: str, labels: np.ndarray) -> None:
        """Write a frame's PNG. Threads may write frames at the same time.

        Args:
            name: Of the frame; may hold folders.
            labels: uint16 ``[H, W]`` label image. A segment is what has one value; its id is the
                value + 1, and 0 is unknown.

        Raises:
            DataError: If the name leads out of the folder.
            LabelError: If it is no label image.
            OSError: If the file cannot be written.
        """
        if labels.dtype != np.uint16 or labels.ndim != 2:
            raise LabelError(
                f'{name}: label image of shape {labels.shape} and type {labels.dtype}, expected '
                '[H, W] and uint16'
            )
        ids = labels + np.uint32(1)
        ids[labels == UNKNOWN_LABEL] = 0
        write_segment_png(self._png(name), ids)

    def finish(self, images: Iterable[SubmittedImage]) -> Path:
        """Write the JSON file.

        Args:
            images: Those that were written, in this run or an earlier one.

        Returns:
            Its path.

        Raises:
            ImageError: If a PNG is missing or damaged.
            DataError: If a PNG was made with other classes, or an image id is there twice.
            OSError: If the file cannot be written.
        """
        content: dict[str, list[Any]] = {'images': [], 'annotations': []}
        seen: set[int | str] = set()
        for image in images:
            if image.image_id in seen:
                raise DataError(
                    f'{self.json_path}: the image id {image.image_id!r} of {image.name} is there '
                    'twice; expected one of its own for each image'
                )
            seen.add(image.image_id)
            entry, annotation = self._entries(image)
            content['images'].append(entry)
            content['annotations'].append(annotation)
        content['categories'] = [
            {'id': c.dataset_id, 'name': c.name, 'isthing': int(c.is_thing), 'color': [*c.colour]}
            for c in self.label_set.classes
        ]
        self.json_path.parent.mkdir(parents=True, exist_ok=True)
        self.json_path.write_text(json.dumps(content) + '\n')
        return self.json_path

    def _png(self, name: str) -> Path:
        return path_inside(self.pngs, f'{name}.png')

    def _entries(self, image: SubmittedImage) -> tuple[dict[str, Any], dict[str, Any]]:
        """What stands in ``images`` and in ``annotations``."""
        path = self._png(image.name)
        runs = LabelRuns.of(read_segment_png(path))
        height, width = runs.shape
        size = {'width': width, 'height': height}
        annotation = {
            'image_id': image.image_id,
            'file_name': path.relative_to(self.pngs).as_posix(),
            'segments_info': self._segments(runs, path),
        }
        return {'id': image.image_id, 'file_name': image.file_name, **size}, annotation

    def _segments(self, runs: LabelRuns, path: Path) -> list[dict[str, Any]]:
        """The ``segments_info`` of a PNG's ids."""
        segments = []
        for identity, area, box in zip(
            runs.values.tolist(), runs.areas().tolist(), runs.boxes().tolist(), strict=True
        ):
            class_id = (identity - 1) >> INSTANCE_BITS
            if identity == 0:
                continue
            if class_id >= self.label_set.num_classes:
                raise DataError(
                    f"{path}: the segment {identity} is of no class of '{self.label_set.name}'; "
                    'the PNG was written with other classes, remove it and predict again'
                )
            x1, y1, x2, y2 = box
            segments.append(
                {
                    'id': identity,
                    'category_id': self.label_set.classes[class_id].dataset_id,
                    'area': area,
                    'bbox': [x1, y1, x2 - x1 + 1, y2 - y1 + 1],
                    'iscrowd': 0,
                }
            )
        return segments
