# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import numpy_helper

from tests.bags.blue_drive import CAR, IMAGE_TYPE, SKY, blue_image, blue_rows, horizon, truth_row
from tests.bags.small_drive import T, header, stamp_of, write_rows
from tests.fakes.tiny_model import tiny_graph, write_tiny_model
from upsnet_ros.core.overlay import draw_overlay
from upsnet_ros.evaluation.compare import main as compare
from upsnet_ros.evaluation.compared_pictures import compared_picture
from upsnet_ros.evaluation.comparison import Comparison, read_comparison
from upsnet_ros.evaluation.replay import main as replay
from upsnet_ros.evaluation.replay_report import read_report, write_report
from upsnet_ros.pipeline import PanopticPipeline

FRAMES = 4
TERRAIN = 9
KINDS = ['against', 'image', 'this', 'truth']


def truth_of(index: int) -> np.ndarray:
    labels = np.full((64, 96), 0, np.uint16)
    labels[: horizon(index)] = SKY << 8
    labels[12:44, 8:40] = CAR << 8 | 1
    return labels


def confused_model(folder: Path) -> Path:
    """The tiny model that calls the sky terrain."""
    folder.mkdir()
    graph = tiny_graph()
    for constant in graph.graph.initializer:
        if constant.name == 'class_ids':
            values = numpy_helper.to_array(constant).copy()
            values[:, [TERRAIN, SKY]] = values[:, [SKY, TERRAIN]]
            constant.CopyFrom(numpy_helper.from_array(values, 'class_ids'))
    return write_tiny_model(folder, graph)


