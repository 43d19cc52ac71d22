# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The GPU benchmark runs on a CPU at a tiny size and its own checks hold."""

import json
from pathlib import Path

import pytest

from benchmarks.gpu import main, parse_size


def test_a_tiny_run_reports_every_group(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / 'results.json'
    assert main(['--output', str(output), '--size', '160x96', '--repeat', '1']) == 0
    report = json.loads(output.read_text())
    assert {'deform_conv', 'roi_align', 'network', 'training_step', 'environment'} <= set(report)
    assert report['environment']['torch']
    for group in ('deform_conv', 'roi_align'):
        assert report[group].get('largest_difference', 0.0) < 1e-3
        assert all(value >= 0 for value in report[group].values())
    assert report['training_step']['over_mask_rcnn'] > 0
    assert 'float32_ms' in capsys.readouterr().out


def test_sizes_are_multiples_of_32() -> None:
    assert parse_size('640x320') == (320, 640)
    with pytest.raises(Exception, match='multiples of 32'):
        parse_size('600x300')
