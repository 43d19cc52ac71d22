# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files of submissions: what is in them, and what is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from tests.fakes.label_images import random_label_image
from training.data.coco_panoptic import CocoPanopticReader
from training.data.errors import DataError
from training.data.frames import Frame
from training.evaluation.cityscapes_submission import CityscapesSubmission
from training.evaluation.frame_record import Detection
from training.evaluation.panoptic_submission import PanopticSubmission, SubmittedImage
from training.label_sets import find_label_set
from upsnet_ros.core.errors import ImageError, LabelError
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet, cityscapes_label_set, encode_label

CITYSCAPES, COCO = cityscapes_label_set(), find_label_set('coco')
NAME = 'town_000003_000000'
CAR, ROAD = 13, 0


def image(name: str, image_id: int | str = 7) -> SubmittedImage:
    return SubmittedImage(name, image_id, f'{name}.jpg')


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def test_segments_by_hand(tmp_path: Path) -> None:
    first, second = encode_label(CAR, 1), encode_label(CAR, 2)
    one = {'category_id': 26, 'area': 3, 'iscrowd': 0}
    labels = np.array([[ROAD, first, first], [ROAD, first, UNKNOWN_LABEL], [second] * 3])
    submission = PanopticSubmission(tmp_path, CITYSCAPES)
    submission.write(NAME, labels.astype(np.uint16))
    content = read(submission.finish([image(NAME, NAME)]))
    assert content['images'] == [{'id': NAME, 'file_name': f'{NAME}.jpg', 'width': 3, 'height': 3}]
    assert content['annotations'] == [
        {
            'image_id': NAME,
            'file_name': f'{NAME}.png',
            'segments_info': [
                {'id': 1, 'category_id': 7, 'area': 2, 'bbox': [0, 0, 1, 2], 'iscrowd': 0},
                one | {'id': first + 1, 'bbox': [1, 0, 2, 2]},
                one | {'id': second + 1, 'bbox': [0, 2, 3, 1]},
            ],
        }
    ]
    assert len(content['categories']) == 19
    road = {'id': 7, 'name': 'road', 'isthing': 0, 'color': [128, 64, 128]}
    assert content['categories'][0] == road
    pixels = np.array(Image.open(tmp_path / 'panoptic' / f'{NAME}.png')).astype(int)
    ids = pixels @ [1, 256, 65536]
    assert ids.tolist() == np.where(labels == UNKNOWN_LABEL, 0, labels + 1).tolist()


@pytest.mark.parametrize('label_set', [CITYSCAPES, COCO], ids=['cityscapes', 'coco'])
def test_the_data_set_reader_reads_it_back(label_set: LabelSet, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    written = {
        'a': random_label_image(rng, label_set, (40, 60), cells=12, crowd=0),
        'sub/b': random_label_image(rng, label_set, (1, 1), cells=1, unknown=0, crowd=0),
        'sub/c': np.full((5, 4), UNKNOWN_LABEL, np.uint16),
    }
    submission = PanopticSubmission(tmp_path / 'annotations', label_set)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(submission.write, written, written.values()))
    submission.finish([image(name, number) for number, name in enumerate(written)])
    for name in ('panoptic', 'panoptic.json'):
        (tmp_path / 'annotations' / name).rename(
            tmp_path / 'annotations' / name.replace('panoptic', 'panoptic_val')
        )
    reader = CocoPanopticReader(tmp_path, label_set)
    frames = reader.frames('val')
    assert [frame.name for frame in frames] == list(written)
    for frame in frames:
        labels, expected = reader.read_label_image(frame), written[frame.name]
        pairs = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
        assert len(set(pairs[0])) == len(set(pairs[1])) == pairs.shape[1]  # the same segments
        assert (labels >> 8 == expected >> 8).all()


def test_an_interrupted_submission_goes_on(tmp_path: Path) -> None:
    labels = np.full((2, 2), ROAD, np.uint16)
    PanopticSubmission(tmp_path, CITYSCAPES).write('a', labels)
    later = PanopticSubmission(tmp_path, CITYSCAPES)
    later.write('b', labels)
    content = read(later.finish([image('a', 1), image('b', 2)]))
    assert [len(entry['segments_info']) for entry in content['annotations']] == [1, 1]


