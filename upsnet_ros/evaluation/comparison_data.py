# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A comparison as data, `comparison.json`; docs/replay_evaluation.md describes it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from upsnet_ros.core.errors import EvaluationError, UpsnetError, shorten
from upsnet_ros.evaluation.paired_bootstrap import BootstrapOptions

COMPARISON_VERSION = 1
COMPARISON_FILE = 'comparison.json'


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
        """Plain JSON values; `from_dict` undoes it."""
        return {'schema_version': COMPARISON_VERSION} | asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Comparison:
        """The comparison written by `to_dict`.

        Raises:
            EvaluationError: it has another version, or a field is missing, unknown or wrong.
        """
        version = values.get('schema_version') if isinstance(values, dict) else None
        if version != COMPARISON_VERSION:
            raise EvaluationError(
                f'the comparison has schema_version {shorten(version)}, expected '
                f'{COMPARISON_VERSION}; compare the reports again'
            )
        left = {name: value for name, value in values.items() if name != 'schema_version'}
        try:
            frames = {
                name: tuple(ComparedFrame(**each) for each in left[name])
                for name in ('better', 'worse')
            }
            return cls(
                **left
                | frames
                | {
                    'this': ComparedReport(**left['this']),
                    'against': ComparedReport(**left['against']),
                    'frames': FrameCounts(**left['frames']),
                    'bootstrap': BootstrapOptions(**left['bootstrap']),
                    'totals': {n: Difference(**v) for n, v in left['totals'].items()},
                    'classes': tuple(_class_difference(each) for each in left['classes']),
                }
            )
        except (AttributeError, KeyError, TypeError, UpsnetError) as error:
            raise EvaluationError(
                f'the comparison is malformed ({type(error).__name__}: {error}), expected what '
                'docs/replay_evaluation.md describes; compare the reports again'
            ) from error


def _class_difference(values: dict[str, Any]) -> ClassDifference:
    figures = {
        entry.name: Difference(**values[entry.name])
        for entry in fields(ClassDifference)
        if entry.name in ('pq', 'sq', 'rq', 'iou')
    }
    return ClassDifference(**values | figures)


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write `comparison.json`; returns its path."""
    path = folder / COMPARISON_FILE
    text = json.dumps(comparison.to_dict(), indent=1, allow_nan=False)
    path.write_text(text + '\n', encoding='utf-8')
    return path


def read_comparison(folder: Path) -> Comparison | None:
    """The comparison in a folder, or None where there is none.

    Raises:
        EvaluationError: it cannot be read, or is no comparison of this version.
    """
    path = folder / COMPARISON_FILE
    if not path.exists():
        return None
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError) as error:
        raise EvaluationError(
            f'{path} cannot be read as a comparison ({error}); remove it, or compare again'
        ) from error
    return Comparison.from_dict(values)
