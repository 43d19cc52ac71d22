# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command on an engine of the shipped model, over a stand-in for TensorRT in every process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.gpu_libraries import write_cuda_library
from training.build_engine import main as build_engine

ROOT = Path(__file__).parents[2]
MODEL = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
LIBRARY = (
    'from tests.fakes import tensorrt_over_onnxruntime as fake\n'
    'library = fake.SHARED_TENSORRT\n'
    '{change}\n'
    'fake.install()\n'
)
# Modules of checks; the others have nothing to say of an engine.
EXAMINED = ('computer', 'model', 'engine')
ENGINE_CHECKS = ('engine', 'engine trial', 'labels', 'comparison')


@pytest.fixture(scope='module')
def engine_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An engine that was built and compared here, and whatever lies beside it."""
    folder = tmp_path_factory.mktemp('engine')
    write_cuda_library(folder)
    write_library(folder)
    output = folder / 'model.engine'
    arguments = ['--model', str(MODEL), '--output', str(output), '--frames', '1']
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('PYTHONPATH', f'{folder}:{ROOT}')
        assert build_engine([*arguments, '--deform-conv', 'native', '--precision', 'fp32']) == 0
    return output


def write_library(folder: Path, change: str = '') -> None:
    (folder / 'tensorrt.py').write_text(LIBRARY.format(change=change))


def examine(engine_path: Path, change: str = '') -> tuple[int, dict[str, list[dict]]]:
    """Exit status and findings by check, with a changed library."""
    write_library(engine_path.parent, change)
    arguments = ['--model', str(engine_path), '--frames', '1', '--no-speed', '--json']
    code = (
        f'import sys; sys.path[:0] = [{str(engine_path.parent)!r}, {str(ROOT)!r}]\n'
        'from upsnet_ros.doctor import __main__ as command\n'
        f'kept = {EXAMINED!r}\n'
        'command.CHECKS = [check for check in command.CHECKS if check.module in kept]\n'
        'sys.exit(command.main(sys.argv[1:]))\n'
    )
    answer = subprocess.run(
        [sys.executable, '-c', code, *arguments], capture_output=True, text=True, timeout=300
    )
    findings: dict[str, list[dict]] = {}
    for entry in json.loads(answer.stdout)['findings']:
        findings.setdefault(entry['check'], []).append(entry)
    return answer.returncode, findings


def test_a_sound_engine_is_said_to_be_sound(engine_path: Path) -> None:
    status, findings = examine(engine_path)
    levels = {check: [entry['level'] for entry in findings[check]] for check in ENGINE_CHECKS}
    # The driver of the stand-in takes no kernels.
    assert levels == {check: ['ok'] for check in ENGINE_CHECKS} | {'engine trial': ['warning']}
    assert status == 0
    (comparison,) = findings['comparison']
    assert comparison['values']['equal_pixels'] >= 0.999
    assert comparison['values']['candidates'] >= 10
    assert {entry['what'] for entry in findings['gpu']} == {'NVIDIA driver', 'GPU', 'GPU memory'}


@pytest.mark.parametrize(
    ('change', 'failing', 'text'),
    [
        ('library.distort = lambda name, value: value * 0', 'comparison', 'equal_pixels'),
        ('library.refuse_context = 1', 'engine trial', 'no execution context'),
        ("library.__version__ = '11.4.0'", 'engine', 'TensorRT is 11.4.0'),
        ('library.Runtime = lambda logger: __import__("os").abort()', 'engine trial', 'SIGABRT'),
        ('library.cuda.driver = 0', 'engine', 'no NVIDIA driver'),
    ],
    ids=['wrong', 'no memory', 'other TensorRT', 'crash', 'no driver'],
)
def test_what_is_wrong_is_found_by_the_check_for_it(
    engine_path: Path, change: str, failing: str, text: str
) -> None:
    status, findings = examine(engine_path, change)
    assert status == 1
    (finding,) = findings[failing]
    assert finding['level'] == 'error' and text in finding['found']
    order = list(ENGINE_CHECKS)
    for later in order[order.index(failing) + 1 :]:
        assert [entry['found'] for entry in findings[later]] == ['not looked at']
