# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The error of a data set, and how many problems are told in one message."""

from collections.abc import Sequence
from dataclasses import dataclass

from upsnet_ros.core.errors import UpsnetError

PROBLEMS_TOLD = 10


class DataError(UpsnetError):
    """A data set folder or file that cannot be used."""


@dataclass(frozen=True)
class BrokenFrame:
    """A frame that cannot be used.

    Attributes:
        name: Of the frame, or of the entry that should describe one.
        problems: One sentence each, with file, value and what was expected; at least one.
    """

    name: str
    problems: tuple[str, ...]


def list_problems(problems: Sequence[str], advice: str) -> str:
    """One message for many problems: the first ten in full and the count of the rest.

    Args:
        problems: One sentence each, with the file and the value that is wrong.
        advice: What was expected and what to do.
    """
    told = list(problems[:PROBLEMS_TOLD])
    if len(problems) > PROBLEMS_TOLD:
        told.append(f'and {len(problems) - PROBLEMS_TOLD} more')
    lines = ''.join(f'\n  {line}' for line in told)
    count = '1 problem' if len(problems) == 1 else f'{len(problems)} problems'
    return f'{count} in the data set; {advice}:{lines}'
