# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The command that looks at a data set: everything broken is found in one run and named."""

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.fakes.panoptic_data import CAR, PERSON, UNTRAINED, WALL, segment, write_data_set
from tests.fakes.town import image_of, truth_of
from tests.report.page_reader import ReadPage
from training.data.data_summary import DataSummary
from training.data.example_frames import choose_examples
from training.data.frame_facts import ClassFacts, FrameFacts
from training.data.frames import Frame
from training.data.picture_sheet import WIDTH, Example, draw_picture_sheet
from training.data_check import main
from upsnet_ros.core.labels import cityscapes_label_set

IDS = np.zeros((60, 80), np.uint32)
IDS[:, :40], IDS[:, 40:70] = 7, 8
SEGMENTS = [segment(7, WALL), segment(8, PERSON)]


def run(data: Path, *options: str, code: int = 0) -> dict[str, Any]:
    """Run the command; the content of its JSON file."""
    output = data.parent / 'out'
    assert main(['--data', str(data), '--output', str(output), *options]) == code
    return json.loads((output / 'data_check.json').read_text())


def problems_of(split: dict[str, Any]) -> dict[str, str]:
    return {entry['name']: '\n'.join(entry['problems']) for entry in split['broken']}


def test_a_sound_data_set(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level('INFO')
    content = run(data)
    assert list(content['splits']) == ['train', 'val']
    assert content['data'] == {
        'root': str(data), 'format': 'cityscapes', 'label_set': 'cityscapes'
    }  # fmt: skip
    assert content['problems'] == 0
    train = content['splits']['train']
    assert (train['frames'], train['broken'], train['images_without_truth']) == (3, [], [])
    assert train['sizes'] == [{'width': 160, 'height': 96, 'frames': 3}]
    road, car = (train['classes'][index] for index in (0, 13))
    truth = [cv2.imread(str(truth_of(data, index)), cv2.IMREAD_UNCHANGED) for index in range(3)]
    assert road['pixels'] == sum(int((ids == 7).sum()) for ids in truth)
    assert road['pixel_share'] == road['pixels'] / (3 * 96 * 160)
    boxes = [cv2.boundingRect((ids == 26000).astype(np.uint8)) for ids in truth]
    assert car['objects'] == sum(width > 1 < height for *_, width, height in boxes)
    assert car['median_box'] == np.median([box[2:] for box in boxes], axis=0).tolist()
    page = ReadPage((data.parent / 'out' / 'report.html').read_text(encoding='utf-8'))
    page.assert_loads_nothing()
    assert len(page.named('img')) == 2  # the sheets
    for text in (page.text, caplog.text):
        assert "split 'train': 3 usable frames" in text
        assert 'classes never seen (14): sidewalk, building' in text
        assert 'no problems' in text


def test_the_sheet_is_a_picture_of_the_frames(data: Path) -> None:
    content = run(data)
    output = data.parent / 'out'
    assert [entry['sheet'] for entry in content['splits'].values()] == [
        'sheet_train.jpg', 'sheet_val.jpg'
    ]  # fmt: skip
    three, two = (cv2.imread(str(output / f'sheet_{split}.jpg')) for split in ('train', 'val'))
    assert three.shape[1] == two.shape[1] == WIDTH
    assert three.shape[0] > two.shape[0] + 200  # one more row
    road = np.array([128, 64, 128])
    assert (np.abs(three.astype(int) - road).max(axis=2) < 12).sum() > 200  # in the legend
    run(data, '--sheet', '1')
    one = cv2.imread(str(output / 'sheet_train.jpg'))
    # Half the width, less margins and the seam, at 160:96.
    assert one.shape[0] > 500
    assert run(data, '--sheet', '0')['splits']['train']['sheet'] is None


def test_every_kind_of_broken_file_of_cityscapes_is_found_in_one_run(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO')
    for index in range(3, 10):
        shutil.copy(image_of(data, 0), image_of(data, index))
        shutil.copy(truth_of(data, 0), truth_of(data, index))
    image_of(data, 1).unlink()
    truth_of(data, 2).unlink()
    image_of(data, 3).write_bytes(b'')
    truth_of(data, 4).write_bytes(truth_of(data, 4).read_bytes()[:-20])
    cv2.imwrite(str(image_of(data, 5)), np.zeros((50, 70, 3), np.uint8))
    cv2.imwrite(str(truth_of(data, 6)), np.full((96, 160), 99, np.uint16))
    shutil.copy(image_of(data, 0), truth_of(data, 7))
    image_of(data, 8).write_text('<html>404</html>')
    content = run(data, code=1)
    train = content['splits']['train']
    found = problems_of(train)
    expected = {
        1: f'{image_of(data, 1)}: missing, but its truth {truth_of(data, 1)} is there',
        2: f'{truth_of(data, 2)}: cannot be read (No such file or directory)',
        3: f'{image_of(data, 3)}: the file is empty',
        4: f'{truth_of(data, 4)}: not a readable single-channel PNG',
        5: f'{image_of(data, 5)} is 70x50 pixels, but {truth_of(data, 5)} 160x96',
        6: f'{truth_of(data, 6)}: values [99] are no label ids',
        7: f'{truth_of(data, 7)}: a PNG of 8 bits with RGB, expected a single-channel PNG',
        8: f'{image_of(data, 8)}: not a readable image',
    }
    assert sorted(found) == [f'town_{index:06d}_000000' for index in expected]
    for index, message in expected.items():
        assert message in found[f'town_{index:06d}_000000']
        assert message in caplog.text
    assert content['problems'] == 8
    assert train['frames'] == 2
    assert train['images_without_truth'] == [str(image_of(data, 2).relative_to(data))]
    assert train['truth_without_image'] == [str(truth_of(data, 1).relative_to(data))]
    assert content['splits']['val']['broken'] == []
    # What was broken is read again, what was sound is not broken now.
    assert problems_of(run(data, code=1)['splits']['train']) == found


def spoil_coco(root: Path) -> None:
    """One frame of each kind of fault; 'good' stays."""
    faults = 'entry twice zero category size colour lost stray jpg png'.split()
    path = write_data_set(root, {name: (SEGMENTS, IDS) for name in ('good', *faults)})
    pngs = root / 'annotations' / 'panoptic_train2017'
    content = json.loads(path.read_text())
    own = dict(zip(('good', *faults), content['annotations'], strict=True))
    own['twice']['segments_info'] = [*SEGMENTS, segment(8, CAR)]
    own['zero']['segments_info'] = [*SEGMENTS, segment(0, CAR)]
    own['category']['segments_info'] = [segment(7, WALL), segment(8, 77)]
    own['lost']['segments_info'] = [*SEGMENTS, segment(9, CAR)]
    own['stray']['segments_info'] = [segment(7, WALL)]
    content['annotations'].remove(own['entry'])
    content['annotations'].append({'image_id': 99, 'file_name': 'x.png', 'segments_info': []})
    path.write_text(json.dumps(content))
    cv2.imwrite(str(root / 'train2017' / 'size.jpg'), np.zeros((9, 11, 3), np.uint8))
    cv2.imwrite(str(pngs / 'colour.png'), np.zeros((60, 80), np.uint8))
    (root / 'train2017' / 'jpg.jpg').unlink()
    (pngs / 'png.png').unlink()
    shutil.copy(root / 'train2017' / 'good.jpg', root / 'train2017' / 'unused.jpg')
    shutil.copy(pngs / 'good.png', pngs / 'unused.png')


def test_every_kind_of_broken_file_of_coco_is_found_in_one_run(tmp_path: Path) -> None:
    root = tmp_path / 'coco'
    root.mkdir()
    spoil_coco(root)
    content = run(root, code=1)
    assert content['data']['format'] == 'coco_panoptic'
    train = content['splits']['train2017']
    expected = {
        'entry': 'image entry.jpg (id 1) has no annotation, expected one',
        'twice': 'twice.png: segment id 8 is there 2 times',
        'zero': 'zero.png: segment id 0, expected 1 to 16777215',
        'category': 'category.png: segment 8 has the unknown category 77',
        'annotation of an unknown image 99': 'annotation of an unknown image 99',
        'size': 'size.jpg is 11x9 pixels, but',
        'colour': 'colour.png: a PNG of 8 bits with grey, expected a PNG with three channels',
        'lost': "lost.png: no pixel of the JSON file's ids [9]",
        'stray': 'stray.png: ids without an entry in the JSON file [8]',
        'jpg': 'jpg.jpg: cannot be read (No such file or directory)',
        'png': 'png.png: cannot be read (No such file or directory)',
    }
    found = problems_of(train)
    assert set(found) == set(expected)
    for name, message in expected.items():
        assert message in found[name]
    assert (train['frames'], train['objects']) == (1, 1)
    assert train['void_share'] == pytest.approx(10 / 80)
    assert train['images_without_truth'] == ['train2017/unused.jpg']
    assert train['truth_without_image'] == ['annotations/panoptic_train2017/unused.png']
    assert (tmp_path / 'out' / 'sheet_train2017.jpg').is_file()


def test_a_label_set_that_does_not_fit_is_remarked(tmp_path: Path) -> None:
    root = tmp_path / 'mine'
    root.mkdir()
    write_data_set(root, {'x': ([*SEGMENTS, segment(9, UNTRAINED)], np.where(IDS == 0, 9, IDS))})
    remarks = run(root)['splits']['train2017']['remarks']
    assert remarks[0].startswith("categories with another name than the label set's")
    assert "(3): 199 is '199' in the file but 'wall-other-merged' in the label set" in remarks[0]
    assert remarks[1] == (
        "categories that the label set lacks; their pixels are void (1): 254 '254'"
    )


def test_an_annotation_file_that_is_no_json_does_not_hide_the_other_split(tmp_path: Path) -> None:
    root = tmp_path / 'mine'
    root.mkdir()
    write_data_set(root, {'x': (SEGMENTS, IDS)}, name='train').write_text('{"images": [')
    write_data_set(root, {'x': (SEGMENTS, IDS)}, name='val')
    content = run(root, code=1)
    assert 'panoptic_train.json is not valid JSON' in problems_of(content['splits']['train'])[
        'train'
    ]  # fmt: skip
    assert content['splits']['train']['sheet'] is None
    assert content['splits']['val']['frames'] == 1


def test_limit_and_splits(data: Path) -> None:
    truth_of(data, 2).write_bytes(b'')
    content = run(data, '--limit', '2', '--split', 'train')
    assert list(content['splits']) == ['train']
    assert content['splits']['train']['frames'] == content['limit'] == 2
    assert run(data, '--split', 'val')['splits']['val']['frames'] == 2
    run(data, '--split', 'train', code=1)


def test_splits_without_truth_are_told(data: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level('INFO')
    (data / 'leftImg8bit/train_extra/town').mkdir(parents=True)
    content = run(data)
    assert content['splits_without_truth'] == ['train_extra']
    assert 'not looked at, for want of truth: train_extra' in caplog.text


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['--split', 'test'], "has no split 'test'; expected one of train, val"),
        (['--limit', '0'], '--limit is 0, expected at least 1'),
        (['--format', 'coco_panoptic'], 'no split in coco_panoptic format'),
        (['--data', 'nowhere'], 'nowhere is no folder'),
    ],
)
def test_what_cannot_be_looked_at_is_told(
    data: Path, options: list[str], message: str, caplog: pytest.LogCaptureFixture
) -> None:
    output = data.parent / 'out'
    assert main(['--data', str(data), '--output', str(output), *options]) == 2
    assert message in caplog.text


