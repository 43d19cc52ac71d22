# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of a replay as they are done, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

from upsnet_ros.core.errors import shorten
from upsnet_ros.evaluation.errors import EvaluationError
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


class ReplayJournal:
    """The file of the frames of a run. Use it as a context manager.

    Args:
        folder: the run's output; made when missing.
        identity: what decides the figures, plain JSON values.
        restart: whether frames that are there are thrown away.

    Raises:
        EvaluationError: the folder holds the frames of another evaluation, or another report.
    """

    def __init__(self, folder: Path, identity: dict[str, Any], *, restart: bool = False) -> None:
        self.path = folder / FRAMES_FILE
        self._identity = json.loads(json.dumps(identity))
        self._done: dict[tuple[str, int], bool] = {}
        folder.mkdir(parents=True, exist_ok=True)
        if restart:
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            self._go_on()
        elif (folder / REPORT_FILE).exists():
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


def _flat(values: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Nested values by their names joined with dots."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        is_nested = isinstance(value, dict) and value
        flat |= _flat(value, f'{prefix}{key}.') if is_nested else {f'{prefix}{key}': value}
    return flat
