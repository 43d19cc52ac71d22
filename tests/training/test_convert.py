# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Truth in the encodings in which data sets are published, converted and read again."""

import json
import logging
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_masks

from tests.fakes.panoptic_data import write_ids
from training.convert import writing
from training.convert.__main__ import main
from training.data.coco_panoptic import CocoPanopticReader
from training.label_sets import read_label_set
from upsnet_ros.core.labels import UNKNOWN_LABEL

SIZE = (24, 40)  # height, width
CLASSES = """\
name: mine
classes:
  - {dataset_id: 7, name: road, is_thing: false, colour: [128, 64, 128]}
  - {dataset_id: 92, name: banner, is_thing: false, colour: [1, 2, 3]}
  - {dataset_id: 1, name: person, is_thing: true, colour: [220, 20, 60]}
  - {dataset_id: 3, name: car, is_thing: true, colour: [0, 0, 142]}
"""
ROAD, BANNER, PERSON, CAR = (index << 8 for index in range(4))  # labels of `CLASSES`


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the check writes to out/
    Path('mine.yaml').write_text(CLASSES)


def image(path: str, size: tuple[int, int] = SIZE) -> None:
    file = Path(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
    cv2.imwrite(str(file), pixels)


def png(path: str, pixels: np.ndarray) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def run(kind: str, *options: str, code: int = 0) -> None:
    assert main([kind, '--output', 'new', '--workers', '2', *options]) == code


def result(split: str = 'train') -> dict[str, np.ndarray]:
    """The label images of a converted split by the names of its frames."""
    reader = CocoPanopticReader(Path('new'), read_label_set(Path('new/classes.yaml')))
    frames = reader.frames(split)
    for frame in frames:
        assert reader.read_image(frame).shape[:2] == frame.size
    return {frame.name: reader.read_label_image(frame) for frame in frames}


def segments(split: str = 'train') -> list[list[dict[str, Any]]]:
    content = json.loads(Path(f'new/annotations/panoptic_{split}.json').read_text())
    return [entry['segments_info'] for entry in content['annotations']]


def assert_nothing_in_place() -> None:
    assert not Path('new/train').exists()
    assert not Path('new/annotations').exists()
    assert not Path('new/classes.yaml').exists()


# Each format.


def test_kitti_instances_hold_the_label_id_above_and_the_number_below() -> None:
    ids = np.full(SIZE, 7 << 8, np.uint16)  # road without a number
    ids[:4] = 11 << 8 | 3  # a building with a number stays stuff
    ids[10:14, 2:8], ids[10:14, 20:30] = 26 << 8 | 1, 26 << 8 | 2
    ids[16:18, 2:8] = 24 << 8  # persons that are not told apart
    ids[20:] = 3 << 8  # out of the region of interest: no trained class
    image('k/image_2/000000_10.png')
    png('k/instance/000000_10.png', ids)
    run('kitti', '--images', 'k/image_2', '--truth', 'k/instance')
    (labels,) = result().values()
    want = np.zeros(SIZE, np.uint16)  # road
    want[:4] = 2 << 8
    want[10:14, 2:8], want[10:14, 20:30], want[16:18, 2:8] = 13 << 8 | 1, 13 << 8 | 2, 11 << 8
    want[20:] = UNKNOWN_LABEL
    np.testing.assert_array_equal(labels, want)
    (found,) = segments()
    cars = [entry for entry in found if entry['category_id'] == 26]
    assert [(e['bbox'], e['area'], e['iscrowd']) for e in cars] == [
        ([2, 10, 6, 4], 24, 0), ([20, 10, 10, 4], 40, 0)
    ]  # fmt: skip
    assert [entry['iscrowd'] for entry in found if entry['category_id'] == 24] == [1]


def bitmask(*regions: tuple[tuple[slice, slice], int, int, int]) -> np.ndarray:
    pixels = np.zeros((*SIZE, 4), np.uint8)
    for where, category, attributes, number in regions:
        pixels[where] = category, attributes, number >> 8, number & 255
    return pixels


ALL = slice(None)
ONE, TWO, THREE = ((slice(4, 9), slice(x, x + 6)) for x in (2, 12, 22))


def test_bdd100k_panoptic_bitmasks_keep_their_numbers_in_blue_and_alpha() -> None:
    truncated, crowd, ignore = 8, 2, 1
    pixels = bitmask(
        ((ALL, ALL), 7, 0, 1),  # road
        (ONE, 35, truncated, 2),
        (TWO, 35, 0, 258),  # the same lower byte as the first
        (THREE, 31, crowd, 4),
        ((slice(15, 17), ALL), 35, ignore, 5),
        ((slice(17, 19), ALL), 0, 0, 0),
    )
    image('b/images/a.jpg')
    png('b/masks/a.png', pixels)
    run('bdd100k_panoptic', '--images', 'b/images', '--truth', 'b/masks')
    (labels,) = result().values()
    want = np.full(SIZE, 6 << 8, np.uint16)
    want[ONE], want[TWO], want[THREE] = 34 << 8 | 1, 34 << 8 | 2, 30 << 8
    want[15:19] = UNKNOWN_LABEL
    np.testing.assert_array_equal(labels, want)


def test_bdd100k_instances_lie_on_semantic_masks() -> None:
    pixels = bitmask((ONE, 3, 0, 1), (TWO, 1, 0, 2), (THREE, 8, 1, 3))
    maps = np.zeros(SIZE, np.uint8)  # road
    maps[ONE], maps[10:12], maps[20:] = 13, 13, 255  # the second car has no object
    image('b/images/a.jpg')
    png('b/masks/a.png', pixels)
    png('b/semantic/a.png', maps)
    options = ('--images', 'b/images', '--truth', 'b/masks')
    run('bdd100k_instances', *options, '--semantic', 'b/semantic')
    (labels,) = result().values()
    want = np.zeros(SIZE, np.uint16)
    want[ONE], want[TWO], want[THREE] = 13 << 8 | 1, 11 << 8 | 1, UNKNOWN_LABEL
    want[10:12] = want[20:] = UNKNOWN_LABEL
    np.testing.assert_array_equal(labels, want)
    run('bdd100k_instances', *options, '--output', 'things')
    things = read_label_set(Path('things/classes.yaml'))
    assert [entry.name for entry in things.classes] == [
        'person', 'rider', 'car', 'truck', 'bus', 'train', 'motorcycle', 'bicycle'
    ]  # fmt: skip


def test_mapillary_panoptic_is_read_by_its_json_file() -> None:
    ids = np.full(SIZE, 1, np.uint32)
    ids[ONE], ids[TWO], ids[20:] = 70000, 2, 0
    image('m/images/x_y-1.jpg')
    Path('m/v2.0/panoptic').mkdir(parents=True)
    write_ids(Path('m/v2.0/panoptic/x_y-1.png'), ids)
    content = {
        'images': [{'id': 'x_y-1', 'file_name': 'x_y-1.jpg', 'width': 40, 'height': 24}],
        'annotations': [
            {
                'image_id': 'x_y-1',
                'file_name': 'x_y-1.png',
                'segments_info': [
                    {'id': 1, 'category_id': 22, 'area': 1, 'bbox': [], 'iscrowd': 0},
                    {'id': 70000, 'category_id': 108, 'area': 1, 'bbox': [], 'iscrowd': 0},
                    {'id': 2, 'category_id': 108, 'area': 1, 'bbox': [], 'iscrowd': 1},
                ],
            }
        ],
        'categories': [
            {'id': 108, 'name': 'Car', 'isthing': 1, 'color': [0, 0, 142]},
            {'id': 22, 'name': 'Road', 'isthing': 0, 'color': [128, 64, 128]},
        ],
    }
    truth = Path('m/v2.0/panoptic/panoptic_2020.json')
    truth.write_text(json.dumps(content))
    run('mapillary', '--images', 'm/images', '--truth', str(truth))
    (labels,) = result().values()
    want = np.zeros(SIZE, np.uint16)
    want[ONE], want[TWO], want[20:] = 1 << 8 | 1, 1 << 8, UNKNOWN_LABEL
    np.testing.assert_array_equal(labels, want)
    classes = read_label_set(Path('new/classes.yaml')).classes
    assert [(c.dataset_id, c.name, c.is_thing, c.colour) for c in classes] == [
        (22, 'Road', False, (128, 64, 128)), (108, 'Car', True, (0, 0, 142))
    ]  # fmt: skip
    written = json.loads(Path('new/annotations/panoptic_train.json').read_text())
    assert written['images'][0]['id'] == 'x_y-1'


def coco(annotations: list[dict[str, Any]], maps: np.ndarray, **image_keys: Any) -> list[str]:
    """COCO instances of one image and its map of palette indices, as COCO publishes them."""
    image('c/images/000000000009.jpg')
    entry = {'id': 9, 'file_name': '000000000009.jpg', 'width': 40, 'height': 24} | image_keys
    names = [{'id': 1, 'name': 'person'}, {'id': 3, 'name': 'car'}]
    Path('c/instances.json').write_text(
        json.dumps({'images': [entry], 'annotations': annotations, 'categories': names})
    )
    Path('c/maps').mkdir(exist_ok=True)
    drawn = Image.fromarray(maps)
    drawn.putpalette(np.random.default_rng(2).integers(0, 256, 768).tolist())
    assert drawn.mode == 'P'
    drawn.save('c/maps/000000000009.png')
    options = ['--images', 'c/images', '--truth', 'c/instances.json', '--semantic', 'c/maps']
    return [*options, '--label-set', 'mine.yaml']


def annotation(category: int, segmentation: Any, *, crowd: int = 0) -> dict[str, Any]:
    return {
        'id': 5, 'image_id': 9, 'category_id': category, 'segmentation': segmentation,
        'iscrowd': crowd,
    }  # fmt: skip


def box(x1: int, y1: int, x2: int, y2: int) -> list[list[int]]:
    """A polygon around the pixels x1 to x2 - 1."""
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]


