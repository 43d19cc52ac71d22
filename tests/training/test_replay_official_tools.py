# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluated replay measures and writes, against the official Cityscapes evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cityscapesscripts.evaluation.evalPanopticSemanticLabeling import evaluatePanoptic

from tests.fakes.label_images import disturbed, random_label_image
from upsnet_ros.core.labels import INSTANCE_BITS, cityscapes_label_set
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.label_files import PanopticFiles, frame_name

LABELS = cityscapes_label_set()


def pairs(count: int, *, crowd: float = 0.0) -> list[tuple[np.ndarray, np.ndarray]]:
    """Predicted label images with unknown pixels, and their truth with void."""
    rng = np.random.default_rng(7)
    found = []
    for _ in range(count):
        truth = random_label_image(rng, LABELS, (48, 80), crowd=crowd)
        found.append((disturbed(rng, truth, LABELS, noise=0.02, shift=1), truth))
    return found


def test_written_labels_have_the_same_quality_in_the_official_evaluation(tmp_path: Path) -> None:
    quality = PanopticQuality(LABELS)
    folders = {name: tmp_path / name for name in ('predicted', 'truth')}
    images = pairs(4)
    for name, which in (('predicted', 0), ('truth', 1)):
        with PanopticFiles(folders[name], LABELS, restart=True) as files:
            for number, pair in enumerate(images):
                files.add(frame_name('rig/front', number), pair[which])
            files.finish()
    for predicted, truth in images:
        quality.update(predicted, truth)
    official = evaluatePanoptic(
        str(folders['truth'] / 'panoptic.json'),
        str(folders['truth'] / 'panoptic'),
        str(folders['predicted'] / 'panoptic.json'),
        str(folders['predicted'] / 'panoptic'),
        str(tmp_path / 'results.json'),
    )
    summary = quality.summary()
    for name, group in (
        ('All', summary.all),
        ('Things', summary.things),
        ('Stuff', summary.stuff),
    ):
        assert 100 * official[name]['pq'] == pytest.approx(group.pq) and 0 < group.pq < 100


def test_segments_are_told_with_area_and_box(tmp_path: Path) -> None:
    labels = np.full((6, 9), 10 << INSTANCE_BITS, np.uint16)
    labels[2:5, 3:8] = (13 << INSTANCE_BITS) + 2
    labels[5] = 65535
    with PanopticFiles(tmp_path, LABELS, restart=True) as files:
        files.add(frame_name('front', 5), labels)
        path = files.finish()
    content = json.loads(path.read_text())
    assert content['images'] == [
        {'id': 'front_5', 'file_name': 'front_5.png', 'width': 9, 'height': 6}
    ]
    (annotation,) = content['annotations']
    sky, car = annotation['segments_info']
    assert (sky['category_id'], sky['area'], sky['bbox']) == (23, 30, [0, 0, 9, 5])
    assert (car['category_id'], car['area'], car['bbox']) == (26, 15, [3, 2, 5, 3])


def test_an_interrupted_run_goes_on_with_its_annotations(tmp_path: Path) -> None:
    labels = np.zeros((2, 2), np.uint16)
    with PanopticFiles(tmp_path, LABELS, restart=True) as files:
        files.add(frame_name('front', 1), labels)
    with (tmp_path / 'panoptic.jsonl').open('a') as lines:
        lines.write('{"image_id":"front_2"')  # cut off
    with PanopticFiles(tmp_path, LABELS, restart=False) as files:
        for stamp in (1, 2):  # the first was written, but not yet counted as done
            files.add(frame_name('front', stamp), labels)
        content = json.loads(files.finish().read_text())
    assert [a['image_id'] for a in content['annotations']] == ['front_1', 'front_2']
    with PanopticFiles(tmp_path, LABELS, restart=True) as files:
        assert json.loads(files.finish().read_text())['annotations'] == []