def test_frames_tell_their_file() -> None:
    files = Path('x/y_leftImg8bit.png'), Path('y.png')
    assert SubmittedImage.of(Frame('y', *files)) == SubmittedImage('y', 'y', 'y_leftImg8bit.png')
    nested = Frame('a/000000000139', Path('val/a/000000000139.jpg'), Path('p.png'))
    assert SubmittedImage.of(nested).file_name == 'a/000000000139.jpg'


@pytest.mark.parametrize('name', ['../x', 'a/../../x', '/x', 'a\0b'])
def test_names_that_lead_out_of_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    submission = PanopticSubmission(tmp_path / 'inside', CITYSCAPES)
    with pytest.raises(DataError, match='leads out of'):
        submission.write(name, np.zeros((2, 2), np.uint16))
    assert not list(tmp_path.iterdir())


def test_a_submission_that_cannot_be_finished_names_the_file(tmp_path: Path) -> None:
    submission = PanopticSubmission(tmp_path, CITYSCAPES)
    with pytest.raises(ImageError, match=r'missing\.png: cannot be read'):
        submission.finish([image('missing')])
    PanopticSubmission(tmp_path, COCO).write('a', np.full((2, 2), 100 << 8, np.uint16))
    with pytest.raises(DataError, match=r"a\.png: the segment 25601 is of no class of 'citysc"):
        submission.finish([image('a')])
    submission.write('a', np.zeros((2, 2), np.uint16))
    with pytest.raises(DataError, match=r'image id 7 of a is there twice'):
        submission.finish([image('a'), image('a')])
    with pytest.raises(LabelError, match='a: label image of shape .* int64'):
        submission.write('a', np.zeros((2, 2), np.int64))


def detection(mask: np.ndarray, *, score: float = 0.5, class_id: int = CAR) -> Detection:
    lengths = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return Detection(
        class_id, score, (0, 0, 1, 1), lengths | {'counts': lengths['counts'].decode()}
    )


def test_semantic_files_hold_label_ids(tmp_path: Path) -> None:
    classes = np.array([[0, 13, 18], [10, 255, 2]], np.uint8)
    CityscapesSubmission(tmp_path, CITYSCAPES).write_semantic(NAME, classes)
    pixels = cv2.imread(str(tmp_path / 'semantic' / f'{NAME}.png'), cv2.IMREAD_UNCHANGED)
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == [[7, 26, 33], [23, 0, 11]]


@pytest.mark.parametrize('size', [(1, 1), (1, 9), (9, 1), (37, 53)])
def test_masks_are_the_pixels_of_the_detections(size: tuple[int, int], tmp_path: Path) -> None:
    masks = [np.random.default_rng(seed).random(size) < 0.6 for seed in range(3)]
    masks += [np.ones(size, bool), np.zeros(size, bool)]
    found = [detection(mask, score=1 / (n + 3)) for n, mask in enumerate(masks)]
    CityscapesSubmission(tmp_path, CITYSCAPES).write_instances(NAME, found)
    lines = (tmp_path / 'instances' / f'{NAME}.txt').read_text().splitlines()
    expected = [n for n, mask in enumerate(masks) if mask.any()]  # without those of no pixel
    assert len(lines) == len(expected)
    for number, line in zip(expected, lines, strict=True):
        path, label_id, score = line.split(' ')
        assert path == f'masks/{NAME}_{number}.png'
        assert (label_id, float(score)) == ('26', found[number].score)
        pixels = np.array(Image.open(tmp_path / 'instances' / path).convert('L'))
        assert ((pixels != 0) == masks[number]).all()


def test_a_frame_without_detections_has_an_empty_file(tmp_path: Path) -> None:
    CityscapesSubmission(tmp_path, CITYSCAPES).write_instances(NAME, ())
    assert (tmp_path / 'instances' / f'{NAME}.txt').read_text() == ''


@pytest.mark.parametrize('name', ['x', 'a_b', 'a_b_c d', '../a_b_c', 'a_b_c/d', 'a_b_c_d'])
def test_names_that_the_tools_do_not_find_are_refused(name: str, tmp_path: Path) -> None:
    submission = CityscapesSubmission(tmp_path, CITYSCAPES)
    with pytest.raises(DataError, match='expected CITY_SEQUENCE_FRAME'):
        submission.write_semantic(name, np.zeros((2, 2), np.uint8))
    with pytest.raises(DataError, match='expected CITY_SEQUENCE_FRAME'):
        submission.write_instances(name, ())
    assert not list(tmp_path.iterdir())
