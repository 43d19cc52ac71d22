# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What docs/data_sets.md promises: its examples of files are read."""

import json
import re
from pathlib import Path

import cv2
import numpy as np

from tests.fakes.panoptic_data import write_ids
from training import data_check

DOCUMENT = Path(__file__).parents[2] / 'docs' / 'data_sets.md'


def blocks(language: str) -> list[str]:
    return re.findall(rf'^```{language}\n(.*?)^```', DOCUMENT.read_text(), re.M | re.S)


def test_the_example_of_an_own_data_set_is_read(tmp_path: Path) -> None:
    root = tmp_path / 'mine'
    ids = np.array([[7, 7, 300, 300], [7, 7, 300, 0]], np.uint32)
    pngs = root / 'annotations' / 'panoptic_train'
    for folder in (pngs, root / 'train'):
        folder.mkdir(parents=True)
    write_ids(pngs / '0001.png', ids)
    cv2.imwrite(str(root / 'train' / '0001.jpg'), np.zeros((2, 4, 3), np.uint8))
    (json_text,), (yaml_text,) = blocks('json'), blocks('yaml')
    (root / 'annotations' / 'panoptic_train.json').write_text(json_text)
    (root / 'classes.yaml').write_text(yaml_text)
    output = tmp_path / 'out'
    options = ['--data', str(root), '--label-set', str(root / 'classes.yaml')]
    assert data_check.main([*options, '--output', str(output)]) == 0
    train = json.loads((output / 'data_check.json').read_text())['splits']['train']
    assert [(entry['name'], entry['pixels']) for entry in train['classes']] == [
        ('road', 4), ('car', 3)
    ]  # fmt: skip
    assert (train['objects'], train['remarks']) == (1, ['1 of a single colour: 0001'])
