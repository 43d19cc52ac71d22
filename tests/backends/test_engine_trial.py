# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The trial of an engine in a real process of its own, whatever happens to it there."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import psutil
import pytest

from tests.fakes.fake_tensorrt import FakeTensorRt
from upsnet_ros.backends.engine_trial import main, run_trial, trial_command
from upsnet_ros.backends.tensorrt_backend import TensorRtBackend
from upsnet_ros.core.errors import ModelError
from upsnet_ros.manifest import ModelManifest


def python(code: str) -> list[str]:
    return [sys.executable, '-c', code]


def load(path: Path, *, timeout_s: float = 60.0) -> TensorRtBackend:
    return TensorRtBackend(path, ModelManifest.load(path), trial_timeout_s=timeout_s)


def test_a_trial_that_works_says_nothing() -> None:
    assert run_trial(python('print("fine")'), timeout_s=60.0) == ''


@pytest.mark.parametrize(
    ('code', 'message'),
    [
        ('import os; os.abort()', 'crashed with SIGABRT'),
        ('import os, signal; os.kill(os.getpid(), signal.SIGSEGV)', 'crashed with SIGSEGV'),
        ('raise SystemExit(7)', 'failed with exit status 7'),
    ],
)
def test_crashes_and_failures_are_told_with_the_end_of_the_log(code: str, message: str) -> None:
    before = 'for n in range(50): print("line", n, flush=True)\n'
    with pytest.raises(ModelError, match=message) as caught:
        run_trial(python(before + code), timeout_s=60.0)
    assert 'line 49' in str(caught.value) and 'line 5\n' not in str(caught.value)


@pytest.mark.parametrize(
    ('code', 'message'),
    [
        ('import os; os.abort()', 'labels crashed with SIGABRT'),
        ('raise SystemExit(3)', 'labels failed with exit status 3'),
    ],
)
def test_where_only_labels_fail_the_engine_is_used(code: str, message: str) -> None:
    ran = 'print("engine_trial: the engine runs", flush=True)\n'
    reason = run_trial(python(ran + code), timeout_s=60.0)
    assert message in reason and 'the engine runs' in reason


def test_an_empty_log_is_said_to_be_empty() -> None:
    with pytest.raises(ModelError, match='the log is empty'):
        run_trial(python('raise SystemExit(3)'), timeout_s=60.0)


def test_a_trial_that_hangs_is_ended() -> None:
    # A shell speaks at once, where Python may take a second to start.
    command = ['sh', '-c', 'echo waiting as $$; exec sleep 600']
    with pytest.raises(ModelError, match='no answer within 2 s.*\nwaiting') as caught:
        run_trial(command, timeout_s=2.0)
    assert not psutil.pid_exists(int(re.search(r'waiting as (\d+)', str(caught.value))[1]))


def test_a_process_left_behind_does_not_hold_up_the_end() -> None:
    code = (
        'import subprocess, sys\n'
        'subprocess.Popen([sys.executable, "-c", "import time; time.sleep(90)"])\n'
    )
    run_trial(python(code), timeout_s=60.0)  # raises where it waits for the second one


@pytest.mark.heavy
def test_the_real_trial_runs_engine_and_labels_and_ends(
    engine_path: Path, child_libraries: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('TAKES_KERNELS', '1')
    assert run_trial(trial_command(engine_path), timeout_s=180.0) == ''


def test_the_backend_is_loaded_after_a_trial(
    engine_path: Path, child_libraries: Path, tensorrt: FakeTensorRt
) -> None:
    backend = load(engine_path)
    assert tensorrt.cuda.calls.count('deserialize') == 1
    backend.close()


@pytest.mark.parametrize(
    ('library', 'messages'),
    [
        ('import os\nos.abort()\n', ['crashed with SIGABRT', 'Fatal Python error: Aborted']),
        ('raise ImportError("libnvinfer.so.10: no such file")\n', ['status 1', 'libnvinfer.so']),
    ],
)
def test_a_library_that_fails_in_the_trial_never_sees_the_engine_here(
    engine_path: Path,
    child_libraries: Path,
    tensorrt: FakeTensorRt,
    library: str,
    messages: list[str],
) -> None:
    (child_libraries / 'tensorrt.py').write_text(library)
    with pytest.raises(ModelError) as caught:
        load(engine_path)
    assert all(text in str(caught.value) for text in messages)
    assert 'runtime created' not in tensorrt.cuda.calls


@pytest.mark.parametrize(
    ('trouble', 'message'),
    [
        ('', 'update the NVIDIA driver to that of CUDA 12.5'),
        ('run_kernel = lambda *launch: None', 'the kernels of the GPU give'),
        (
            # What is copied to the host is then zero: stuff of the first class.
            'run_kernel = lambda name, grid, block, arrays: [\n'
            '    array.fill(0) for array in arrays if hasattr(array, "fill")]',
            'of the labels of the GPU are those of the processor',
        ),
    ],
)
def test_kernels_that_fail_in_the_trial_leave_labels_to_the_processor(
    engine_path: Path,
    child_libraries: Path,
    tensorrt: FakeTensorRt,
    trouble: str,
    message: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if trouble:
        monkeypatch.setenv('TAKES_KERNELS', '1')
        with (child_libraries / 'tensorrt.py').open('a') as file:
            file.write(f'import tests.fakes.compiled_grid\ntests.fakes.compiled_grid.{trouble}\n')
    backend = load(engine_path)
    assert not backend.can_label
    (warning,) = [r.getMessage() for r in caplog.records if 'by the processor' in r.getMessage()]
    assert message in warning
    backend.close()


def test_a_stale_engine_is_not_even_tried(
    engine_path: Path, child_libraries: Path, tensorrt: FakeTensorRt
) -> None:
    (child_libraries / 'tensorrt.py').write_text('import os\nos.abort()\n')
    tensorrt.cuda.properties.minor = 9
    with pytest.raises(ModelError, match='compute capability is 8.9'):
        load(engine_path)


def test_a_wrong_command_line_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert 'expected one' in capsys.readouterr().err


def test_what_fails_is_printed_for_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path / 'none.engine')]) == 1
    assert 'none.engine' in capsys.readouterr().err
