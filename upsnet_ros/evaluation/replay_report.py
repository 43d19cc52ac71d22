# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluated replay as data, `report.json`; docs/replay_evaluation.md says more.

A figure that could not be measured is null, never zero.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from upsnet_ros.bags.reader import BagFacts
from upsnet_ros.core.errors import EvaluationError, LabelError, shorten
from upsnet_ros.core.labels import LabelSet

SCHEMA_VERSION = 1
REPORT_FILE = 'report.json'
KINDS = ('offline', 'live')

Json = dict[str, Any]


@dataclass(frozen=True)
class ModelFacts:
    """The model, and on what it ran."""

    path: str
    sha256: str
    name: str
    backend: str
    device: str


@dataclass(frozen=True)
class LatencyFigures:
    """Milliseconds a frame; None where no frame was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    mean: float | None = None


@dataclass(frozen=True)
class SeriesPoint:
    """One frame in the course of a drive; None where a figure does not exist."""

    stamp_ns: int
    pq: float | None
    unknown_share: float
    latency_ms: float | None
    flip_share: float | None = None
    mean_score: float | None = None


@dataclass(frozen=True)
class SkippedMessage:
    """A message that could not be evaluated, and why."""

    stamp_ns: int
    problem: str


@dataclass(frozen=True)
class CameraFigures:
    """What one camera's frames, or those of all, add up to.

    Attributes:
        frames: image messages in the part of the bag that was asked for.
        decoded: those of them that were labelled.
        skipped: the others.
        truth_frames: labelled frames with ground truth.
        truth_problems: ground truth that could not be used.
        truth_unmatched: ground truth whose stamp no image has.
        pq: `PanopticQualitySummary.to_dict()`; None without ground truth.
        miou: `MeanIouSummary.to_dict()` of the label images; None without ground truth.
        stability: see `upsnet_ros.evaluation.stability`; None where no frame follows another.
        unknown_share: mean part of the pixels labelled unknown, 0 to 1; None without frames.
        confidence: `counts` of instances in equal bins of confidence from 0 to 1, their `mean`.
        latency_ms: time a frame.
        drops: those of `skipped` to which a node gave no label; 0 offline, where it waits.
        series: the labelled frames in order; empty for all cameras together.
    """

    frames: int
    decoded: int
    skipped: tuple[SkippedMessage, ...]
    truth_frames: int
    truth_problems: tuple[SkippedMessage, ...]
    truth_unmatched: int
    pq: Json | None
    miou: Json | None
    stability: Json | None
    unknown_share: float | None
    confidence: Json
    latency_ms: LatencyFigures
    drops: int
    series: tuple[SeriesPoint, ...] = ()

    @classmethod
    def from_dict(cls, values: Json) -> CameraFigures:
        """The figures written by `dataclasses.asdict`."""
        return _make(
            cls,
            values
            | {
                **{
                    name: tuple(_make(SkippedMessage, each) for each in values[name])
                    for name in ('skipped', 'truth_problems')
                },
                'latency_ms': _make(LatencyFigures, values['latency_ms']),
                'series': tuple(_make(SeriesPoint, each) for each in values['series']),
            },
        )


@dataclass(frozen=True)
class WorstFrame:
    """A frame to look at.

    Attributes:
        camera: name of the camera.
        stamp_ns: header stamp [ns].
        pq: panoptic quality of it alone [%]; None without truth.
        unknown_share: part of its pixels labelled unknown, 0 to 1.
        pictures: files below the report's folder by what they show: `image`, `labels`, and where
            there is truth `truth` and `difference`.
    """

    camera: str
    stamp_ns: int
    pq: float | None
    unknown_share: float
    pictures: dict[str, str]


@dataclass(frozen=True)
class ReplayReport:
    """A whole report.

    Attributes:
        kind: `offline` or `live`.
        command: the command line that made it.
        bag: what was replayed.
        model: what labelled it.
        label_set: names and colours of the classes.
        cameras: figures by camera.
        total: figures of all cameras together.
        speed: `wall_s`, `frames_per_second` of the last run; offline what the network took, live
            what the node took and where frames were lost.
        environment: machine and versions.
        options: what was asked for.
        worst: frames to look at, the worst first.
    """

    kind: str
    command: str
    bag: BagFacts
    model: ModelFacts
    label_set: LabelSet
    cameras: dict[str, CameraFigures]
    total: CameraFigures
    speed: Json
    environment: Json
    options: Json
    worst: tuple[WorstFrame, ...] = field(default=())

    def to_dict(self) -> Json:
        """Plain JSON values; `from_dict` undoes it."""
        values = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {'schema_version': SCHEMA_VERSION} | {
            **values,
            'bag': asdict(self.bag),
            'model': asdict(self.model),
            'label_set': self.label_set.to_dict(),
            'cameras': {name: asdict(figures) for name, figures in self.cameras.items()},
            'total': asdict(self.total),
            'worst': [asdict(frame) for frame in self.worst],
        }

    @classmethod
    def from_dict(cls, values: Json) -> ReplayReport:
        """The report written by `to_dict`.

        Raises:
            EvaluationError: it has another version, or a field is missing, unknown or wrong.
        """
        version = values.get('schema_version') if isinstance(values, dict) else None
        if version != SCHEMA_VERSION:
            raise EvaluationError(
                f'the report has schema_version {shorten(version)}, expected {SCHEMA_VERSION}; '
                'evaluate the bag again with this version of the package'
            )
        left = {name: value for name, value in values.items() if name != 'schema_version'}
        try:
            if left['kind'] not in KINDS:
                raise ValueError(f'kind is {shorten(left["kind"])}, expected {" or ".join(KINDS)}')
            bag = left['bag'] | {'problems': tuple(left['bag']['problems'])}
            parts = {
                'bag': _make(BagFacts, bag),
                'model': _make(ModelFacts, left['model']),
                'label_set': LabelSet.from_dict(left['label_set']),
                'cameras': {n: CameraFigures.from_dict(v) for n, v in left['cameras'].items()},
                'total': CameraFigures.from_dict(left['total']),
                'worst': tuple(_make(WorstFrame, each) for each in left['worst']),
            }
            return _make(cls, left | parts)
        except (AttributeError, KeyError, LabelError, TypeError, ValueError) as error:
            raise EvaluationError(
                f'the report is malformed ({type(error).__name__}: {error}), expected what '
                'docs/replay_evaluation.md describes; evaluate the bag again'
            ) from error


def _make(kind: type, values: Json) -> Any:
    """An object of its fields, all of them and no others."""
    expected = {entry.name for entry in fields(kind)}
    if set(values) != expected:
        missing, unknown = sorted(expected - set(values)), sorted(set(values) - expected)
        raise KeyError(f'{kind.__name__} lacks {missing} and has unknown {unknown}')
    return kind(**values)


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A number for the report; None where there is none (None, NaN or infinite)."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def write_report(report: ReplayReport, folder: Path) -> Path:
    """Write `report.json` whole or not at all; returns its path."""
    path = folder / REPORT_FILE
    part = path.with_suffix('.part')
    part.write_text(
        json.dumps(report.to_dict(), indent=1, allow_nan=False) + '\n', encoding='utf-8'
    )
    part.replace(path)
    return path


def read_report(path: Path) -> ReplayReport:
    """The report of a file, or of the folder it lies in.

    Raises:
        EvaluationError: it cannot be read, or is no report of this version.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    try:
        values = json.loads(file.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f'{file} cannot be read as a report ({error}); give the folder that an evaluation '
            'wrote with --output'
        ) from error
    return ReplayReport.from_dict(values)
