# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Figures of a run as a CSV file that survives stops: one row a step, never two."""

import csv
import os
from pathlib import Path
from typing import TextIO


class CsvLog:
    """Appends rows to a CSV file; rows of steps that will be done again are dropped first.

    Args:
        path: The file.
        start: Steps already done; later rows in the file are removed.
    """

    def __init__(self, path: Path, *, start: int) -> None:
        rows = _read(path)
        kept = rows[:1] + [row for row in rows[1:] if _step_of(row) <= start] if start else []
        part = path.with_suffix('.partial')
        with part.open('w', newline='') as file:
            csv.writer(file).writerows(kept)
        os.replace(part, path)  # a stop in between loses no row
        self._file: TextIO = path.open('a', newline='')
        self._writer = csv.writer(self._file)
        self._has_header = bool(kept)

    def write(self, step: int, values: dict[str, float]) -> None:
        """Add one row."""
        if not self._has_header:
            self._writer.writerow(['step', *values])
            self._has_header = True
        self._writer.writerow([step, *(f'{value:.6g}' for value in values.values())])

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _read(path: Path) -> list[list[str]]:
    if not path.is_file():
        return []
    with path.open(newline='') as file:
        return [row for row in csv.reader(file) if row]


def _step_of(row: list[str]) -> float:
    try:
        return int(row[0])
    except ValueError:
        return float('inf')  # a line that a killed process wrote half of
