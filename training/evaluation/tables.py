# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The tables of an evaluation: a row in the paper's column order, and one row per class."""

from dataclasses import dataclass
from typing import Any

from upsnet_ros.report.document import figure

PAPER_COLUMNS = (
    'PQ', 'SQ', 'RQ', 'PQ-Th', 'SQ-Th', 'RQ-Th', 'PQ-St', 'SQ-St', 'RQ-St',
    'mIoU', 'AP-box', 'AP-mask', 'run time [ms]',
)  # fmt: skip
FIGURES = ('pq', 'sq', 'rq')
CLASS_COLUMNS = ('PQ', 'SQ', 'RQ', 'IoU', 'AP-box', 'AP-mask', 'TP', 'FP', 'FN')


@dataclass(frozen=True)
class ClassRow:
    """The figures of one class.

    Attributes:
        class_id: Train id.
        name: Of the class.
        is_thing: Whether it is a thing class.
        figures: PQ, SQ, RQ, IoU, AP of boxes and AP of masks [%]; None where there is no figure.
        counts: Matched segments, predicted ones without a match, true ones without a match.
    """

    class_id: int
    name: str
    is_thing: bool
    figures: tuple[float | None, ...]
    counts: tuple[int, int, int]


def mask_precision(metrics: dict[str, Any]) -> dict[str, Any] | None:
    """The average precision of masks that the paper's column means: Cityscapes has its own."""
    if metrics['cityscapes_ap'] is not None:
        return metrics['cityscapes_ap']
    return metrics['ap'] and metrics['ap']['mask']


def run_time(metrics: dict[str, Any]) -> float | None:
    """Mean time of labelling an image [ms]; None for labels that were read from files."""
    is_model = 'semantic_path' in metrics['model']
    return 1000 * metrics['seconds_per_frame'] if is_model and metrics['frames'] else None


def paper_row(metrics: dict[str, Any]) -> list[float | None]:
    """The figures in the order of ``PAPER_COLUMNS``, None where there is none.

    Args:
        metrics: Content of ``metrics.json``.
    """
    row: list[float | None] = []
    for group in ('all', 'things', 'stuff'):
        figures = metrics['pq'][group]
        row += [figures[name] if figures['classes'] else None for name in FIGURES]
    mask = mask_precision(metrics)
    return [
        *row,
        metrics['miou'] and metrics['miou']['miou'],
        metrics['ap'] and metrics['ap']['box']['ap'],
        mask and mask['ap'],
        run_time(metrics),
    ]


def paper_cells(metrics: dict[str, Any]) -> list[str]:
    """:func:`paper_row` as text."""
    *figures, milliseconds = paper_row(metrics)
    return [*map(figure, figures), figure(milliseconds, 0)]


def class_rows(metrics: dict[str, Any]) -> list[ClassRow]:
    """One row per class, in the order of the label set.

    A class with no segment in truth and labels has no panoptic quality, one that occurs nowhere
    no IoU, and stuff no average precision: None, not 0.
    """
    iou = _per_class(metrics['miou'])
    box = _per_class(metrics['ap'] and metrics['ap']['box'])
    mask = _per_class(mask_precision(metrics))
    rows = []
    for entry in metrics['pq']['per_class']:
        name = entry['name']
        counts = (entry['true_positives'], entry['false_positives'], entry['false_negatives'])
        quality = [entry[part] if any(counts) else None for part in FIGURES]
        rows.append(
            ClassRow(
                class_id=entry['class_id'],
                name=name,
                is_thing=entry['is_thing'],
                figures=(*quality, iou.get(name), box.get(name), mask.get(name)),
                counts=counts,
            )
        )
    return rows


def _per_class(figures: dict[str, Any] | None) -> dict[str, float | None]:
    return figures['per_class'] if figures else {}


def footnotes(metrics: dict[str, Any]) -> list[str]:
    """What the columns mean where it could be mistaken."""
    notes = [
        'All figures in percent but the run time: mean over the frames of labelling one image, '
        'reading and writing files not included.',
        _miou_note(metrics),
    ]
    precision = metrics['ap']
    if precision is None:
        return [*notes, 'There is no average precision: nothing was found to measure it on.']
    notes.append(
        f'AP is of the {precision["of"]} of the instance head, {_kind_note(precision["of"])}. '
        f"AP-box follows COCO's rules, IoU 0.50 to 0.95; its truth is: {precision['truth']}."
    )
    if metrics['cityscapes_ap'] is not None:
        notes.append(
            "AP-mask is that of Cityscapes' instance evaluation, as published; by COCO's rules "
            f'it is {figure(precision["mask"]["ap"])}.'
        )
    else:
        notes.append("AP-mask follows COCO's rules, too.")
    return notes


def _miou_note(metrics: dict[str, Any]) -> str:
    if metrics['miou'] is None:
        return 'There is no mIoU: the answer of a semantic head is not known.'
    return "mIoU is of the semantic head's own answer."


def _kind_note(kind: str) -> str:
    if kind == 'candidates':
        return (
            'which were suppressed over all classes together for the panoptic head, so that it '
            'is lower than that of Mask R-CNN detections'
        )
    return 'suppressed class by class as in Mask R-CNN'
