# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The measure on real frames: which frames it looks at, and what it counts."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from benchmarks import real_frames
from benchmarks.model_parts.real_street import CHOOSE, Mapping, RealFramesError
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.pipeline import PanopticPipeline

CAMVID = Mapping.load(real_frames.MAPPING)
MODEL_ID = {entry.name: entry.train_id for entry in cityscapes_label_set().classes}


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise under labels of every class and void, two recordings."""
    folder = tmp_path_factory.mktemp('camvid')
    rng = np.random.default_rng(0)
    for name in ('images', 'labels'):
        (folder / name).mkdir()
    for name in ('0006R0_1', '0006R0_2', '0016E5_1'):
        labels = np.repeat(np.arange(12, dtype=np.uint8), 10)[None].repeat(90, 0)
        image = rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / 'images' / f'{name}.jpg'), image)
        cv2.imwrite(str(folder / 'labels' / f'{name}.png'), labels)
    return folder


def test_every_class_of_the_shipped_model_stands_for_one_of_camvid() -> None:
    table = CAMVID.model_table(cityscapes_label_set())
    names = [entry.name for entry in CAMVID.label_set.classes]
    for model, own in (('sidewalk', 'pavement'), ('terrain', 'tree'), ('bus', 'car')):
        assert names[table[MODEL_ID[model]]] == own
    assert sorted(set(table[: len(MODEL_ID)].tolist())) == list(range(len(names)))
    assert (table[len(MODEL_ID) :] == 255).all()


@pytest.mark.parametrize(
    ('share', 'names'),
    [
        ('choose', ['0006R0_1', '0006R0_2']),
        ('rest', ['0016E5_1']),
        ('all', ['0006R0_1', '0006R0_2', '0016E5_1']),
    ],
)
def test_a_share_has_whole_recordings(data: Path, share: str, names: list[str]) -> None:
    assert [frame.name for frame in CAMVID.frames(data, share)] == names


def test_figures_are_those_of_every_pixel_by_hand(data: Path, tmp_path: Path) -> None:
    output, sheet = tmp_path / 'real.json', tmp_path / 'real.jpg'
    arguments = ['--data', str(data), '--output', str(output), '--sheet', str(sheet)]
    assert real_frames.main([*arguments, '--backend', 'onnxruntime', '--precision', 'fp32']) == 0
    found = json.loads(output.read_text())
    hits, union, unknown, judged = np.zeros(11), np.zeros(11), 0, 0
    names = [entry.name for entry in CAMVID.label_set.classes]
    with PanopticPipeline.load(real_frames.MODEL, backend='onnxruntime') as pipeline:
        for name in ('0006R0_1', '0006R0_2'):
            image = cv2.imread(str(data / 'images' / f'{name}.jpg'))
            truth = cv2.imread(str(data / 'labels' / f'{name}.png'), cv2.IMREAD_UNCHANGED)
            labels = pipeline.process(image).panoptic.label_image
            given = np.full(labels.shape, 99)
            for own, classes in enumerate(CAMVID.model_classes):
                ids = [MODEL_ID[entry] for entry in classes]
                given[np.isin(labels >> 8, ids)] = own
            given[truth == 11] = 98
            unknown, judged = unknown + (given == 99).sum(), judged + (truth != 11).sum()
            for own in range(11):
                hits[own] += ((given == own) & (truth == own)).sum()
                union[own] += ((given == own) | (truth == own)).sum()
    assert found['frames'] == 2
    assert [found['iou'][name] for name in names] == pytest.approx(100 * hits / union)
    assert found['miou'] == pytest.approx(100 * (hits / union).mean())
    assert found['unknown_percent'] == pytest.approx(100 * unknown / judged)
    assert cv2.imread(str(sheet)).shape == (2 * 242, 4 * 320, 3)


def test_a_value_of_no_class_is_refused(data: Path, tmp_path: Path) -> None:
    frame = CAMVID.frames(data, CHOOSE)[0]
    path = tmp_path / 'labels.png'
    cv2.imwrite(str(path), np.full((90, 120), 12, np.uint8))
    with pytest.raises(RealFramesError, match=r'holds \[12\]'):
        CAMVID.read(type(frame)(frame.name, frame.image, path))


def test_a_folder_without_such_frames_ends_the_command(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        real_frames.main(['--data', str(tmp_path)])
    assert 'no frames' in capsys.readouterr().err


def test_a_mapping_that_lacks_a_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'mapping.yaml'
    path.write_text('name: own\nvoid: 255\n')
    with pytest.raises(RealFramesError, match='KeyError'):
        Mapping.load(path)


def test_a_mapping_of_classes_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'mapping.yaml'
    path.write_text(real_frames.MAPPING.read_text().replace('[sky]', '[heaven]'))
    with pytest.raises(RealFramesError, match='heaven'):
        Mapping.load(path).model_table(cityscapes_label_set())
