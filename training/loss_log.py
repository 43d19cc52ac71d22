# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The losses of a run as a CSV file that survives stops: one row an iteration, never two."""

import csv
from pathlib import Path
from typing import TextIO


class LossLog:
    """Appends rows to a CSV file; rows of iterations that will be done again are dropped first.

    Args:
        path: The file.
        start: Iterations already done; later rows in the file are removed.
    """

    def __init__(self, path: Path, *, start: int) -> None:
        rows = _read(path)
        kept = rows[:1] + [row for row in rows[1:] if int(row[0]) <= start] if start else []
        self._file: TextIO = path.open('w', newline='')
        self._writer = csv.writer(self._file)
        self._writer.writerows(kept)
        self._has_header = bool(kept)

    def __enter__(self) -> 'LossLog':
        """Nothing to prepare."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def write(self, iteration: int, losses: dict[str, float]) -> None:
        """Add one row."""
        if not self._has_header:
            self._writer.writerow(['iteration', *losses])
            self._has_header = True
        self._writer.writerow([iteration, *(f'{value:.6g}' for value in losses.values())])

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._file.flush()


def _read(path: Path) -> list[list[str]]:
    if not path.is_file():
        return []
    with path.open(newline='') as file:
        return [row for row in csv.reader(file) if row]
