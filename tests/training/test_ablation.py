# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ablation study: its recipes, its resumption and its tables."""

import json
from pathlib import Path

import pytest

from training.ablation import __main__ as study
from training.ablation.report import format_report, spread
from training.ablation.study import ABLATION, COMPARISON, PSPNET, TRAININGS
from training.evaluate import parse_arguments as parse_evaluation
from training.recipe.reading import load_recipe

RECIPES = Path(__file__).parents[2] / 'config' / 'training'


@pytest.mark.parametrize('name', TRAININGS)
def test_every_training_is_a_recipe(name: str) -> None:
    recipe = load_recipe(RECIPES / 'ablation_upsnet.yaml', overrides=TRAININGS[name])
    base = load_recipe(RECIPES / 'ablation_upsnet.yaml')
    assert (recipe == base) == (name == 'upsnet')
    assert recipe.optimisation == base.optimisation
    assert recipe.data == base.data


def test_the_two_networks_of_the_baseline_see_the_same_images() -> None:
    upsnet = load_recipe(RECIPES / 'ablation_upsnet.yaml')
    pspnet = load_recipe(RECIPES / 'ablation_pspnet.yaml')
    assert pspnet.data == upsnet.data
    assert pspnet.optimisation == upsnet.optimisation
    assert pspnet.model.blocks == upsnet.model.blocks
    assert pspnet.model.width == upsnet.model.width


def test_rows_name_trainings_and_options_that_exist() -> None:
    for row in (*ABLATION, *COMPARISON):
        assert row.training in TRAININGS
        options = ['--model', 'm.pt', '--data', 'd', '--output', 'o', *row.options]
        assert parse_evaluation(options)


class FakeStudy:
    """Stands in for training and evaluation: writes what they would write."""

    def __init__(self) -> None:
        self.trained: list[str] = []
        self.evaluated: list[list[str]] = []

    def train(self, arguments: list[str]) -> int:
        output = Path(arguments[arguments.index('--output') + 1])
        output.mkdir(parents=True)
        (output / 'final.pt').touch()
        self.trained.append(output.name)
        return 0

    def evaluate(self, arguments: list[str]) -> int:
        output = Path(arguments[arguments.index('--output') + 1])
        output.mkdir(parents=True)
        quality = {group: {'pq': 50.0} for group in ('all', 'things', 'stuff')}
        (output / 'metrics.json').write_text(json.dumps({'pq': quality}))
        self.evaluated.append(arguments)
        return 0


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeStudy:
    fake = FakeStudy()
    monkeypatch.setattr(study, 'train', fake.train)
    monkeypatch.setattr(study, 'evaluate', fake.evaluate)
    return fake


def test_every_network_is_trained_and_every_row_evaluated_once(
    fake: FakeStudy, tmp_path: Path
) -> None:
    command = ['--data', 'drives', '--output', str(tmp_path), '--seeds', '1', '2']
    assert study.main(command) == 0
    assert len(fake.trained) == 2 * (len(TRAININGS) + 1)
    keys = {row.key for row in (*ABLATION, *COMPARISON)}
    assert len(fake.evaluated) == 2 * len(keys)
    assert study.main(command) == 0  # nothing is done twice
    assert len(fake.trained) == 2 * (len(TRAININGS) + 1)
    results = json.loads((tmp_path / 'results.json').read_text())
    assert set(results) == keys
    assert results['mr_cnn_psp']['2']['all'] == 50.0
    pairs = [call for call in fake.evaluated if '--semantic-model' in call]
    assert all(PSPNET in call[call.index('--semantic-model') + 1] for call in pairs)
    assert len(pairs) == 2


def test_a_failure_ends_the_study_by_name(
    fake: FakeStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    monkeypatch.setattr(study, 'train', lambda _: 1)
    assert study.main(['--data', 'drives', '--output', str(tmp_path)]) == 1
    assert 'training upsnet with seed 1 failed' in caplog.text


def test_tables_show_mean_and_spread_beside_the_paper() -> None:
    figures = {'unknown': {str(s): {'all': 40.0 + s, 'things': 1.0, 'stuff': 2.0} for s in (1, 3)}}
    text = format_report(figures)
    rows = [line for line in text.splitlines() if '(UPSNet)' in line]
    assert rows == [
        '| + unknown prediction (UPSNet) | 42.0 ± 1.4 | 1.0 ± 0.0 | 2.0 ± 0.0 | 2 '
        '| 42.5 | 48.5 | 33.4 |'
    ]
    empty = [line for line in text.splitlines() if 'MR-CNN-PSP' in line]
    assert empty == ['| MR-CNN-PSP |  |  |  | 0 | 58.0 | 52.3 | 62.2 |']
    assert (spread([]), spread([3.14])) == ('', '3.1')
