# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The same work in two checkouts in turn, so that a busy machine slows both alike.

A benchmark starts its own file once for each checkout, with `serve` at its end, and asks both by
turns. What they answer is JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = '--work-in'


class Worker:
    """A process in which a benchmark works with the `upsnet_ros` of a checkout.

    Args:
        script: of the benchmark; begins with `enter_checkout` and ends in `serve`.
        checkout: the folder.
        environment: variables that the process has beside those of this one.
    """

    def __init__(self, script: str, checkout: Path, **environment: str) -> None:
        paths = os.environ.get('PYTHONPATH', '').split(os.pathsep)
        others = [path for path in paths if path and Path(path).resolve() != ROOT]
        self._process = subprocess.Popen(
            [sys.executable, script, WORK, str(checkout)],
            env={
                **os.environ,
                'PYTHONPATH': os.pathsep.join([str(checkout), *others]),
                **environment,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **question: Any) -> Any:
        """The answer to a question.

        Raises:
            SystemExit: the process died; its own words are on the terminal.
        """
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + '\n')
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit(f'the work in a checkout died: {self._process.args}')
        return json.loads(answer)

    def close(self) -> None:
        """End the process."""
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


def enter_checkout() -> bool:
    """Have the imports that follow come from the checkout of a worker, where this is one.

    The first folder of the search path is that of this checkout, by which this file was found.

    Returns:
        Whether this is a worker.
    """
    is_worker = WORK in sys.argv
    if is_worker:
        sys.path[0] = sys.argv[sys.argv.index(WORK) + 1]
    return is_worker


def serve(answer: Callable[..., Any]) -> None:
    """Answer the questions of `Worker.ask` until there are no more."""
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)