def test_a_folder_of_no_format_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(['--data', str(tmp_path)]) == 2
    assert 'gtFine or gtCoarse (cityscapes) or annotations/panoptic_*.json' in caplog.text


def test_examples_show_rare_classes_first() -> None:
    def facts(*classes: int, pixels: int = 500) -> FrameFacts:
        entries = tuple(ClassFacts(c, pixels, 0, 0, 0, 0, (), ()) for c in classes)
        return FrameFacts((100, 100), entries, 0, 0, False, 255, 1)

    found = {
        'road': facts(0),
        'road and sky': facts(0, 10),
        'a speck of everything': facts(*range(19), pixels=4),
        'a train': facts(0, 16),
        'road, sky, wall': facts(0, 3, 10),
    }
    frames = tuple((Frame(name, Path(name), Path(name)), own) for name, own in found.items())
    summary = DataSummary('train', cityscapes_label_set(), frames)
    names = [frame.name for frame in choose_examples(summary, 3)]
    assert names == ['road, sky, wall', 'a train', 'road and sky']
    assert len(choose_examples(summary, 9)) == 5
    assert choose_examples(summary, 0) == []
    assert choose_examples(DataSummary('train', cityscapes_label_set(), ()), 3) == []


@pytest.mark.parametrize('size', [(1, 1), (1, 700), (700, 1), (900, 300)])
def test_images_of_any_shape_find_room_on_a_sheet(tmp_path: Path, size: tuple[int, int]) -> None:
    labels = np.full(size, 13 << 8 | 1, np.uint16)
    example = Example('costs $5 and $6' * 9, np.zeros((*size, 3), np.uint8), labels)
    sheet = tmp_path / 'sheet.jpg'
    draw_picture_sheet(sheet, 'title', [example] * 3, cityscapes_label_set())
    assert cv2.imread(str(sheet)).shape[1] == WIDTH


