# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The comparison with a bare node: its verdict by hand, and a few images over real DDS."""

import json
from pathlib import Path

import pytest

from benchmarks.node_transport import comparison, figures, main, table

GOOD = {
    'lost': 0,
    'age_ms_p50': 10.0,
    'age_ms_p95': 20.0,
    'age_ms_p99': 30.0,
    'cpu_ms_per_frame': 4.0,
    'peak_mb': 200.0,
}


def test_ratios_are_those_of_ours_to_the_bare_node() -> None:
    ours = GOOD | {'age_ms_p95': 25.0, 'cpu_ms_per_frame': 6.0, 'peak_mb': 220.0}
    found = comparison(GOOD, ours)
    assert found['age_p95_ratio'] == 1.25
    assert found['cpu_ratio'] == 1.5
    assert found['peak_ratio'] == pytest.approx(1.1)
    assert found['failures'] == []
    assert 'FAILED' not in table('scenario', found)


def test_an_age_of_exactly_the_limit_is_fine_and_more_is_not() -> None:
    assert comparison(GOOD, GOOD | {'age_ms_p95': 30.0})['failures'] == []
    found = comparison(GOOD, GOOD | {'age_ms_p95': 30.2})
    assert found['failures'] == ['age p95 1.51 times that of the bare node, limit 1.5']
    assert 'FAILED: age p95 1.51' in table('scenario', found)


def test_a_single_lost_frame_fails_and_those_of_the_bare_node_do_not() -> None:
    assert comparison(GOOD | {'lost': 9}, GOOD)['failures'] == []
    found = comparison(GOOD, GOOD | {'lost': 1})
    assert found['failures'] == ['1 frames lost, expected none']


def test_figures_of_ages_are_their_percentiles() -> None:
    found = figures([float(age) for age in range(101)], sent=103)
    assert found == {'lost': 2, 'age_ms_p50': 50.0, 'age_ms_p95': 95.0, 'age_ms_p99': 99.0}
    with pytest.raises(SystemExit, match='not one label image'):
        figures([], sent=3)


def test_a_few_images_pass_both_nodes_over_real_dds(tmp_path: Path) -> None:
    output = tmp_path / 'transport.json'
    name = '4x1280x720@20Hz'
    status = main(['--output', str(output), '--frames', '5', '--scenario', name])
    found = json.loads(output.read_text())[name]
    assert status == (1 if found['failures'] else 0)
    for role in ('bare', 'ours'):
        assert 0 <= found[role]['lost'] < 20
        assert 0 < found[role]['age_ms_p50'] <= found[role]['age_ms_p95']
        assert found[role]['cpu_ms_per_frame'] > 0
        assert 50 < found[role]['peak_mb'] < 1500
