# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The soak at a tiny length over real DDS: everything happens, and a leak is found."""

import json
from pathlib import Path

import pytest

from benchmarks import node_soak
from benchmarks.node_parts.soak_accounts import LOSSES
from benchmarks.node_parts.soak_images import soak_cameras
from benchmarks.node_soak import PARAMETERS, SOAK_NODE, Plan, main, soak, table

TINY = Plan(3.0, sample=0.1, parameters=0.4, lifecycle=0.7)


def test_every_output_and_transition_is_exercised_and_every_image_accounted_for() -> None:
    found = soak('tiny', [*SOAK_NODE, 'ready'], TINY)
    # Memory of the first seconds is warm-up; all else must be right in any time.
    assert [text for text in found['failures'] if '_mb grew' not in text] == []
    assert found['lifecycle_cycles'] == 4
    assert found['frames'] == found['sent'] == found['read']['labels'] > 20
    assert found['lost'] == sum(found['counted'][name] for name in LOSSES) == 0
    for name in ('instances', 'class images', 'overlays', 'calibrations', 'times', 'diagnostics'):
        assert found['read'][name] > 0
    assert found['own_mb']['early'] > 50
    printed = table('tiny', found)
    assert f'{found["frames"]} images answered' in printed and 'own_mb' in printed


def test_a_node_that_leaks_fails_by_all_that_it_leaks() -> None:
    found = soak('leak', ['-m', 'tests.benchmarks.leaking_node'], TINY)
    for name in ('resident_mb', 'own_mb', 'threads', 'descriptors'):
        (failure,) = (text for text in found['failures'] if text.startswith(name))
        assert f'FAILED: {failure}' in table('leak', found)


def test_the_command_runs_the_shipped_model_and_its_status_is_the_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Every camera's image is waited for before each of the samples.
    monkeypatch.setattr(node_soak, 'soak_cameras', lambda: soak_cameras()[:1])
    output = tmp_path / 'new' / 'soak.json'
    status = main(['--output', str(output), '--minutes', '0', '--network-minutes', '0.026'])
    results = json.loads(output.read_text())
    assert set(results) == {'python', 'network'}
    found = results['network']
    assert status == (1 if found['failures'] else 0)
    assert [text for text in found['failures'] if '_mb grew' not in text] == []
    assert found['frames'] > 4
    assert len(found['samples']) == 32
    assert capsys.readouterr().out.startswith(f'network: {found["frames"]} images answered')


@pytest.mark.parametrize('duration', [120, 600, 3600])
def test_every_tenth_of_a_run_has_the_same_in_it(duration: float) -> None:
    plan = Plan.of(duration)
    tenth = duration / 10
    # All changes of parameters, and both kinds of lifecycle cycles, as often as each other.
    assert tenth / plan.parameters % len(PARAMETERS) == pytest.approx(0)
    assert tenth / plan.lifecycle == pytest.approx(4)
    assert tenth / plan.sample == pytest.approx(30)
