# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Average precision by COCO's own evaluation, and detections in COCO's format of results."""

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from training.data.errors import DataError
from training.evaluation.average_precision import AveragePrecision
from training.evaluation.frame_record import FrameRecord
from upsnet_ros.core.labels import LabelSet

Kind = Literal['box', 'mask']
IOU_TYPES: dict[Kind, str] = {'box': 'bbox', 'mask': 'segm'}  # COCO's names


def coco_results(
    records: Sequence[FrameRecord],
    label_set: LabelSet,
    image_ids: Mapping[str, int | str],
    *,
    kind: Kind,
) -> list[dict[str, Any]]:
    """All detections as the entries of a results file.

    A box is x, y, width and height with ``width = x2 - x1 + 1``, because both corners are in it.

    Args:
        records: Frames with detections.
        label_set: Classes; their data-set ids are the category ids.
        image_ids: The data set's id of each frame.
        kind: Whether the entries have boxes or masks. Each is a file of its own: COCO takes the
            area of an entry with both from its box.
    """
    results = []
    for record in records:
        for found in record.detections or ():
            entry: dict[str, Any] = {
                'image_id': image_ids[record.name],
                'category_id': label_set.classes[found.class_id].dataset_id,
                'score': found.score,
            }
            if kind == 'box':
                entry['bbox'] = _width_and_height(found.box)
            else:
                entry['segmentation'] = found.mask
            results.append(entry)
    return results


def coco_precision(
    records: Sequence[FrameRecord],
    label_set: LabelSet,
    *,
    kind: Kind,
    annotations: Path | None = None,
) -> AveragePrecision:
    """Measure average precision with ``pycocotools``.

    Args:
        records: Frames with detections.
        label_set: Classes; their data-set ids are the category ids.
        kind: Of what: boxes or masks.
        annotations: COCO's own ``instances_*.json``; None: the objects of the records. Classes
            without any object there have no figure.

    Raises:
        DataError: If the file cannot be read, has no image of a frame, or other classes.
    """
    things = [entry for entry in label_set.classes if entry.is_thing]
    with contextlib.redirect_stdout(io.StringIO()):
        if annotations is None:
            truth, image_ids = _truth_of_records(records, label_set)
        else:
            truth, image_ids = _truth_of_file(annotations, records, label_set)
        results = _as_coco(
            truth.dataset, coco_results(records, label_set, image_ids, kind=kind), kind
        )
        evaluation = COCOeval(truth, results, IOU_TYPES[kind])
        evaluation.params.imgIds = sorted(image_ids.values())
        evaluation.params.catIds = [entry.dataset_id for entry in things]
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ap, ap50, ap75, small, medium, large = map(_percent, evaluation.stats[:6])
    # [overlaps, recalls, classes, areas, limits] at all areas and the largest limit.
    precision = evaluation.eval['precision'][:, :, :, 0, -1]
    per_class = {
        entry.name: _percent(_mean(precision[:, :, index])) for index, entry in enumerate(things)
    }
    return AveragePrecision(ap, ap50, ap75, small, medium, large, per_class)


def _truth_of_records(
    records: Sequence[FrameRecord], label_set: LabelSet
) -> tuple[COCO, dict[str, int]]:
    image_ids = {record.name: number for number, record in enumerate(records, 1)}
    annotations = [
        {
            'id': 0,  # numbered below
            'image_id': image_ids[record.name],
            'category_id': label_set.classes[entry.class_id].dataset_id,
            'bbox': _width_and_height(entry.box),
            'segmentation': entry.mask,
            'area': float(coco_mask.area(entry.mask)),
            'iscrowd': int(entry.is_crowd),
        }
        for record in records
        for entry in record.objects
    ]
    for number, annotation in enumerate(annotations, 1):  # 0 means "no match" in COCOeval
        annotation['id'] = number
    images = [
        {'id': image_ids[record.name], 'height': record.size[0], 'width': record.size[1]}
        for record in records
    ]
    categories = [{'id': entry.dataset_id, 'name': entry.name} for entry in label_set.classes]
    dataset = {'images': images, 'annotations': annotations, 'categories': categories}
    return _indexed(dataset), image_ids


def _truth_of_file(
    path: Path, records: Sequence[FrameRecord], label_set: LabelSet
) -> tuple[COCO, dict[str, int]]:
    try:
        dataset = json.loads(path.read_text())
        known = {
            PurePosixPath(entry['file_name']).stem: entry['id'] for entry in dataset['images']
        }
        categories = {entry['id'] for entry in dataset['categories']}
        truth = _indexed(dataset)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{path}: {type(error).__name__}: {error}; expected COCO's object annotations, such "
            'as instances_val2017.json'
        ) from error
    things = {entry.dataset_id for entry in label_set.classes if entry.is_thing}
    if not things <= categories:
        raise DataError(
            f'{path}: has no categories {sorted(things - categories)[:5]} of label set '
            f"'{label_set.name}'; expected the object annotations of the same data set"
        )
    image_ids = {}
    for record in records:
        name = PurePosixPath(record.name).name
        if name not in known:
            raise DataError(
                f'{path}: holds no image {name} and {len(known)} others; expected the annotations '
                'of the evaluated split'
            )
        image_ids[record.name] = known[name]
    return truth, image_ids


def _as_coco(dataset: dict[str, Any], results: list[dict[str, Any]], kind: Kind) -> COCO:
    """Results beside a truth, those of no detection at all as well."""
    annotations = []
    for number, entry in enumerate(results, 1):
        if kind == 'box':
            area = entry['bbox'][2] * entry['bbox'][3]
        else:
            area = float(coco_mask.area(entry['segmentation']))
        annotations.append(entry | {'id': number, 'iscrowd': 0, 'area': area})
    return _indexed(
        {
            'images': dataset['images'],
            'categories': dataset['categories'],
            'annotations': annotations,
        }
    )


def _indexed(dataset: dict[str, Any]) -> COCO:
    coco = COCO()
    coco.dataset = dataset
    coco.createIndex()
    return coco


def _width_and_height(box: tuple[float, float, float, float]) -> list[float]:
    x1, y1, x2, y2 = box
    return [x1, y1, x2 - x1 + 1, y2 - y1 + 1]


def _mean(precision: np.ndarray) -> float:
    """Mean over what is measured, -1 where nothing is."""
    measured = precision[precision > -1]
    return float(measured.mean()) if measured.size else -1.0


def _percent(share: float) -> float | None:
    return None if share < 0 else 100 * float(share)