def run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """COCO's uncompressed run lengths, column by column, zeros first."""
    flat = mask.T.reshape(-1)
    edges = np.flatnonzero(np.diff(flat.astype(int), prepend=0)).tolist()
    counts = np.diff([0, *edges, flat.size]).tolist()
    return {'size': list(mask.shape), 'counts': counts}


def test_coco_objects_lie_on_the_map_the_smaller_above() -> None:
    maps = np.full(SIZE, 92, np.uint8)
    maps[20:], maps[16:18] = 0, 3  # unlabelled; car pixels without an object
    crowd = np.zeros(SIZE, bool)
    crowd[2:12, 0:30] = True
    compressed = coco_masks.encode(np.asfortranarray(np.pad([[1]], ((2, 21), (35, 4)))
                                                     .astype(np.uint8)))  # fmt: skip
    compressed['counts'] = compressed['counts'].decode()
    options = coco(
        [
            annotation(3, box(4, 4, 9, 8)),  # the small one first: it must not be hidden
            annotation(3, box(2, 3, 20, 10)),
            annotation(1, run_lengths(crowd), crowd=1),
            annotation(1, compressed),
        ],
        maps,
    )
    run('coco', *options)
    (labels,) = result().values()
    want = np.full(SIZE, BANNER, np.uint16)
    want[16:18] = want[20:] = UNKNOWN_LABEL
    want[crowd] = PERSON
    want[3:10, 2:20], want[4:8, 4:9] = CAR | 2, CAR | 1
    want[2, 35] = PERSON | 1
    # The objects' numbers are free, what they cover is not.
    np.testing.assert_array_equal(labels >> 8, want >> 8)
    pairs = np.unique(np.stack([labels.ravel(), want.ravel()]), axis=1).T.tolist()
    assert len(pairs) == len(np.unique(labels)) == len(np.unique(want))
    assert [label for label, wanted in pairs if wanted == PERSON] == [PERSON]


