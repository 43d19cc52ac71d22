# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Building an engine anew from within the runtime, with real child processes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fakes.tiny_engine import write_tiny_engine
from upsnet_ros.backends import engine_rebuild
from upsnet_ros.backends.engine_rebuild import rebuild_command, rebuild_engine
from upsnet_ros.core.errors import ModelError


def test_the_command_builds_what_the_record_says(tmp_path: Path) -> None:
    engine = write_tiny_engine(tmp_path, precision='fp32', deform_conv='native')
    _, *arguments = rebuild_command(engine)
    assert arguments == [
        '-m', 'training.build_engine', '--model', str(tmp_path / 'model.onnx'),
        '--output', str(engine), '--precision', 'fp32', '--deform-conv', 'native',
        '--cameras', '1',
    ]  # fmt: skip


def test_the_real_builder_understands_the_command(tmp_path: Path) -> None:
    """It stops because there is no TensorRT here, not because of the command."""
    engine = write_tiny_engine(tmp_path)
    before = engine.read_bytes()
    with pytest.raises(
        ModelError, match='could not be built anew:\n(.*\n)*.*no engine was written'
    ):
        rebuild_engine(engine)
    assert engine.read_bytes() == before


def test_lines_of_the_builder_are_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level('INFO')
    script = 'import sys; sys.stderr.write("10 %\\r20 %\\n"); print("done")'
    rebuild_engine(tmp_path / 'model.engine', command=lambda _: [sys.executable, '-c', script])
    assert 'build_engine: 20 %' in caplog.text and 'build_engine: done' in caplog.text
    assert '10 %' not in caplog.text


def test_a_builder_that_crashes_is_told_of(tmp_path: Path) -> None:
    script = 'import os, sys; print("last words", flush=True); os.abort()'
    with pytest.raises(ModelError, match='could not be built anew:\nlast words'):
        rebuild_engine(tmp_path / 'm.engine', command=lambda _: [sys.executable, '-c', script])


def test_a_missing_builder_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_rebuild, '_SOURCE_TREE', tmp_path)
    monkeypatch.setattr(engine_rebuild, 'find_spec', lambda name: None)
    with pytest.raises(ModelError, match='training.build_engine is not installed.*PYTHONPATH'):
        rebuild_engine(tmp_path / 'm.engine')
