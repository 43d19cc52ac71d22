# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a check found: fine, doubtful or wrong, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import wraps
from typing import Any

from upsnet_ros.core.errors import UpsnetError


class Level(str, Enum):
    """How bad a finding is; an error keeps the node from running as it should."""

    OK = 'ok'
    WARNING = 'warning'
    ERROR = 'error'


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        what: what was looked at.
        level: how bad it is.
        found: what is there; the message of an error of this package holds the rest as well.
        expected: what should be there; empty where all is well or `found` says it.
        remedy: what to do; likewise.
        values: figures for programs that read the report.
    """

    what: str
    level: Level
    found: str
    expected: str = ''
    remedy: str = ''
    values: Mapping[str, Any] = field(default_factory=dict)


def fine(what: str, found: str, **values: Any) -> Finding:
    """All is well."""
    return Finding(what, Level.OK, found, values=values)


def doubtful(what: str, found: str, *, expected: str, remedy: str, **values: Any) -> Finding:
    """The node runs, but not as well as it could, or not everywhere."""
    return Finding(what, Level.WARNING, found, expected, remedy, values)


def wrong(what: str, found: str, *, expected: str, remedy: str, **values: Any) -> Finding:
    """The node does not run as it should."""
    return Finding(what, Level.ERROR, found, expected, remedy, values)


def refused(what: str, error: Exception) -> Finding:
    """An error of this package, whose message says what was found, expected and to be done."""
    return Finding(what, Level.ERROR, str(error))


Looks = Callable[[Any], Iterator[Finding]]


def telling_errors_of(what: str) -> Callable[[Looks], Looks]:
    """Have a check end with an error of this package as a finding; a decorator."""

    def decorate(look: Looks) -> Looks:
        @wraps(look)
        def checked(subject: Any) -> Iterator[Finding]:
            try:
                yield from look(subject)
            except UpsnetError as error:
                yield refused(what, error)

        return checked

    return decorate
