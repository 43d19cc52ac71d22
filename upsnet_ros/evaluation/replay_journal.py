# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of a replay as they are done, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import TracebackType
from typing import Any

from upsnet_ros.core.errors import EvaluationError, shorten
from upsnet_ros.evaluation.replay_frames import (
    FRAMES_FILE,
    FrameLine,
    FrameRecord,
    header_of,
    line_of,
    read_frames,
    read_header,
)
from upsnet_ros.evaluation.replay_report import REPORT_FILE

# Recording and logs of a live run.
LIVE_FOLDER = 'live'
# What a run writes, the frames last: as long as they are there, the rest is known as a run's own.
OUTPUTS = (
    'worst',
    LIVE_FOLDER,
    'labels',
    'panoptic',
    'panoptic.json',
    'panoptic.jsonl',
    'comparison.json',
    'report.html',
    REPORT_FILE,
    FRAMES_FILE,
)


class ReplayJournal:
    """The file of the frames of a run. Use it as a context manager.

    Args:
        folder: the run's output; made when missing.
        identity: what decides the figures, plain JSON values.
        restart: whether what an earlier run left is thrown away.

    Raises:
        EvaluationError: the folder holds the frames of another evaluation, or another report.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], *, restart: bool = False) -> None:
        self.path = folder / FRAMES_FILE
        self._identity = json.loads(json.dumps(identity))
        self._done: dict[tuple[str, int], bool] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if restart and self.path.exists():
            _remove_outputs(folder)
        elif self.path.exists():
            self._go_on()
        elif (folder / REPORT_FILE).exists() and not restart:
            raise EvaluationError(
                f'{folder} holds a {REPORT_FILE} of something else, which would be replaced; give '
                'another --output, or --restart to replace it'
            )
        begins = not self.path.exists()
        self._file = self.path.open('a', encoding='utf-8')
        # A new line ends one that an interrupt cut off.
        self._file.write(line_of(header_of(self._identity)) if begins else '\n')
        self._file.flush()

    def __enter__(self) -> ReplayJournal:
        """Nothing to prepare."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        """Number of frames that are there."""
        return len(self._done)

    def outcome(self, camera: str, index: int) -> bool | None:
        """What became of a frame: True labelled, False skipped, None not done."""
        return self._done.get((camera, index))

    def add(self, line: FrameLine) -> None:
        """Keep a frame; it survives the end of the process."""
        self._file.write(line_of(line))
        self._file.flush()
        self._done[line.camera, line.index] = isinstance(line, FrameRecord)

    def _go_on(self) -> None:
        before = read_header(self.path)
        if before != self._identity:
            then, now = _flat(before), _flat(self._identity)
            differing = [
                f'{key}: {shorten(then.get(key))} there, {shorten(now.get(key))} now'
                for key in sorted({*then, *now})
                if then.get(key) != now.get(key)
            ]
            raise EvaluationError(
                f'{self.path} holds an evaluation of something else ({"; ".join(differing)}); '
                'give another --output, or --restart to throw it away'
            )
        for line in read_frames(self.path):
            self._done[line.camera, line.index] = isinstance(line, FrameRecord)


def _remove_outputs(folder: Path) -> None:
    """Remove what a run wrote to a folder, and nothing else.

    Raises:
        EvaluationError: the file of frames is none of a replay, so the rest may not be either.
    """
    if not _is_of_a_run(folder / FRAMES_FILE):
        raise EvaluationError(
            f'{folder / FRAMES_FILE} was not written by an evaluation, so nothing in {folder} is '
            'removed; give another --output, or remove the file'
        )
    for name in OUTPUTS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _is_of_a_run(path: Path) -> bool:
    """Whether a file of frames is one, of whatever version."""
    try:
        with path.open(encoding='utf-8') as file:
            return 'frames_version' in dict(json.loads(file.readline()))
    except (OSError, TypeError, ValueError):
        return False


def _flat(values: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested values by their names joined with dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        is_nested = isinstance(value, dict) and value
        flat |= _flat(value, f'{prefix}{key}.') if is_nested else {f'{prefix}{key}': value}
    return flat
