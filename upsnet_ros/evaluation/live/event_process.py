# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A process that tells its progress as one JSON object per line on its standard output."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from types import TracebackType
from typing import Any

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live.parent_death import die_with_parent
from upsnet_ros.evaluation.live.processes import last_lines

STOP_SECONDS = 15.0

Event = dict[str, Any]


class EventProcess:
    """Starts a process and collects its events. Use it as a context manager.

    Closing its standard input asks the process to end once its work is done. One that has not
    ended in time is killed; on Linux also when this process ends in whatever way.
    """

    def __init__(
        self, name: str, command: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> None:
        self.name = name
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open('wb') as errors:
            self._process = subprocess.Popen(
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                text=True,
                preexec_fn=die_with_parent(),
            )
        self._events: Queue[Event] = Queue()
        self._reader = Thread(target=self._read, name=f'{name}_events', daemon=True)
        self._reader.start()

    def __enter__(self) -> EventProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._process.terminate()  # nobody wants the rest of its work any more
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith('{'):
                self._events.put(json.loads(line))

    def next_event(self, timeout: float) -> Event | None:
        """The next event, or None if none comes within `timeout` [s].

        Raises:
            ReplayError: the process reported an error, or ended without its last event.
        """
        try:
            event = self._events.get(timeout=timeout)
        except Empty:
            if self._process.poll() is None or self._reader.is_alive() or self._events.qsize():
                return None
            raise ReplayError(
                f'the {self.name} ended with status {self._process.returncode}. Last lines of '
                f'{self._log}:\n{last_lines(self._log)}'
            ) from None
        if event['event'] == 'error':
            raise ReplayError(f'the {self.name} failed: {event["message"]}')
        return event

    def drain(self) -> list[Event]:
        """Everything told by now, without waiting."""
        events = []
        while self._events.qsize() and (event := self.next_event(0.0)) is not None:
            events.append(event)
        return events

    def finish(self) -> list[Event]:
        """Ask the process to end, wait for it and return what it told meanwhile."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        deadline = time.monotonic() + STOP_SECONDS
        while self._reader.is_alive() and time.monotonic() < deadline:
            self._reader.join(0.1)
        return self.drain()

    def close(self) -> None:
        """End the process whatever it does."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()
