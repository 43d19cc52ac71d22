# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A benchmark's work in two checkouts: each has its own code, and is asked by turns."""

from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.model_parts.beside import ROOT, Worker

SCRIPT = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from benchmarks.model_parts.beside import enter_checkout, serve
assert enter_checkout()
import upsnet_ros
asked = []
def answer(**question):
    if question.get('die'):
        sys.exit('enough')
    asked.append(question)
    return [upsnet_ros.__file__, len(asked), question]
serve(answer)
"""


@pytest.fixture
def script(tmp_path: Path) -> str:
    path = tmp_path / 'benchmark.py'
    path.write_text(SCRIPT)
    return str(path)


def test_each_checkout_answers_with_its_own_code(script: str, tmp_path: Path) -> None:
    other = tmp_path / 'before' / 'upsnet_ros'
    other.mkdir(parents=True)
    (other / '__init__.py').touch()
    with closing(Worker(script, ROOT)) as here, closing(Worker(script, other.parent)) as against:
        for turn in (1, 2):
            for worker, package in ((here, ROOT / 'upsnet_ros'), (against, other)):
                file, count, question = worker.ask(turn=turn, name='a\nb')
                assert Path(file).parent == package
                assert (count, question) == (turn, {'turn': turn, 'name': 'a\nb'})


def test_work_that_dies_ends_the_benchmark(script: str, capfd) -> None:
    with closing(Worker(script, ROOT)) as worker:
        with pytest.raises(SystemExit, match='died'):
            worker.ask(die=True)
    assert 'enough' in capfd.readouterr().err
