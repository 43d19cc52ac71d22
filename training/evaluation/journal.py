# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Records of frames on disk, one per line, so that an interrupted evaluation goes on."""

import logging
from pathlib import Path
from typing import Any

from training.data.frames import Frame
from training.evaluation.frame_record import FrameRecord
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.json_lines import JsonLines, differences, read_json_lines

LOGGER = logging.getLogger(__name__)
VERSION = 2  # of the records; those of another are refused


class JournalError(UpsnetError):
    """A folder with records of an evaluation of something else."""


class Journal(JsonLines):
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
        self, folder: Path, settings: dict[str, Any], *, num_classes: int, rank: int = 0
    ) -> None:
        self._num_classes = num_classes
        self._entries: dict[str, Any] = {}
        for path in sorted(folder.glob('part_*.jsonl')):
            self._read(path, settings)
        header = {'version': VERSION, 'settings': settings}
        super().__init__(folder / f'part_{rank}.jsonl', header)

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

    def keep(self, frame: Frame, record: FrameRecord) -> None:
        """Keep a record; it survives the end of the process."""
        self.add({'stamp': frame.stamp(), 'record': record.to_json()})

    def _read(self, path: Path, settings: dict[str, Any]) -> None:
        lines = read_json_lines(path)
        header = next(lines, None)
        if header is None:
            return
        _refuse_others(path, header, settings)
        for entry in lines:
            if isinstance(entry.get('record'), dict) and 'stamp' in entry:
                self._entries[entry['record'].get('name')] = entry


def _refuse_others(path: Path, header: dict[str, Any], settings: dict[str, Any]) -> None:
    before = header.get('settings')
    other = differences(before if isinstance(before, dict) else {}, settings)
    if header.get('version') == VERSION and not other:
        return
    differing = [
        f'{key}: {then!r} there, {now!r} now'
        for key, (then, now) in other.items()
        if not key.endswith('sha256')
    ] or ['other content of the same files' if other else 'the version of the records']
    raise JournalError(
        f'{path} holds an evaluation of something else ({"; ".join(differing)}); give another '
        '--output, or --restart to throw it away'
    )


def forget_records(folder: Path) -> None:
    """Remove the records that are there."""
    for path in folder.glob('part_*.jsonl'):
        path.unlink(missing_ok=True)  # another process may have been faster