@pytest.fixture(scope='module')
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reports `new` of a model that knows the sky and `old` of one that does not, two cameras."""
    tmp_path = tmp_path_factory.mktemp('originals')
    rows = []
    for camera in ('front', 'rear'):
        rows += blue_rows(FRAMES, camera=camera)
        rows += [truth_row(index, truth_of(index), camera=camera) for index in range(FRAMES)]
    bag = write_rows(tmp_path / 'bag', rows)
    seeing = tmp_path / 'seeing'
    seeing.mkdir()
    models = {'new': write_tiny_model(seeing), 'old': confused_model(tmp_path / 'confused')}
    for name, model in models.items():
        arguments = [str(bag), '--model', str(model), '--output', str(tmp_path / name)]
        assert replay([*arguments, '--threads', '1']) == 0
    return tmp_path


@pytest.fixture
def evaluated(tmp_path: Path, originals: Path) -> tuple[Path, Path]:
    """Copies of both reports, and of their models."""
    for name in ('new', 'old'):
        shutil.copytree(originals / name, tmp_path / name)
        report = read_report(tmp_path / name)
        model = Path(report.model.path)
        shutil.copytree(model.parent, tmp_path / f'{name}_model')
        path = str(tmp_path / f'{name}_model' / model.name)
        write_report(replace(report, model=replace(report.model, path=path)), tmp_path / name)
    return tmp_path / 'new', tmp_path / 'old'


def compared(this: Path, against: Path, *arguments: str) -> Comparison:
    words = [str(this), '--against', str(against), '--output', str(this), '--resamples', '20']
    assert compare([*words, *arguments]) == 0
    return read_comparison(this)


def kinds_in(folder: Path) -> set[str]:
    return {path.stem.split('_')[-1] for path in (folder / 'compared').iterdir()}


def test_both_labels_of_the_frames_that_moved_are_side_by_side(evaluated, capsys) -> None:
    this, against = evaluated
    compared(this, against, '--no-pictures')  # only what the reports have of the frames
    worst = {str(f.stamp_ns) for folder in evaluated for f in read_report(folder).worst}
    shown = {path.stem.split('_')[-2] for path in (this / 'compared').iterdir()}
    assert shown and shown <= worst and len(worst) < FRAMES
    comparison = compared(this, against, '--frames', '3')
    assert len(comparison.better) == 3 and comparison.worse == ()
    assert 'Note' not in capsys.readouterr().out
    files = sorted((this / 'compared').iterdir())
    assert len(files) == 3 * len(KINDS)
    page = (this / 'comparison.html').read_text(encoding='utf-8')
    for caption in ('camera', 'labels of the other', 'labels of this', 'ground truth'):
        assert page.count(f'<figcaption>{caption}</figcaption>') == 3
    compared(this, against, '--frames', '1')  # pictures of an earlier comparison go
    assert len(list((this / 'compared').iterdir())) == len(KINDS)
    turned = compared(against, this)
    assert turned.better == () and len(turned.worse) == 6
    assert 'Frames that got worse most' in (against / 'comparison.html').read_text()


def test_the_pictures_show_the_labels_of_each_model(evaluated) -> None:
    this, against = evaluated
    (frame,) = compared(this, against, '--frames', '1').better
    index = [stamp_of(i) for i in range(FRAMES)].index(frame.stamp_ns)
    pictures = {
        kind: cv2.imread(str(compared_picture(this, frame.camera, frame.stamp_ns, kind)))
        for kind in KINDS
    }
    for folder, kind in ((this, 'this'), (against, 'against')):
        with PanopticPipeline.load(read_report(folder).model.path, num_threads=1) as pipeline:
            image = pictures['image']
            labels = pipeline.process(blue_image(index)).panoptic.label_image
            expected = draw_overlay(image, labels, pipeline.label_set)
        assert np.abs(pictures[kind].astype(int) - expected).mean() < 6
    difference = np.abs(pictures['this'].astype(int) - pictures['against'])
    assert difference[:8].mean() > 20  # the sky
    assert difference[-8:].mean() < 6  # the road


def test_labels_that_come_out_otherwise_are_not_shown(evaluated, capsys) -> None:
    this, against = evaluated
    lines = (against / 'frames.jsonl').read_text()
    (against / 'frames.jsonl').write_text(re.sub('"pq":[0-9.]+', '"pq":12.5', lines))
    shutil.rmtree(against / 'worst')
    compared(this, against, '--frames', '2')
    assert '2 frames of' in capsys.readouterr().out
    assert kinds_in(this) == {'image', 'this', 'truth'}


def test_what_cannot_be_labelled_again_is_told_and_the_rest_is_shown(evaluated, capsys) -> None:
    this, against = evaluated
    report = read_report(against)
    shutil.rmtree(against / 'worst')

    def told(**changes: object) -> str:
        write_report(replace(report, **changes), against)
        compared(this, against, '--frames', '1')
        assert kinds_in(this) == {'image', 'this', 'truth'}
        return capsys.readouterr().out

    assert 'was played live' in told(kind='live')
    assert "'cameras'" in told(options={})
    models = [Path(read_report(folder).model.path) for folder in evaluated]
    for suffix in ('.onnx', '.json'):
        shutil.copy(models[0].with_suffix(suffix), models[1].with_suffix(suffix))
    assert 'is another model now' in told()
    shutil.rmtree(models[1].parent)
    assert f'Note: no labels of {against} in pictures' in told()


def test_the_replay_command_compares_in_the_same_run(evaluated) -> None:
    this, against = evaluated
    report = read_report(this)
    arguments = [report.bag.path, '--model', report.model.path, '--output', str(this)]
    assert replay([*arguments, '--threads', '1', '--against', str(against)]) == 0
    page = (this / 'report.html').read_text(encoding='utf-8')
    assert page.count('<figcaption>labels of the other</figcaption>') == 6


def test_frames_are_labelled_again_at_the_size_at_which_they_were_decoded(
    tmp_path: Path, capsys
) -> None:
    rng, rows = np.random.default_rng(0), []
    for index in range(FRAMES):
        # Dark dots: where the picture is decoded smaller, they touch more of its pixels.
        grey = np.where(rng.random((256, 384)) < 0.95, SKY, 0).astype(np.uint8)
        data = cv2.imencode('.jpg', grey, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].ravel()
        message = T[IMAGE_TYPE](header(stamp_of(index)), 'jpeg', data)
        rows.append(('/camera/image_raw/compressed', IMAGE_TYPE, stamp_of(index), message))
        rows.append(truth_row(index, np.full((256, 384), SKY << 8, np.uint16)))
    bag = write_rows(tmp_path / 'bag', rows)
    (tmp_path / 'model').mkdir()
    model = write_tiny_model(tmp_path / 'model')
    for name, options in (('whole', []), ('reduced', ['--reduce-jpeg'])):
        output = ['--output', str(tmp_path / name), '--threads', '1']
        assert replay([str(bag), '--model', str(model), *output, *options]) == 0
    comparison = compared(tmp_path / 'reduced', tmp_path / 'whole')
    assert len(comparison.worse) == FRAMES
    assert 'come out otherwise' not in capsys.readouterr().out
