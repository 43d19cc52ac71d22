# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Findings as lines for people and as JSON for programs."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from upsnet_ros.doctor.finding import Finding, Level
from upsnet_ros.doctor.subject import Subject

FORMAT_VERSION = 1
_COLOURS = {Level.OK: '32', Level.WARNING: '33', Level.ERROR: '31'}
_LEVEL_WIDTH = max(len(level.value) for level in Level)


def format_finding(finding: Finding, *, is_coloured: bool) -> str:
    """One line: how bad, what, what was found, what was expected, what to do."""
    level = f'{finding.level.value:<{_LEVEL_WIDTH}}'
    if is_coloured:
        level = f'\x1b[{_COLOURS[finding.level]}m{level}\x1b[0m'
    text = f'{level}  {finding.what}: {_one_line(finding.found)}'
    if finding.expected:
        text += f'; expected {_one_line(finding.expected)}'
    if finding.remedy:
        text += f'; to do: {_one_line(finding.remedy)}'
    return text


def format_summary(findings: Iterable[Finding]) -> str:
    """How many lines there are of each kind."""
    counts = count_levels(findings)
    return (
        f'{counts[Level.OK.value]} ok, {_plural(counts[Level.WARNING.value], "warning")}, '
        f'{_plural(counts[Level.ERROR.value], "error")}'
    )


def _plural(count: int, word: str) -> str:
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


def count_levels(findings: Iterable[Finding]) -> dict[str, int]:
    """Number of findings by level, all levels named."""
    counts = Counter(finding.level.value for finding in findings)
    return {level.value: counts[level.value] for level in Level}


def to_json(subject: Subject, answers: Iterable[tuple[str, Finding]]) -> str:
    """All findings for programs.

    Args:
        subject: what was examined.
        answers: name of the check and finding.
    """
    answers = list(answers)
    counts = count_levels(finding for _, finding in answers)
    report = {
        'format_version': FORMAT_VERSION,
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
        'model': str(subject.model_path),
        'backend': subject.backend,
        'counts': counts,
        'findings': [_to_dict(check, finding) for check, finding in answers],
    }
    return json.dumps(report, indent=2, allow_nan=False, default=str)


def _to_dict(check: str, finding: Finding) -> dict[str, Any]:
    return {
        'check': check,
        'what': finding.what,
        'level': finding.level.value,
        'found': finding.found,
        'expected': finding.expected,
        'remedy': finding.remedy,
        'values': {name: _plain(value) for name, value in finding.values.items()},
    }


def _plain(value: Any) -> Any:
    """A value that JSON has; it has neither NaN nor infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _one_line(text: str) -> str:
    """A text without line breaks; what were lines stay apart."""
    return ' | '.join(line.strip() for line in text.splitlines() if line.strip())


def show_status(text: str) -> None:
    """Show a line while something takes long, in place of the one before; empty to wipe it.

    Nothing is shown where nobody watches.
    """
    if sys.stderr.isatty():
        sys.stderr.write('\r\x1b[K' + text)
        sys.stderr.flush()
