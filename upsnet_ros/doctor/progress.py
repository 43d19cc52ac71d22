# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A line on the terminal while something takes long; none where nobody watches."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TextIO

WIDTH = 30
_TO_LINE_START_AND_CLEAR = '\r\x1b[K'


class StatusLine:
    """One line of text that is replaced by the next, and wiped away in the end."""

    def __init__(self, stream: TextIO | None = None) -> None:
        """Use a stream; the standard error by default."""
        self._stream = sys.stderr if stream is None else stream
        self._is_shown = self._stream.isatty()

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._is_shown:
            self._stream.write(_TO_LINE_START_AND_CLEAR + text)
            self._stream.flush()

    def wipe(self) -> None:
        """Leave an empty line."""
        self.show('')


class ProgressBar:
    """A bar that is wiped away at the end of a `with` block."""

    def __init__(self, what: str, total: int, *, stream: TextIO | None = None) -> None:
        """Show nothing done yet.

        Args:
            what: what takes long.
            total: steps until the end, at least 1.
            stream: where to; the standard error by default.
        """
        self._what = what
        self._total = total
        self._done = 0
        self._line = StatusLine(stream)
        self._show()

    def step(self) -> None:
        """One more step is done."""
        self._done += 1
        self._show()

    def _show(self) -> None:
        filled = WIDTH * self._done // self._total
        bar = '#' * filled + '.' * (WIDTH - filled)
        self._line.show(f'{self._what} [{bar}] {self._done}/{self._total}')

    def __enter__(self) -> ProgressBar:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Wipe the line."""
        self._line.wipe()