def test_things_that_no_frame_shows_are_told(tmp_path: Path) -> None:
    root = tmp_path / 'mine'
    root.mkdir()
    write_data_set(root, {'x': ([segment(7, WALL)], np.full((4, 6), 7))})
    split = run(root)['splits']['train2017']
    assert (split['objects'], split['crowds'], split['frames']) == (0, 0, 1)
    assert '1 without any thing: x' in split['remarks']


def test_a_turned_image_is_told_by_its_exif_orientation(tmp_path: Path) -> None:
    root = tmp_path / 'mine'
    root.mkdir()
    ids = np.full((40, 60), 7)
    write_data_set(root, {name: ([segment(7, WALL)], ids) for name in ('quarter', 'half')})
    for name, orientation in (('quarter', 6), ('half', 3)):
        tags = Image.Exif()
        tags[0x0112] = orientation
        Image.new('RGB', (60, 40), 'teal').save(root / 'train2017' / f'{name}.jpg', exif=tags)
    split = run(root, code=1)['splits']['train2017']
    assert 'EXIF orientation 6 of the image turns it' in problems_of(split)['quarter']
    assert any('turned by their EXIF orientation' in line for line in split['remarks'])


def test_values_of_12_bits_in_files_of_16_are_told(tmp_path: Path) -> None:
    root = tmp_path / 'mine'
    root.mkdir()
    ids = np.full((40, 60), 7)
    path = write_data_set(root, {'x': ([segment(7, WALL)], ids)})
    path.write_text(path.read_text().replace('x.jpg', 'x.png'))
    pixels = np.random.default_rng(0).integers(0, 4096, (40, 60, 3)).astype(np.uint16)
    cv2.imwrite(str(root / 'train2017' / 'x.png'), pixels)
    remarks = run(root)['splits']['train2017']['remarks']
    assert any('nearly black' in line and 'multiply the values' in line for line in remarks)
    cv2.imwrite(str(root / 'train2017' / 'x.png'), pixels * 16)
    assert not any('nearly black' in line for line in run(root)['splits']['train2017']['remarks'])
