# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records of frames on disk, one per line, so that an interrupted evaluation goes on."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.frames import Frame
from training.evaluation.frame_record import FrameRecord
from upsnet_ros.core.errors import UpsnetError

LOGGER = logging.getLogger(__name__)
VERSION = 2  # of the records; those of another are refused


class JournalError(UpsnetError):
    """A folder with records of an evaluation of something else."""


class Journal:
    """The records of one process, written as they come; those of all processes are read.

    A record holds as long as the sizes and times of its frame's files stay what they were.

    Args:
        folder: Receives ``part_RANK.jsonl``.
        settings: Plain JSON values that decide the figures. Records made by others are refused.
        num_classes: Number of classes of the records.
        rank: Number of this process.

    Raises:
        JournalError: If the folder holds records of other settings.
    """

    def __init__(
        self,
        folder: Path,
        settings: dict[str, Any],
        *,
        num_classes: int,
        rank: int = 0,
    ) -> None:
        self._folder = folder
        self._settings = json.loads(json.dumps(settings))
        self._num_classes = num_classes
        self._path = folder / f'part_{rank}.jsonl'
        self._entries = self._load()
        folder.mkdir(parents=True, exist_ok=True)
        begins = not self._path.exists() or not self._path.stat().st_size
        self._file = self._path.open('a')
        if begins:
            self._write({'version': VERSION, 'settings': self._settings})
        else:
            self._file.write('\n')  # ends a line that an interrupt cut off

    def __enter__(self) -> 'Journal':
        """Nothing to prepare."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._file.close()

    def find(self, frame: Frame) -> FrameRecord | None:
        """The record of a frame that is unchanged since then, None for any other."""
        entry = self._entries.get(frame.name)
        if entry is None or entry['stamp'] is None or entry['stamp'] != frame.stamp():
            return None
        try:
            return FrameRecord.from_json(entry['record'], num_classes=self._num_classes)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            LOGGER.info('%s: a damaged record (%s); evaluating it again', frame.name, error)
            return None

    def add(self, frame: Frame, record: FrameRecord) -> None:
        """Keep a record; it survives the end of the process."""
        self._write({'stamp': frame.stamp(), 'record': record.to_json()})

    def _write(self, values: dict[str, Any]) -> None:
        self._file.write(json.dumps(values, separators=(',', ':')) + '\n')
        self._file.flush()

    def _load(self) -> dict[str, Any]:
        entries = {}
        for path in sorted(self._folder.glob('part_*.jsonl')):
            lines = _objects(path)
            header = next(lines, None)
            if header is None:
                continue
            self._refuse_others(path, header)
            for entry in lines:
                if isinstance(entry.get('record'), dict) and 'stamp' in entry:
                    entries[entry['record'].get('name')] = entry
        return entries

    def _refuse_others(self, path: Path, header: dict[str, Any]) -> None:
        before = header.get('settings')
        if header.get('version') == VERSION and before == self._settings:
            return
        then, now = _flat(before if isinstance(before, dict) else {}), _flat(self._settings)
        differing = [
            f'{key}: {then.get(key)!r} there, {now.get(key)!r} now'
            for key in {**now, **then}
            if then.get(key) != now.get(key) and not key.endswith('sha256')
        ] or ['other content of the same files' if then != now else 'the version of the records']
        raise JournalError(
            f'{path} holds an evaluation of something else ({"; ".join(differing)}); give another '
            '--output, or --restart to throw it away'
        )


def forget_records(folder: Path) -> None:
    """Remove the records that are there."""
    for path in folder.glob('part_*.jsonl'):
        path.unlink(missing_ok=True)  # another process may have been faster


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects of a file's lines; lines that were cut off are left out."""
    with path.open(errors='replace') as file:
        for line in file:
            try:
                values = json.loads(line)
            except ValueError:
                continue
            if isinstance(values, dict):
                yield values


def _flat(values: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested values by their names joined with dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        is_nested = isinstance(value, dict) and value
        flat |= _flat(value, f'{prefix}{key}.') if is_nested else {f'{prefix}{key}': value}
    return flat
