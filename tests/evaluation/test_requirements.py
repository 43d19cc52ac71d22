# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace

import pytest

from tests.evaluation.test_replay_report import FIGURES as BARE
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.figures import Requirement, failures
from upsnet_ros.evaluation.replay_report import CameraFigures, LatencyFigures

GROUP = {'pq': 50.0, 'sq': 80.0, 'rq': 60.0, 'classes': 3}
MEASURED: CameraFigures = replace(
    BARE,
    pq={'all': GROUP, 'things': GROUP | {'pq': 40.0}, 'stuff': GROUP | {'pq': 60.0}},
    miou={'miou': 70.0, 'classes': 3},
    stability={'flip_share': 0.01, 'births_per_second': 2.0, 'deaths_per_second': 3.0},
    latency_ms=LatencyFigures(10.0, 20.0, 30.0, 12.0),
)


@pytest.mark.parametrize(
    ('text', 'is_met'),
    [
        ('pq>=50', True),
        ('pq > 50', False),
        (' pq >= 50.1 ', False),
        ('pq_things==40', True),
        ('pq_stuff>=60', True),
        ('sq<=80', True),
        ('rq<60', False),
        ('miou>=70', True),
        ('unknown_share<=0.25', True),
        ('unknown_share<0.25', False),
        ('latency_p50_ms<=10', True),
        ('latency_p95_ms<=19.9', False),
        ('latency_p99_ms<=3e1', True),
        ('latency_mean_ms<12', False),
        ('drops<=0', True),
        ('drop_share<=0', True),
        ('skipped==0', False),
        ('flips<=0.01', True),
        ('births_per_second<2', False),
        ('deaths_per_second<=3', True),
        ('frames>=2', False),
        ('confidence>=0.7', True),
        ('truth_frames>=1', False),
        ('truth_problems==0', True),
        ('truth_unmatched==0', True),
    ],
)
def test_requirements_are_met_or_missed(text: str, is_met: bool) -> None:
    assert (failures([Requirement.parse(text)], MEASURED) == []) == is_met


@pytest.mark.parametrize(('limit', 'is_met'), [(150, True), (149, False)])
def test_what_the_node_costs_can_be_limited(limit: float, is_met: bool) -> None:
    required = [Requirement.parse(f'node_cpu_percent<={limit}')]
    assert (failures(required, MEASURED, {'node_cpu_percent': 150.0}) == []) == is_met
    (reason,) = failures(required, MEASURED)
    assert 'node_cpu_percent was not measured' in reason


def test_a_share_of_drops_is_one_of_all_frames() -> None:
    figures = replace(MEASURED, frames=8, drops=2)
    assert failures([Requirement.parse('drop_share==0.25')], figures) == []
    (reason,) = failures([Requirement.parse('drop_share<=0')], replace(figures, frames=0))
    assert 'not measured' in reason


@pytest.mark.parametrize('name', ['pq', 'pq_things', 'miou', 'flips', 'births_per_second'])
def test_what_was_not_measured_is_missed(name: str) -> None:
    for comparison in ('>=', '<='):
        (reason,) = failures([Requirement.parse(f'{name}{comparison}0')], BARE)
        assert reason == f'{name} {comparison} 0 is required, but {name} was not measured'


def test_a_group_without_classes_was_not_measured() -> None:
    empty = replace(MEASURED, pq=MEASURED.pq | {'things': GROUP | {'pq': 0.0, 'classes': 0}})
    assert 'not measured' in failures([Requirement.parse('pq_things<=100')], empty)[0]


def test_reasons_name_what_was_measured() -> None:
    texts = ('pq>=55', 'miou>=60', 'latency_p95_ms<=15')
    assert failures([Requirement.parse(text) for text in texts], MEASURED) == [
        'pq >= 55 is required, measured 50',
        'latency_p95_ms <= 15 is required, measured 20',
    ]


@pytest.mark.parametrize(
    'text',
    ['', 'pq', 'pq>=', 'pq>=nan', 'pq>=inf', 'pq=50', '50>=pq', 'pq>=5 0', 'pq>=__import__'],
)
def test_texts_that_are_no_requirement_are_refused(text: str) -> None:
    with pytest.raises(EvaluationError, match='cannot be read; expected a figure'):
        Requirement.parse(text)


def test_unknown_figures_are_refused_with_those_there_are() -> None:
    with pytest.raises(EvaluationError, match="no figure 'pqq'; known are pq, sq"):
        Requirement.parse('pqq>=3')
