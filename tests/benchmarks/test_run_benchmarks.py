# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The script behind `make bench` runs every benchmark in the environment that it needs."""

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / '.ci'))
    spec = importlib.util.spec_from_file_location('run_benchmarks', ROOT / '.ci/run_benchmarks.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scripts() -> dict[str, Path]:
    return {path.stem: path for path in (ROOT / 'benchmarks').glob('*.py')}


def test_the_names_of_exceptions_are_those_of_scripts(runner: ModuleType) -> None:
    assert runner.NEEDS_GPU | runner.NEEDS_DATA | runner.NEEDS_TORCH <= set(scripts())


@pytest.mark.parametrize('failing', [None, 'node_soak'])
def test_all_are_run_and_one_that_fails_stops_none(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, failing
) -> None:
    (tmp_path / 'benchmarks').symlink_to(ROOT / 'benchmarks')
    commands = []

    def run(command: list[str], **options) -> subprocess.CompletedProcess:
        commands.append(command)
        return subprocess.CompletedProcess(command, int(Path(command[1]).stem == failing))

    monkeypatch.setattr(runner, 'ROOT', tmp_path)
    monkeypatch.setattr(runner.subprocess, 'run', run)
    assert runner.main() == (1 if failing else 0)
    run_here = set(scripts()) - {'gpu', 'real_frames'}
    assert {Path(command[1]).stem for command in commands} == run_here
    assert ('FAILED: node_soak' in capsys.readouterr().out) == bool(failing)
    environments = {Path(command[1]).stem: command[0] for command in commands}
    assert (
        environments['node_soak'] == environments['node_transport'] == '.venv/runtime/bin/python'
    )
    assert environments['training_step'] == '.venv/training/bin/python'
