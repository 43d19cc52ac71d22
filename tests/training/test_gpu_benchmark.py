# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The GPU benchmark runs on a CPU at a tiny size, says what it left out, and survives failures."""

import json
from pathlib import Path

import pytest

from benchmarks import gpu
from benchmarks.gpu import main
from benchmarks.gpu_parts import part as parts_module
from benchmarks.gpu_parts.part import NEEDS_GPU, Part, Settings, run_part_alone

GPU_PARTS = ('numerics', 'ptx', 'kernel_speed', 'frame', 'whole_network')
SETTINGS = Settings(device='cpu', size=(96, 160), network_size=(64, 96), repeat=1)


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests are of what the command does without one, wherever they run."""
    monkeypatch.setattr('torch.cuda.is_available', lambda: False)


def run_main(tmp_path: Path, *options: str) -> tuple[int, dict]:
    """Exit code and report of a run at a tiny size."""
    output = tmp_path / 'new' / 'results.json'
    code = main(['--output', str(output), '--size', '160x96', '--repeat', '1', *options])
    return code, json.loads(output.read_text())


def test_a_tiny_run_reports_every_part(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, report = run_main(tmp_path)
    assert code == 0
    assert set(report) == {part.name for part in gpu.PARTS} | {'environment', 'settings'}
    assert {'date', 'device', 'torch', 'torchvision', 'triton'} <= set(report['environment'])
    for group in ('deform_conv', 'roi_align'):
        assert report[group]['largest_difference'] < 1e-3
        assert all(value >= 0 for value in report[group].values())
    assert report['training_step']['over_mask_rcnn'] > 0
    printed = capsys.readouterr().out
    assert 'float32_ms' in printed
    for name in GPU_PARTS:
        assert report[name] == {'not_run': NEEDS_GPU}
        assert f'{name:14}{NEEDS_GPU}' in printed


def test_a_failing_part_is_named_and_the_others_still_run(tmp_path, capsys, monkeypatch) -> None:
    def fail(settings: Settings) -> dict:
        raise ValueError('no such thing')

    broken = (
        Part('raises', fail),
        Part('finds', lambda settings: {'ms': 1.5, 'failures': ['wrong numbers']}),
        Part('works', lambda settings: {'ms': 2.5}),
    )
    monkeypatch.setattr(gpu, 'PARTS', broken)
    code, report = run_main(tmp_path)
    assert code == 1
    assert report['raises']['failures'] == ['ValueError: no such thing']
    assert (report['finds']['ms'], report['works']) == (1.5, {'ms': 2.5})
    printed = capsys.readouterr().out.splitlines()
    assert printed[-2:] == [
        'FAILED: raises: ValueError: no such thing',
        'FAILED: finds: wrong numbers',
    ]
    assert printed[0] == 'raises        failed'
    assert any(line.startswith('works') and line.endswith('2.5') for line in printed)


def test_a_part_in_a_process_of_its_own_gives_its_result(tmp_path: Path) -> None:
    code, report = run_main(tmp_path, '--alone', '--parts', 'roi_align')
    assert code == 0
    assert report['roi_align']['torchvision_train_ms'] > 0


def test_a_process_that_dies_or_hangs_is_a_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    part = gpu.PARTS[0]
    monkeypatch.setattr(parts_module.sys, 'executable', '/bin/false')
    assert run_part_alone(part, SETTINGS) == {
        'failures': ['its process ended with 1 and without a result']
    }
    hanging = tmp_path / 'python'
    hanging.write_text('#!/bin/sh\nexec sleep 600\n')
    hanging.chmod(0o755)
    monkeypatch.setattr(parts_module.sys, 'executable', str(hanging))
    monkeypatch.setattr(parts_module, 'LONGEST_S', 0)
    assert 'not done after 0 s' in run_part_alone(part, SETTINGS)['failures'][0]
