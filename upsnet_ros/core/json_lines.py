# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A file of JSON objects, one per line, that grows as work is done.

The first object is a header that says what the others are about. An interrupt costs at most the
line that was being written: it is left out when the file is read, and work on it is done again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


class JsonLines:
    """Appends objects to a file; each survives the end of the process. A context manager.

    Args:
        path: the file; its folder is made when missing. What it holds stays.
        header: the object it begins with; written only when it holds no object yet.

    Raises:
        OSError: it cannot be opened or written.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        begins = not path.exists() or next(read_json_lines(path), None) is None
        self._file = path.open('a', encoding='utf-8')
        if not _ends_a_line(path):
            self._file.write('\n')  # an interrupt cut it off
        if begins:
            self.add(header)

    def add(self, values: Mapping[str, Any]) -> None:
        """Append an object.

        Args:
            values: plain JSON values.

        Raises:
            OSError: the disk is full, for one.
            TypeError, ValueError: a value has no JSON, such as infinity.
        """
        self._file.write(json_line(values))
        self._file.flush()

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._file.close()

    def __enter__(self) -> JsonLines:
        """Nothing to prepare."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()


def _ends_a_line(path: Path) -> bool:
    """Whether a file is empty or ends with the end of a line."""
    with path.open('rb') as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b'\n'


def json_line(values: Mapping[str, Any]) -> str:
    """One line of such a file, with its end."""
    return json.dumps(values, separators=(',', ':'), allow_nan=False) + '\n'


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file in their order; lines that are none, such as a cut one, are left out.

    Raises:
        OSError: it cannot be read.
    """
    with path.open(encoding='utf-8', errors='replace') as file:
        for line in file:
            try:
                values = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(values, dict):
                yield values


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """In what two nested objects differ: what each has by the dotted name of the field.

    A field that one of them lacks is None there. Tuples equal lists, as JSON keeps them.
    """
    then, today = _flat(before), _flat(json.loads(json.dumps(now)))
    names = sorted({*then, *today})
    return {n: (then.get(n), today.get(n)) for n in names if then.get(n) != today.get(n)}


def _flat(values: Mapping[str, Any], prefix: str = '') -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        is_nested = isinstance(value, Mapping) and value
        flat |= _flat(value, f'{prefix}{key}.') if is_nested else {f'{prefix}{key}': value}
    return flat
