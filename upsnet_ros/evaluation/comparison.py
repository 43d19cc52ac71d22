# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Two evaluated replays of the same bag beside each other: what got better, and how sure that is.

Differences are this report less the other, over the frames that both have. The whole of it is
`comparison.json`; docs/replay_evaluation.md describes it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.figures import COMPARED
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, read_header
from upsnet_ros.evaluation.paired_bootstrap import (
    CLASS_FIGURES,
    BootstrapOptions,
    Figures,
    FrameTable,
    compare_paired,
    read_table,
    shared_frames,
)
from upsnet_ros.evaluation.replay_report import ReplayReport, read_json, read_report, write_json

COMPARISON_VERSION = 2
COMPARISON_FILE = 'comparison.json'
FRAMES_SHOWN = 6


@dataclass(frozen=True)
class Difference:
    """One figure of two reports.

    Attributes:
        this, against: the figure in both; None where there is none.
        difference: `this` less `against`; None where either is None.
        low, high: the interval that the difference lies in with the stated confidence; None
            where no draw of the bootstrap had a difference.
        higher_is_better: whether a positive difference is an improvement.
    """

    this: float | None
    against: float | None
    difference: float | None
    low: float | None
    high: float | None
    higher_is_better: bool = True

    @property
    def verdict(self) -> str:
        """`better` or `worse` where the interval leaves out 0, else `unclear`; `none`."""
        if self.difference is None or self.low is None or self.high is None:
            return 'none'
        if self.low <= 0.0 <= self.high:
            return 'unclear'
        return 'better' if (self.low > 0.0) == self.higher_is_better else 'worse'


@dataclass(frozen=True)
class ClassDifference:
    """The figures of one class [%]."""

    class_id: int
    name: str
    is_thing: bool
    pq: Difference
    sq: Difference
    rq: Difference
    iou: Difference


@dataclass(frozen=True)
class ComparedFrame:
    """Panoptic quality [%] of one frame in both."""

    camera: str
    stamp_ns: int
    this: float
    against: float

    @property
    def difference(self) -> float:
        """Percentage points gained."""
        return self.this - self.against


@dataclass(frozen=True)
class ComparedReport:
    """Where a report lies and what it is about."""

    folder: str
    kind: str
    model: str
    model_path: str
    sha256: str
    backend: str
    device: str
    precision: str
    command: str


@dataclass(frozen=True)
class FrameCounts:
    """Frames that both reports have, those of them with ground truth in both, and the others."""

    both: int
    with_truth: int
    only_this: int
    only_against: int


