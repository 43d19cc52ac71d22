# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Several models in one run."""

from __future__ import annotations

from pathlib import Path

import pytest
from rosbags.highlevel import AnyReader

from tests.bags.blue_drive import blue_rows, truth_row
from tests.bags.small_drive import write_rows
from tests.evaluation.frame_tables import SMALL_SET
from tests.evaluation.test_compared_pictures import confused_model, truth_of
from tests.fakes.tiny_model import write_tiny_model
from tests.report.page_reader import ReadPage
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.comparison import read_comparison
from upsnet_ros.evaluation.replay import main, model_names
from upsnet_ros.evaluation.replay_report import read_report

FRAMES = 4


@pytest.mark.parametrize(
    ('paths', 'names'),
    [
        (['/m/new.onnx', '/m/old.onnx'], ['new', 'old']),
        (['/new/model.onnx', '/old/model.onnx'], ['new_model', 'old_model']),
        (['/m/model.onnx', '/m/model.engine'], ['model.onnx', 'model.engine']),
        (['/a/x/m.onnx', '/b/x/m.onnx', '/c/y/m.onnx'], ['a_x_m', 'b_x_m', 'c_y_m']),
        (['/m/Net.onnx', '/n/net.onnx'], ['m_Net', 'n_net']),
        (['/p/a_b/m.onnx', '/q/a/b_m.onnx'], ['m', 'b_m']),
        (['/m/report.html.onnx', '/m/x.onnx'], ['report.html.onnx', 'x.onnx']),
    ],
)
def test_names_are_short_and_all_different(paths: list[str], names: list[str]) -> None:
    assert model_names([Path(path) for path in paths]) == names


def test_the_same_file_twice_is_refused() -> None:
    with pytest.raises(EvaluationError, match='same file twice'):
        model_names([Path('/m/a.onnx'), Path('/m/../m/a.onnx')])


@pytest.fixture
def models(tmp_path: Path) -> tuple[Path, Path]:
    (tmp_path / 'seeing').mkdir()
    return confused_model(tmp_path / 'confused'), write_tiny_model(tmp_path / 'seeing')


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    truths = [truth_row(index, truth_of(index)) for index in range(FRAMES)]
    return write_rows(tmp_path / 'bag', [*blue_rows(FRAMES), *truths])


def run(bag: Path, *models: Path, arguments: tuple[str, ...] = ()) -> int:
    words = [word for model in models for word in ('--model', str(model))]
    output = str(bag.parent / 'out')
    return main([str(bag), *words, '--output', output, '--threads', '1', *arguments])


def test_each_model_has_a_report_and_the_later_ones_are_compared_with_the_first(
    bag: Path, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    out, labels = bag.parent / 'out', bag.parent / 'labels'
    required = ('--require', 'pq>=90', '--write-bag', str(labels))
    assert run(bag, *models, arguments=required) == 2
    told = capsys.readouterr()
    assert 'Requirement missed: confused_model: pq >= 90 is required' in told.err
    assert 'seeing_model: pq' not in told.err
    first, later = out / 'confused_model', out / 'seeing_model'
    assert [read_report(f).model.path for f in (first, later)] == [str(m) for m in models]
    assert read_comparison(first) is None
    comparison = read_comparison(later)
    assert comparison.against.folder == str(first) and comparison.totals['pq'].difference > 10
    assert 'labels of the other' in (later / 'report.html').read_text()
    for name in ('confused_model', 'seeing_model'):
        with AnyReader([labels / name]) as reader:
            counts = {c.topic: c.msgcount for c in reader.connections}
        assert counts['/camera/panoptic/image'] == FRAMES
    page = ReadPage((out / 'report.html').read_text(encoding='utf-8'))
    page.assert_loads_nothing()
    links = [link['href'] for link in page.named('a')]
    assert links == ['confused_model/report.html', 'seeing_model/report.html']
    assert all((out / link).is_file() for link in links)
    assert '2 models on bag' in page.text and 'against confused_model' in page.text
    assert run(bag, *models, arguments=required) == 1  # bags of labels are never replaced
    assert 'labels/confused_model exists already' in capsys.readouterr().err


def test_a_run_goes_on_past_the_models_that_are_done(bag: Path, models: tuple[Path, Path]) -> None:
    assert run(bag, *models) == 0
    out = bag.parent / 'out'
    frames = out / 'seeing_model' / 'frames.jsonl'
    frames.write_text(''.join(frames.read_text().splitlines(keepends=True)[:3]))
    done = (out / 'confused_model' / 'frames.jsonl').read_text()
    assert run(bag, *models) == 0
    # A new line is all that going on adds to frames that are done.
    assert (out / 'confused_model' / 'frames.jsonl').read_text().strip() == done.strip()
    assert read_report(out / 'confused_model').speed['frames'] == 0
    assert 0 < read_report(out / 'seeing_model').speed['frames'] < FRAMES
    assert read_report(out / 'seeing_model').total.decoded == FRAMES


def test_all_models_are_compared_with_another_report(bag: Path, models: tuple[Path, Path]) -> None:
    old = bag.parent / 'old'
    assert main([str(bag), '--model', str(models[0]), '--output', str(old)]) == 0
    assert run(bag, *models, arguments=('--against', str(old))) == 0
    for name in ('confused_model', 'seeing_model'):
        assert read_comparison(bag.parent / 'out' / name).against.folder == str(old)


def test_models_that_cannot_be_compared_are_refused_before_the_work(
    bag: Path, models: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (bag.parent / 'other').mkdir()
    other = write_tiny_model(bag.parent / 'other', label_set=SMALL_SET)
    missing = bag.parent / 'none.onnx'
    for wrong, told in ((other, 'same label set'), (missing, 'none.onnx'), (models[0], 'twice')):
        assert run(bag, models[0], wrong) == 1
        assert told in capsys.readouterr().err
        assert not (bag.parent / 'out').exists()
    assert run(bag, models[0]) == 0
    assert run(bag, *models) == 1
    assert 'of a single model' in capsys.readouterr().err


def test_truth_is_not_needed(bag: Path, models: tuple[Path, Path]) -> None:
    assert run(bag, *models, arguments=('--ground-truth', 'none')) == 0
    text = ReadPage((bag.parent / 'out' / 'report.html').read_text()).text
    assert '–' in text
