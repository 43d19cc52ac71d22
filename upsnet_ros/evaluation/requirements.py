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
from upsnet_ros.evaluation.figures import BY_KEY, FIGURES, CameraFigures, Json

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    '>=': operator.ge,
    '<=': operator.le,
    '>': operator.gt,
    '<': operator.lt,
    '==': operator.eq,
}
PATTERN = re.compile(r'\s*([a-z]\w*)\s*(>=|<=|==|>|<)\s*(\S+)\s*')

# What can be required of every evaluation; the figures of a run are measured live only.
OF_FRAMES = tuple(figure.key for figure in FIGURES if not figure.of_run)


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
        if found[1] not in BY_KEY:
            raise EvaluationError(
                f"the requirement {shorten(text)} names no figure '{found[1]}'; known are "
                f'{", ".join(BY_KEY)}'
            )
        return cls(found[1], found[2], value)

    def failure(self, figures: CameraFigures, speed: Json) -> str | None:
        """Why the figures do not meet it, or None where they do."""
        measured = BY_KEY[self.name].value(figures, speed)
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
        speed: `speed` of the report; without it no figure of the run was measured.
    """
    reasons = (requirement.failure(figures, speed or {}) for requirement in requirements)
    return [reason for reason in reasons if reason is not None]
