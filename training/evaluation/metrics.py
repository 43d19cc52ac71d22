# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of an evaluation as plain JSON values, from the records of its frames."""

import platform
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.evaluation.coco_precision import coco_precision
from training.evaluation.frame_loop import BadFrame
from training.evaluation.frame_record import FrameRecord
from training.evaluation.totals import Evaluation
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.labels import LabelSet

VERSION = 1


class NothingEvaluatedError(UpsnetError):
    """Not one frame could be evaluated, so there are no figures."""


def split_records(
    found: Sequence[FrameRecord | BadFrame],
) -> tuple[list[FrameRecord], list[BadFrame]]:
    """The frames that count and those that were left out.

    Raises:
        NothingEvaluatedError: If no frame counts.
    """
    records = [entry for entry in found if isinstance(entry, FrameRecord)]
    bad = [entry for entry in found if isinstance(entry, BadFrame)]
    if not records:
        first = f': {bad[0].name}: {bad[0].problem}' if bad else ''
        raise NothingEvaluatedError(f'none of {len(found)} frames could be evaluated{first}')
    return records, bad


def quality_metrics(
    records: Sequence[FrameRecord], bad: Sequence[BadFrame], label_set: LabelSet
) -> dict[str, Any]:
    """Panoptic quality, mean IoU and what else adds up over frames, with what was left out.

    Args:
        records: Frames that count.
        bad: Frames that were left out.
        label_set: The classes.
    """
    return {
        'version': VERSION,
        **Evaluation.of(label_set, records).to_dict(),
        'skipped': [vars(entry) for entry in bad],
        'empty_predictions': [entry.name for entry in records if not entry.segments],
    }


def precision_metrics(
    records: Sequence[FrameRecord],
    label_set: LabelSet,
    *,
    detection_kind: str | None,
    annotations: Path | None,
) -> dict[str, Any] | None:
    """Average precision of boxes and masks by COCO's rules.

    Args:
        records: Frames that count.
        label_set: The classes.
        detection_kind: What the detections are; None where there are none.
        annotations: COCO's own ``instances_*.json``; None: the objects of the panoptic truth.

    Returns:
        None without detections, or without any true object to find.
    """
    if detection_kind is None or any(entry.detections is None for entry in records):
        return None
    figures = {
        kind: coco_precision(records, label_set, kind=kind, annotations=annotations).to_dict()
        for kind in ('box', 'mask')
    }
    if figures['box']['ap'] is None:
        return None
    truth = annotations.name if annotations else 'panoptic annotation'
    return figures | {'of': detection_kind, 'truth': truth}


def frame_figures(records: Sequence[FrameRecord], label_set: LabelSet) -> list[dict[str, Any]]:
    """Panoptic quality [%], share of unknown pixels and time [ms] of each frame."""
    return [
        {
            'name': entry.name,
            'pq': entry.pq(label_set),
            'unknown_share': entry.unknown_share,
            'ms': entry.seconds * 1000,
        }
        for entry in records
    ]


def environment(device: torch.device) -> dict[str, str]:
    """Where and when the figures were measured."""
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else platform.processor()
    return {
        'device': f'{device.type} {name}'.strip(),
        'python': '.'.join(map(str, sys.version_info[:3])),
        'torch': torch.__version__,
        'numpy': np.__version__,
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
    }
