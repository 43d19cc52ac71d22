# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report of an evaluated replay as data, `report.json`; docs/replay_evaluation.md says more.

A figure that could not be measured is null, never zero.
"""

from __future__ import annotations

import json
import math
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import psutil

from upsnet_ros.bags.reader import BagFacts
from upsnet_ros.core.errors import EvaluationError, UpsnetError, shorten
from upsnet_ros.core.json_fields import fields_from_plain
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.frame_record import REPORT_FILE

SCHEMA_VERSION = 2
KINDS = ('offline', 'live')
# Distributions whose versions change results or times.
PACKAGES = (
    *('numpy', 'numba', 'opencv-python-headless'),
    *('onnxruntime', 'openvino', 'rosbags', 'rclpy'),
)

Json = dict[str, Any]

Kind = TypeVar('Kind')


def rounded(value: float | None, digits: int = 4) -> float | None:
    """A number for the report; None where there is none (None, NaN or infinite)."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


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
        means: by key, the means of figures that are told of nowhere else.
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
    means: dict[str, float | None] = field(default_factory=dict)

    def to_dict(self) -> Json:
        """Plain JSON values."""
        values = asdict(self)
        return values if self.means else {k: v for k, v in values.items() if k != 'means'}


@dataclass(frozen=True)
class ModelFacts:
    """The model, and on what it ran."""

    path: str
    sha256: str
    name: str
    backend: str
    device: str
    precision: str


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

    def files(self, folder: Path) -> dict[str, Path]:
        """The pictures that are there; none that a damaged report names outside its folder."""
        paths = {kind: (folder / name).resolve() for kind, name in self.pictures.items()}
        return {
            kind: path
            for kind, path in paths.items()
            if path.is_relative_to(folder.resolve()) and path.is_file()
        }


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
    worst: tuple[WorstFrame, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a kind that there is not."""
        if self.kind not in KINDS:
            raise ValueError(f'kind is {shorten(self.kind)}, expected {" or ".join(KINDS)}')

    @property
    def start_ns(self) -> int | None:
        """Stamp of the first frame of all cameras [ns]; None without frames."""
        stamps = [
            figures.series[0].stamp_ns for figures in self.cameras.values() if figures.series
        ]
        return min(stamps, default=None)

    def to_dict(self) -> Json:
        """Plain JSON values."""
        return {'schema_version': SCHEMA_VERSION} | {
            **asdict(self),
            'label_set': self.label_set.to_dict(),
            'cameras': {name: figures.to_dict() for name, figures in self.cameras.items()},
            'total': self.total.to_dict(),
        }


def write_report(report: ReplayReport, folder: Path) -> Path:
    """Write `report.json` whole or not at all; returns its path."""
    return write_json(folder / REPORT_FILE, report.to_dict())


def read_report(path: Path) -> ReplayReport:
    """The report of a file, or of the folder it lies in.

    Raises:
        EvaluationError: it cannot be read, or is no report of this version.
    """
    file = path / REPORT_FILE if path.is_dir() else path
    return read_json(
        file,
        ReplayReport,
        what='report',
        version=SCHEMA_VERSION,
        remedy='give the folder that an evaluation of this version wrote with --output, or '
        'evaluate the bag again',
    )


def write_json(path: Path, values: Json) -> Path:
    """Write a JSON file whole or not at all; returns its path."""
    part = path.with_suffix('.part')
    part.write_text(json.dumps(values, indent=1, allow_nan=False) + '\n', encoding='utf-8')
    part.replace(path)
    return path


def read_json(path: Path, kind: type[Kind], *, what: str, version: int, remedy: str) -> Kind:
    """The dataclass in a file of plain JSON values beside their `schema_version`.

    Raises:
        EvaluationError: it cannot be read, has another version, or a field is missing, unknown or
            wrong.
    """
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise EvaluationError(f'{path} cannot be read as a {what} ({error}); {remedy}') from error
    found = values.pop('schema_version', None) if isinstance(values, dict) else None
    if found != version:
        raise EvaluationError(
            f'{path} has schema_version {shorten(found)}, expected {version}; {remedy}'
        )
    try:
        return fields_from_plain(kind, values)
    except (KeyError, TypeError, ValueError, UpsnetError) as error:
        raise EvaluationError(
            f'{path} is malformed ({type(error).__name__}: {error}), expected the {what} that '
            f'docs/replay_evaluation.md describes; {remedy}'
        ) from error


def processor_name() -> str:
    """The processor as it calls itself, or the architecture where it does not say."""
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith(('model name', 'Model')):
                return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """Installed versions; packages that are absent are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_machine() -> dict[str, object]:
    """Processor, cores this process may use, memory [GB], system, Python, packages, date (UTC)."""
    affinity = getattr(os, 'sched_getaffinity', None)
    return {
        'cpu': processor_name(),
        'cores': len(affinity(0)) if affinity else os.cpu_count(),
        'memory_gb': round(psutil.virtual_memory().total / 1e9, 1),
        'system': f'{platform.system()} {platform.release()} {platform.machine()}',
        'python': platform.python_version(),
        'ros_distro': os.environ.get('ROS_DISTRO') or 'wheels',
        'rmw': os.environ.get('RMW_IMPLEMENTATION') or 'default',
        'versions': package_versions(),
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
    }