@dataclass(frozen=True)
class Comparison:
    """A whole comparison.

    Attributes:
        this: the report that is judged.
        against: the one it is compared with.
        frames: how many were compared.
        bootstrap: how the intervals were found.
        totals: differences over all classes by name: percent, but `latency_..._ms`.
        classes: differences by train id.
        better, worse: frames that gained and lost the most, the most first.
    """

    this: ComparedReport
    against: ComparedReport
    frames: FrameCounts
    bootstrap: BootstrapOptions
    totals: dict[str, Difference]
    classes: tuple[ClassDifference, ...]
    better: tuple[ComparedFrame, ...]
    worse: tuple[ComparedFrame, ...]

    @property
    def same_kind(self) -> bool:
        """Whether latencies mean the same in both: live and offline ones do not."""
        return self.this.kind == self.against.kind

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {'schema_version': COMPARISON_VERSION} | asdict(self)


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write `comparison.json` whole or not at all; returns its path."""
    return write_json(folder / COMPARISON_FILE, comparison.to_dict())


def read_comparison(folder: Path) -> Comparison | None:
    """The comparison in a folder, or None where there is none.

    Raises:
        EvaluationError: it cannot be read, or is no comparison of this version.
    """
    path = folder / COMPARISON_FILE
    if not path.exists():
        return None
    remedy = 'remove it, or compare again'
    return read_json(
        path, Comparison, what='comparison', version=COMPARISON_VERSION, remedy=remedy
    )


def compare_reports(
    folder: Path, against: Path, *, options: BootstrapOptions, frames_shown: int = FRAMES_SHOWN
) -> Comparison:
    """Compare the reports of two folders.

    Args:
        folder: The report that is judged.
        against: The one it is compared with.
        options: How sure the differences are is found out.
        frames_shown: Up to so many frames that got better, and as many that got worse.

    Raises:
        EvaluationError: a report cannot be read, they are of different bags, ground truth or
            label sets, or they share no frame.
    """
    reports = read_report(folder), read_report(against)
    _refuse_unlike(*reports, folder, against)
    label_set = reports[0].label_set
    tables = read_table(folder, label_set), read_table(against, label_set)
    shared = shared_frames(*tables)
    _refuse_other_frames(*shared, folder, against)
    judged = np.all([table.overlap.any(axis=(1, 2)) for table in shared], axis=0)  # [F]
    paired = compare_paired(
        *(table.with_quality_of(judged) for table in shared),
        num_stuff=label_set.num_stuff,
        options=options,
    )
    return Comparison(
        this=_facts(folder, reports[0]),
        against=_facts(against, reports[1]),
        frames=FrameCounts(
            both=len(shared[0]),
            with_truth=int(np.count_nonzero(judged)),
            only_this=len(tables[0]) - len(shared[0]),
            only_against=len(tables[1]) - len(shared[1]),
        ),
        bootstrap=options,
        totals={
            each.key: _difference(
                each.factor * paired[each.key][:, 0], higher_is_better=each.higher_is_better
            )
            for each in COMPARED
        },
        classes=_classes(paired, label_set),
        better=_most(*shared, frames_shown, sign=1),
        worse=_most(*shared, frames_shown, sign=-1),
    )


def _start_ns(folder: Path) -> int | None:
    """When the bag of a report was recorded [ns]; its path tells nothing, as bags are copied."""
    bag = read_header(folder / FRAMES_FILE).get('bag')
    start_ns = bag.get('start_ns') if isinstance(bag, dict) else None
    return start_ns if isinstance(start_ns, int) else None


def _refuse_unlike(
    this: ReplayReport, against: ReplayReport, folder: Path, other_folder: Path
) -> None:
    for what, one, other in (
        ('starts of the bags [ns]', _start_ns(folder), _start_ns(other_folder)),
        ('durations of the bags [s]', *(round(r.bag.duration_s, 3) for r in (this, against))),
        ('messages in the bags', this.bag.messages, against.bag.messages),
        ('label sets', this.label_set.name, against.label_set.name),
    ):
        if one != other and None not in (one, other):
            raise EvaluationError(
                f'{folder} ({this.bag.path}) and {other_folder} ({against.bag.path}) have '
                f'different {what}: {one} and {other}. Only evaluations of the same bag with the '
                'same classes can be compared'
            )
    if this.label_set != against.label_set:
        raise EvaluationError(
            f"the label sets '{this.label_set.name}' of {folder} and {other_folder} have "
            'different classes; expected the same names, kinds and ids'
        )


def _refuse_other_frames(
    this: FrameTable, against: FrameTable, folder: Path, other_folder: Path
) -> None:
    """Refuse evaluations that share no frame, or whose frames had other ground truth."""
    if not len(this):
        raise EvaluationError(
            f'{folder} and {other_folder} share no frame (camera and stamp); evaluate the same '
            'cameras and the same part of the bag'
        )
    segments = [table.true_segments for table in (this, against)]
    known = [counts.any(axis=1) for counts in segments]
    unlike = known[0] & known[1] & (segments[0] != segments[1]).any(axis=1)
    if unlike.any():
        camera, stamp_ns = this.names[int(np.argmax(unlike))]
        raise EvaluationError(
            f'{np.count_nonzero(unlike)} frames of {folder} and {other_folder} have different '
            f'ground truth, the first at {stamp_ns} ns of camera {camera}: they are of different '
            'bags or topics. Evaluate both against the same ground truth'
        )


def _difference(figures: np.ndarray, *, higher_is_better: bool = True) -> Difference:
    """A column of `compare_paired`, float64 [5]; None for what is no number."""
    known = (None if np.isnan(value) else float(value) for value in figures)
    this, against, difference, low, high = known
    return Difference(this, against, difference, low, high, higher_is_better)


def _classes(paired: Figures, label_set: LabelSet) -> tuple[ClassDifference, ...]:
    return tuple(
        ClassDifference(
            entry.train_id,
            entry.name,
            entry.is_thing,
            *(_difference(paired[f'class_{part}'][:, entry.train_id]) for part in CLASS_FIGURES),
        )
        for entry in label_set.classes
    )


def _most(
    this: FrameTable, against: FrameTable, count: int, *, sign: int
) -> tuple[ComparedFrame, ...]:
    """The frames whose panoptic quality moved most in a direction, the largest first."""
    both = zip(this.names, this.pq, against.pq, strict=True)
    frames = [ComparedFrame(*name, float(one), float(other)) for name, one, other in both]
    moved = [frame for frame in frames if sign * frame.difference > 0]  # NaN moves nowhere
    moved.sort(key=lambda frame: (-sign * frame.difference, frame.camera, frame.stamp_ns))
    return tuple(moved[:count])


def _facts(folder: Path, report: ReplayReport) -> ComparedReport:
    return ComparedReport(
        folder=str(folder),
        kind=report.kind,
        model=report.model.name,
        model_path=report.model.path,
        sha256=report.model.sha256,
        backend=report.model.backend,
        device=report.model.device,
        precision=report.model.precision,
        command=report.command,
    )
