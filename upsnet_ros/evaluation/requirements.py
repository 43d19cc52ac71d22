# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures that an evaluation must reach, as `--require "pq>=50"` says them."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from upsnet_ros.core.errors import EvaluationError, shorten
from upsnet_ros.evaluation.replay_report import CameraFigures, Json

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    '>=': operator.ge,
    '<=': operator.le,
    '>': operator.gt,
    '<': operator.lt,
    '==': operator.eq,
}
PATTERN = re.compile(r'\s*([a-z]\w*)\s*(>=|<=|==|>|<)\s*(\S+)\s*')

Figure = Callable[[CameraFigures], float | None]


def _quality(group: str, part: str) -> Figure:
    def read(figures: CameraFigures) -> float | None:
        values = figures.pq and figures.pq[group]
        return values[part] if values and values['classes'] else None

    return read


def _miou(figures: CameraFigures) -> float | None:
    return figures.miou['miou'] if figures.miou and figures.miou['classes'] else None


def _stability(name: str) -> Figure:
    def read(figures: CameraFigures) -> float | None:
        values: Json | None = figures.stability
        return values[name] if values else None

    return read


FIGURES: dict[str, Figure] = {
    'pq': _quality('all', 'pq'),
    'sq': _quality('all', 'sq'),
    'rq': _quality('all', 'rq'),
    'pq_things': _quality('things', 'pq'),
    'pq_stuff': _quality('stuff', 'pq'),
    'miou': _miou,
    'unknown_share': lambda figures: figures.unknown_share,
    'confidence': lambda figures: figures.confidence['mean'],
    'latency_p50_ms': lambda figures: figures.latency_ms.p50,
    'latency_p95_ms': lambda figures: figures.latency_ms.p95,
    'latency_p99_ms': lambda figures: figures.latency_ms.p99,
    'latency_mean_ms': lambda figures: figures.latency_ms.mean,
    'flips': _stability('flip_share'),
    'births_per_second': _stability('births_per_second'),
    'deaths_per_second': _stability('deaths_per_second'),
    'drops': lambda figures: figures.drops,
    'drop_share': lambda figures: figures.drops / figures.frames if figures.frames else None,
    'skipped': lambda figures: len(figures.skipped),
    'frames': lambda figures: figures.decoded,
    'truth_frames': lambda figures: figures.truth_frames,
    'truth_problems': lambda figures: len(figures.truth_problems),
    'truth_unmatched': lambda figures: figures.truth_unmatched,
}
# Figures of the whole run, in `speed` of its report.
RUN_FIGURES = ('node_cpu_percent', 'node_cpu_ms_per_frame', 'node_peak_mb')
NAMES = (*FIGURES, *RUN_FIGURES)


@dataclass(frozen=True)
class Requirement:
    """One figure, how it is compared, and with what."""

    name: str
    comparison: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """The requirement of a text such as `pq>=50` or `latency_p95_ms <= 80`.

        Raises:
            EvaluationError: it cannot be read, or there is no such figure.
        """
        found = PATTERN.fullmatch(text)
        try:
            value = float(found[3]) if found else math.nan
        except ValueError:
            value = math.nan
        if found is None or not math.isfinite(value):
            raise EvaluationError(
                f'the requirement {shorten(text)} cannot be read; expected a figure, one of '
                f'{" ".join(COMPARISONS)}, and a number, such as "pq>=50"'
            )
        if found[1] not in NAMES:
            raise EvaluationError(
                f"the requirement {shorten(text)} names no figure '{found[1]}'; known are "
                f'{", ".join(NAMES)}'
            )
        return cls(found[1], found[2], value)

    def failure(self, figures: CameraFigures, speed: Json) -> str | None:
        """Why the figures do not meet it, or None where they do."""
        is_of_run = self.name in RUN_FIGURES
        measured = speed.get(self.name) if is_of_run else FIGURES[self.name](figures)
        wanted = f'{self.name} {self.comparison} {self.value:g}'
        if measured is None:
            return f'{wanted} is required, but {self.name} was not measured'
        if COMPARISONS[self.comparison](measured, self.value):
            return None
        return f'{wanted} is required, measured {measured:.6g}'


def failures(
    requirements: Sequence[Requirement], figures: CameraFigures, speed: Json | None = None
) -> list[str]:
    """Why figures do not meet requirements, one reason for each that they miss.

    Args:
        requirements: what must hold.
        figures: of all cameras together.
        speed: `speed` of the report; without it no `RUN_FIGURES` was measured.
    """
    reasons = (requirement.failure(figures, speed or {}) for requirement in requirements)
    return [reason for reason in reasons if reason is not None]
