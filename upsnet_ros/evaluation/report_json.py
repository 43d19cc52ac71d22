# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report for programs: one JSON object with a fixed set of keys.

| key | meaning |
|---|---|
| `format_version` | of this table |
| `frames_sent`, `frames_labelled`, `frames_dropped` | of the drive: sent = labelled + dropped |
| `latency_ms` | `p50`, `p95`, `p99`: from the image's stamp to the arrival of its label |
| `frames_per_second` | rate at which labels arrived |
| `camera_rate_hz` | rate at which images were sent |
| `pq` | `all`, `things`, `stuff`: panoptic quality; `sq`, `rq`: its factors over all; percent |
| `per_class` | the same for each class, with the counts of matched and unmatched segments |
| `unknown_share` | mean share of pixels labelled unknown, 0..1 |
| `frames_with_ground_truth` | frames that `pq` is taken over |
| `node_peak_memory_mb` | largest resident memory of the node process, 1 MB = 10^6 bytes |
| `labels_duplicate`, `labels_unexpected` | labels that came twice, or with a stamp nobody sent |
| `node_stages_ms` | `p50` and `p95` of each stage of the node's work, as it says itself |
| `node_diagnostics` | last keys and values of each status the node published |
| `environment` | machine, versions, model, network input, image size, date |
| `replay` | bag, camera, pace, command, seconds until the node was active, clock steps |
| `frames` | per frame: `index`, `stamp_ns` (in the bag), `latency_ms`, `pq`, `unknown_share` |

A value that could not be measured is null: latencies when nothing was labelled, quality without
ground truth.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from upsnet_ros.core.panoptic_quality import ClassQuality, QualityGroup
from upsnet_ros.evaluation.drive_evaluation import DriveEvaluation
from upsnet_ros.evaluation.frames import JoinedFrames
from upsnet_ros.evaluation.live.node_diagnostics import stages_of
from upsnet_ros.evaluation.timing import ReplayTiming

FORMAT_VERSION = 1
DIGITS = 3

Report = dict[str, Any]


def rounded(value: float | None, digits: int = DIGITS) -> float | None:
    """A number for the report; null where there is none (None, NaN or infinite)."""
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits)


def _quality(evaluation: DriveEvaluation) -> tuple[dict[str, float | None], list[Report]]:
    """The entries `pq` and `per_class`."""
    if evaluation.quality is None:
        return dict.fromkeys(('all', 'things', 'stuff', 'sq', 'rq')), []
    summary = evaluation.quality.summary()
    quality = {
        'all': _group(summary.all, 'pq'),
        'things': _group(summary.things, 'pq'),
        'stuff': _group(summary.stuff, 'pq'),
        'sq': _group(summary.all, 'sq'),
        'rq': _group(summary.all, 'rq'),
    }
    return quality, [_class_entry(entry) for entry in summary.per_class]


def _group(group: QualityGroup, part: str) -> float | None:
    """One figure of a group of classes; null where none of them occurred."""
    return rounded(getattr(group, part)) if group.classes else None


def _class_entry(entry: ClassQuality) -> Report:
    """One line of `per_class`; figures of a class that never occurred are null, not zero."""
    values = entry.to_dict()
    return values | {
        part: rounded(values[part]) if entry.counts else None for part in ('pq', 'sq', 'rq')
    }


def build_report(
    *,
    joined: JoinedFrames,
    timing: ReplayTiming,
    evaluation: DriveEvaluation,
    node_peak_bytes: int | None,
    statuses: dict[str, dict[str, str]],
    environment: Report,
    replay: Report,
) -> Report:
    """The whole report as it is written to JSON."""
    quality, per_class = _quality(evaluation)
    latency = timing.latency_ms
    return {
        'format_version': FORMAT_VERSION,
        'frames_sent': joined.sent,
        'frames_labelled': joined.labelled,
        'frames_dropped': joined.dropped,
        'latency_ms': {
            'p50': rounded(latency.p50),
            'p95': rounded(latency.p95),
            'p99': rounded(latency.p99),
        },
        'frames_per_second': rounded(timing.frames_per_second),
        'camera_rate_hz': rounded(timing.camera_rate_hz),
        'pq': quality,
        'per_class': per_class,
        'unknown_share': rounded(evaluation.unknown_share, 6),
        'frames_with_ground_truth': sum(s.quality is not None for s in evaluation.scores),
        'node_peak_memory_mb': rounded(node_peak_bytes / 1e6, 1) if node_peak_bytes else None,
        'node_stages_ms': {
            stage.name: {'p50': stage.p50, 'p95': stage.p95} for stage in stages_of(statuses)
        },
        'node_diagnostics': statuses,
        'labels_duplicate': joined.duplicates,
        'labels_unexpected': joined.strangers,
        'environment': environment,
        'replay': replay,
        'frames': [
            {
                'index': score.outcome.frame.index,
                'stamp_ns': score.outcome.frame.bag_stamp_ns,
                'latency_ms': rounded(score.outcome.latency_ms),
                'pq': rounded(score.pq),
                'unknown_share': rounded(score.unknown_share, 6),
            }
            for score in evaluation.scores
        ],
    }


def write_report_json(report: Report, path: Path) -> None:
    """Write the report; NaN, which JSON does not know, is refused."""
    path.write_text(json.dumps(report, indent=2, allow_nan=False) + '\n', encoding='utf-8')