def test_coco_objects_that_others_cover_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    same = [annotation(3, box(4, 4, 9, 8)), annotation(1, box(4, 4, 9, 8)), annotation(1, [])]
    run('coco', *coco(same, np.full(SIZE, 7, np.uint8)))
    assert 'objects without pixels, or all covered by others: 2' in caplog.text
    assert sum(1 for entry in segments()[0] if entry['category_id'] != 7) == 1


def test_semantic_maps_alone_make_crowds_of_things(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    maps = np.full(SIZE, 6, np.uint16)
    maps[ONE], maps[TWO], maps[20:] = 2, 2, 299
    image('s/images/city/a.jpg')
    png('s/maps/city/a.png', maps)
    options = ('--images', 's/images', '--truth', 's/maps', '--label-set', 'mine.yaml')
    run('semantic', *options, '--offset', '1', '--copy')
    (labels,) = result().values()
    want = np.full(SIZE, ROAD, np.uint16)
    want[ONE], want[TWO], want[20:] = CAR, CAR, UNKNOWN_LABEL
    np.testing.assert_array_equal(labels, want)
    assert 'became crowds; pictures: car in 1' in caplog.text
    assert 'void: 300 (160 pixels)' in caplog.text
    copied = Path('new/train/city/a.jpg')
    assert not copied.is_symlink()
    assert copied.read_bytes() == Path('s/images/city/a.jpg').read_bytes()


def test_a_label_set_of_the_categories_of_a_file(caplog: pytest.LogCaptureFixture) -> None:
    entries = [{'id': 3, 'name': 'car: red', 'isthing': 1}, {'id': 0, 'name': 'no', 'isthing': 0}]
    Path('x.json').write_text(json.dumps({'categories': entries}))
    assert main(['label_set', '--truth', 'x.json', '--output', 'x.yaml']) == 0
    classes = read_label_set(Path('x.yaml')).classes
    assert [(c.dataset_id, c.name, c.is_thing) for c in classes] == [
        (0, 'no', False), (3, 'car: red', True)
    ]  # fmt: skip
    assert main(['label_set', '--truth', 'x.json', '--output', 'x.yaml']) == 2  # is there already
    entries[1]['isthing'] = 'yes'
    Path('x.json').write_text(json.dumps({'categories': entries}))
    assert main(['label_set', '--truth', 'x.json', '--output', 'y.yaml']) == 2
    assert "isthing of category 0 ('no') is 'yes', expected 0 or 1" in caplog.text
    assert not Path('y.yaml').exists()


# What goes wrong.

SEMANTIC = ('--images', 's/images', '--truth', 's/maps', '--label-set', 'mine.yaml')


def two_maps() -> None:
    for name in 'ab':
        image(f's/images/{name}.png')
        png(f's/maps/{name}.png', np.full(SIZE, 7, np.uint8))


def break_size() -> None:
    image('s/images/b.png', (24, 41))


def break_truth() -> None:
    path = Path('s/maps/b.png')
    path.write_bytes(path.read_bytes()[:60])


def break_twice() -> None:
    image('s/images/b.jpg')


def break_image() -> None:
    Path('s/images/b.png').unlink()


def break_colours() -> None:
    png('s/maps/b.png', np.zeros((*SIZE, 3), np.uint8))


@pytest.mark.parametrize(
    ('harm', 'told'),
    [
        (break_size, 'b.png is 41x24 pixels, but s/maps/b.png 40x24'),
        (break_truth, 's/maps/b.png: not a readable single-channel PNG'),
        (break_twice, 'are images of one truth s/maps/b.png; remove all but one'),
        (break_image, 's/images/b.*: no such image'),
        (break_colours, 's/maps/b.png: a PNG of 8 bits with RGB'),
    ],
)
def test_a_broken_picture_is_named_and_nothing_put_in_place(
    harm: Any, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    two_maps()
    harm()
    run('semantic', *SEMANTIC, code=1)
    assert told in caplog.text
    assert '1 problem' in caplog.text
    assert 'Traceback' not in caplog.text
    assert_nothing_in_place()
    run('semantic', *SEMANTIC, '--skip-bad')
    assert list(result()) == ['a']


def test_a_broken_conversion_goes_on_and_equals_an_unbroken_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two_maps()
    png('s/maps/a.png', np.full(SIZE, 92, np.uint8))
    run('semantic', *SEMANTIC, '--output', 'whole')
    read, calls = writing.number_segments, []

    def full_disk(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise OSError(28, 'No space left on device')
        return read(*given)

    monkeypatch.setattr(writing, 'number_segments', full_disk)
    run('semantic', *SEMANTIC, '--workers', '1', code=2)
    assert_nothing_in_place()
    run('semantic', *SEMANTIC, '--workers', '1')
    assert len(calls) == 3  # the first picture was not read again
    assert not list(Path('new').glob('.*'))
    for file in Path('whole').rglob('*'):
        if file.is_file():
            assert (Path('new') / file.relative_to('whole')).read_bytes() == file.read_bytes()


def test_a_changed_picture_is_read_again() -> None:
    two_maps()
    break_image()
    run('semantic', *SEMANTIC, code=1)
    png('s/maps/a.png', np.full(SIZE, 92, np.uint8))
    image('s/images/b.png')
    run('semantic', *SEMANTIC)
    assert [int(labels[0, 0]) for labels in result().values()] == [BANNER, ROAD]


def test_what_is_there_is_never_written_over(caplog: pytest.LogCaptureFixture) -> None:
    two_maps()
    run('semantic', *SEMANTIC)
    before = Path('new/annotations/panoptic_train.json').read_bytes()
    run('semantic', *SEMANTIC, code=2)
    assert 'new/train is there already' in caplog.text
    run('semantic', *SEMANTIC, '--split', 'val')  # beside it
    assert sorted(result('val')) == ['a', 'b']
    run('kitti', *SEMANTIC[:4], '--split', 'test', code=2)
    assert 'has other classes than cityscapes' in caplog.text
    assert Path('new/annotations/panoptic_train.json').read_bytes() == before


def test_an_unfinished_conversion_of_something_else_is_not_gone_on_with(
    caplog: pytest.LogCaptureFixture,
) -> None:
    two_maps()
    break_image()
    run('semantic', *SEMANTIC, code=1)
    run('semantic', *SEMANTIC, '--offset', '1', code=2)
    assert 'is an unfinished conversion with offset 0, now 1' in caplog.text


@pytest.mark.parametrize(
    ('change', 'told'),
    [
        ({'segmentation': [[1, 2, 3]]}, 'a polygon has no three points'),
        ({'segmentation': {'size': [24, 41], 'counts': [984]}}, 'is 41x24, the image 40x24'),
        ({'segmentation': {'size': [24, 40], 'counts': [3]}}, 'the run-length code has 3 pixels'),
        ({'category_id': 77}, 'has the unknown category 77'),
        ({'iscrowd': '0'}, "iscrowd is '0', expected a whole number"),
        ({'segmentation': 5}, 'annotation 5 is malformed'),
    ],
)
def test_a_broken_coco_annotation_is_named(
    change: dict[str, Any], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    run('coco', *coco([annotation(3, box(1, 1, 5, 5)) | change], np.zeros(SIZE, np.uint8)), code=2)
    assert told in caplog.text
    assert_nothing_in_place()


def test_coco_maps_have_the_size_that_the_file_says(caplog: pytest.LogCaptureFixture) -> None:
    options = coco([annotation(3, box(1, 1, 5, 5))], np.zeros(SIZE, np.uint8), height=25)
    run('coco', *options, code=2)
    assert '000000000009.png is 40x24 pixels, but by c/instances.json it is 40x25' in caplog.text


@pytest.mark.parametrize(
    ('kind', 'options', 'told'),
    [
        ('kitti', ('--images', 'none', '--truth', 's/maps'), '--images is none'),
        ('kitti', ('--images', 's/images', '--truth', 'none'), 'none is no folder'),
        ('kitti', ('--images', 's/images', '--truth', 'empty'), 'has no truth of any picture'),
        ('semantic', ('--images', 's/images', '--truth', 's/maps'), 'with --label-set'),
        ('coco', SEMANTIC, 'cannot read the annotations s/maps'),
        ('mapillary', ('--images', 's/images', '--truth', 'mine.yaml'), 'is not valid JSON'),
        ('semantic', (*SEMANTIC, '--split', '../x'), "--split is '../x'"),
        ('semantic', (*SEMANTIC, '--workers', '0'), '--workers is 0'),
        ('semantic', (*SEMANTIC, '--output', 'mine.yaml'), '--output is the file mine.yaml'),
        ('kitti', ('--images', 's/images', '--truth', 's/maps'), 'give the folder instance'),
        ('bdd100k_panoptic', ('--images', 's/images', '--truth', 's/maps'), 'four channels'),
    ],
)
def test_options_that_cannot_be_are_told_in_a_sentence(
    kind: str, options: tuple[str, ...], told: str, caplog: pytest.LogCaptureFixture
) -> None:
    two_maps()
    Path('empty').mkdir()
    run(kind, *options, code=2)
    assert told in caplog.text
    assert not Path('new').exists() or not list(Path('new').iterdir())
