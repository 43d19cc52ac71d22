# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process that was started: watched, listened to, ended. None outlives this one."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Self

from upsnet_ros.core.errors import ReplayError

LOG_LINES_SHOWN = 25
# How long a process may take to leave by itself before it is told more firmly [s].
PATIENCE = ((signal.SIGINT, 10.0), (signal.SIGTERM, 3.0))
END_SECONDS = 15.0

_PR_SET_PDEATHSIG = 1  # from Linux's <linux/prctl.h>
# Loaded here: between fork and exec nothing may be loaded any more.
_LIBRARY = ctypes.CDLL(None) if sys.platform == 'linux' else None

Event = dict[str, Any]


def die_with_parent() -> Callable[[], None] | None:
    """A `preexec_fn` by which Linux kills the child when this process ends; None elsewhere.

    The kernel does it when the starting thread ends, so start such processes from the main thread.
    """
    library, parent = _LIBRARY, os.getpid()
    if library is None:
        return None

    def prepare() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)

    return prepare


def last_lines(path: Path, *, count: int = LOG_LINES_SHOWN) -> str:
    """The end of a log file, or a note that it is empty."""
    with path.open(errors='replace') as file:
        return ''.join(deque(file, maxlen=count)).rstrip() or '(the log is empty)'


class Child:
    """A running process that writes to a log. Its context ends it.

    Args:
        name: what messages call it.
        command: its command line.
        environment: its variables.
        log: file of what it writes; its folder is made.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        log: Path,
        is_telling: bool = False,
    ) -> None:
        self.name, self.command, self.log = name, tuple(command), log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('wb') as file:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE if is_telling else subprocess.DEVNULL,
                stdout=subprocess.PIPE if is_telling else file,
                stderr=file,
                env=dict(environment),
                preexec_fn=die_with_parent(),
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Id of the process."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def check(self) -> None:
        """Make sure that it is still there.

        Raises:
            ReplayError: it has ended; the message holds the last lines of its log.
        """
        if self.status is not None:
            raise ReplayError(
                self.failure(f'the {self.name} ended by itself with status {self.status}')
            )

    def failure(self, what: str) -> str:
        """A message of what went wrong, with the last lines that it wrote."""
        return (
            f'{what}.\nCommand: {" ".join(self.command)}\nLast lines of {self.log}:\n'
            f'{last_lines(self.log)}'
        )

    def stop(self) -> int:
        """End it: asked first, then told, then forced. Returns its exit status."""
        for number, patience in PATIENCE:
            if self.status is not None:
                break
            self._process.send_signal(number)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        if self.status is None:
            self._process.kill()
        return self._process.wait()


class SilentChild(Child):
    """A process that tells of nothing but its end."""

    _is_over = False

    def news(self) -> list[Event]:
        """`done`, once, when it has ended.

        Raises:
            ReplayError: it failed.
        """
        if self._is_over or self.status is None:
            return []
        if self.status:
            raise ReplayError(self.failure(f'{self.name} ended with status {self.status}'))
        self._is_over = True
        return [{'event': 'done', 'sent': None}]


class TellingChild(Child):
    """A process that tells its progress as one JSON object per line on its standard output.

    Closing its standard input asks it to end once its work is done.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        super().__init__(name, command, environment=environment, log=log, is_telling=True)
        self._events: Queue[Event] = Queue()
        self._reader = Thread(target=self._read, name=f'{name}_events', daemon=True)
        self._reader.start()

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            self._process.terminate()  # nobody wants the rest of its work any more
        super().__exit__(kind, *rest)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b'{'):
                self._events.put(json.loads(line))

    def next_event(self, timeout: float = 0.0) -> Event | None:
        """The next event, or None if none comes within `timeout` [s].

        Raises:
            ReplayError: it reported an error, or ended without its last event.
        """
        try:
            event = self._events.get(timeout=timeout)
        except Empty:
            if self.status is None or self._reader.is_alive() or self._events.qsize():
                return None
            raise ReplayError(
                self.failure(f'the {self.name} ended with status {self.status}')
            ) from None
        if event['event'] == 'error':
            raise ReplayError(f'the {self.name} failed: {event["message"]}')
        return event

    def news(self, timeout: float = 0.0) -> list[Event]:
        """Everything told by now, waiting up to `timeout` [s] for a first event.

        Raises:
            ReplayError: as by `next_event`.
        """
        events: list[Event] = []
        while (event := self.next_event(0.0 if events else timeout)) is not None:
            events.append(event)
        return events

    def finish(self) -> list[Event]:
        """Ask it to end, wait for that and return what it told meanwhile.

        Raises:
            ReplayError: it reported an error.
        """
        self._ask_to_end()
        events = []
        while self._events.qsize() and (event := self.next_event()) is not None:
            events.append(event)
        return events

    def _ask_to_end(self) -> None:
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            return
        self._reader.join()

    def stop(self) -> int:
        """End it whatever it does."""
        self._ask_to_end()
        status = super().stop()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status
