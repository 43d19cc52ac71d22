# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Set-up steps that run once for the same inputs and explain their failures."""

from __future__ import annotations

import hashlib
import os
import subprocess
import time
from pathlib import Path

LAST_LOG_LINES = 15


class SetupError(Exception):
    """A set-up step that failed; the message says which one and what to do."""


def fingerprint(*inputs: object) -> str:
    """Hash of texts and of the contents of files; a missing file counts as its absence."""
    digest = hashlib.sha256()
    for item in inputs:
        if isinstance(item, Path):
            content = item.read_bytes() if item.is_file() else b'absent'
            digest.update(str(item).encode() + b'\0' + content)
        else:
            digest.update(str(item).encode())
        digest.update(b'\0')
    return digest.hexdigest()


class Step:
    """One named step of the set-up, with a stamp file that remembers the inputs it last ran for.

    Args:
        name: what the step does, printed as one line.
        folder: where the stamp and the log lie.
        inputs: hash of everything the result depends on.
        advice: what a person can do when the step fails.
    """

    def __init__(self, name: str, *, folder: Path, inputs: str, advice: str) -> None:
        self.name = name
        self.advice = advice
        slug = ''.join(c if c.isalnum() else '-' for c in name.lower()).strip('-')
        self.stamp = folder / f'{slug}.stamp'
        self.log = folder / f'{slug}.log'
        self._inputs = inputs
        self._started = 0.0

    def is_done(self) -> bool:
        """True when the step ran for exactly these inputs."""
        return self.stamp.is_file() and self.stamp.read_text() == self._inputs

    def begin(self) -> None:
        """Announces the step and forgets that an earlier run succeeded."""
        print(f'[set-up] {self.name} ...', flush=True)
        self._started = time.monotonic()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.stamp.unlink(missing_ok=True)
        self.log.write_text('')

    def finish(self) -> None:
        """Remembers the success."""
        self.stamp.write_text(self._inputs)
        seconds = time.monotonic() - self._started
        print(f'[set-up] {self.name}: done in {seconds:.0f} s', flush=True)

    def run(
        self,
        command: list[str],
        *,
        environment: dict[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Runs a command with its output in the step's log.

        Raises:
            SetupError: the command cannot be started or ends with another status than 0.
        """
        with self.log.open('a') as log:
            log.write('$ ' + ' '.join(command) + '\n')
            log.flush()
            try:
                status = subprocess.run(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment or dict(os.environ),
                    cwd=cwd,
                ).returncode
            except OSError as error:
                raise self.failure(f'{command[0]} cannot be started: {error}') from error
        if status != 0:
            raise self.failure(f'{Path(command[0]).name} ended with status {status}')

    def failure(self, reason: str) -> SetupError:
        """The error of this step: what failed, the end and place of its log, what to do."""
        lines = self.log.read_text(errors='replace').splitlines() if self.log.is_file() else []
        end = '\n'.join(f'    {line}' for line in lines[-LAST_LOG_LINES:])
        return SetupError(
            f'step "{self.name}" failed: {reason}\n{end}\n  whole log: {self.log}\n'
            f'  what to do: {self.advice}'
        )
