# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Average precision against pycocotools and cityscapesScripts run on files, and by hand."""

import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from training.data.errors import DataError
from training.evaluation.cityscapes_precision import cityscapes_precision
from training.evaluation.coco_precision import IOU_TYPES, coco_precision, coco_results
from training.evaluation.frame_judgement import mask_runs, true_objects
from training.evaluation.frame_record import Detection, FrameRecord
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.window import Window

LABELS = cityscapes_label_set()
SIZE = (160, 240)
PERSON, CAR = 11, 13
FIGURES = ('ap', 'ap50', 'ap75', 'small', 'medium', 'large')


def random_record(seed: int) -> FrameRecord:
    """Objects of many sizes, crowds, and detections that meet some of them."""
    rng = np.random.default_rng(seed)
    truth = np.zeros(SIZE, np.uint16)
    for number in range(1, 9):
        top, left = rng.integers(0, 90), rng.integers(0, 150)
        height, width = rng.integers(1, 150, 2)
        class_id = int(rng.choice([PERSON, CAR, 18]))
        truth[top : top + height, left : left + width] = class_id << 8 | number % 7
    objects = true_objects(truth, num_stuff=LABELS.num_stuff)
    detections = [moved(rng, entry.box, entry.class_id) for entry in objects if rng.random() < 0.8]
    detections += [moved(rng, (50, 20, 90, 70), int(rng.integers(11, 19))) for _ in range(3)]
    return record(f'{seed}', truth, tuple(sorted(detections, key=lambda entry: -entry.score)))


def moved(rng: np.random.Generator, box: tuple, class_id: int) -> Detection:
    x1, y1, x2, y2 = np.asarray(box) + rng.normal(0, 2, 4)
    x2, y2 = max(x2, x1), max(y2, y1)
    corners = np.clip([y1, x1, y2 + 1, x2 + 1], 0, [160, 240, 160, 240]).astype(int).tolist()
    window = Window(*corners)
    mask = mask_runs(window, rng.random((window.height, window.width)) < 0.9, SIZE)
    return Detection(class_id, float(rng.random()), (x1, y1, x2, y2), mask)


def record(name: str, truth: np.ndarray, detections: tuple[Detection, ...]) -> FrameRecord:
    return FrameRecord(
        name=name,
        size=truth.shape,
        quality=np.zeros((4, 19)),
        confusion=None,
        unknown_share=0.0,
        seconds=0.0,
        segments=1,
        detections=detections,
        objects=true_objects(truth, num_stuff=LABELS.num_stuff),
    )


def annotation_file(folder: Path, records: list[FrameRecord], *, first: int = 1) -> Path:
    """The truth of records as COCO writes it, image ids far from 1."""
    annotations = []
    for number, entry in enumerate(records, first):
        for found in entry.objects:
            x1, y1, x2, y2 = found.box
            annotations.append(
                {
                    'id': len(annotations) + 1,
                    'image_id': number,
                    'category_id': LABELS.classes[found.class_id].dataset_id,
                    'bbox': [x1, y1, x2 - x1 + 1, y2 - y1 + 1],
                    'segmentation': found.mask,
                    'area': int(coco_mask.area(found.mask)),
                    'iscrowd': int(found.is_crowd),
                }
            )
    images = [
        {'id': number, 'file_name': f'{entry.name}.jpg', 'height': SIZE[0], 'width': SIZE[1]}
        for number, entry in enumerate(records, first)
    ]
    categories = [{'id': c.dataset_id, 'name': c.name} for c in LABELS.classes if c.is_thing]
    path = folder / 'instances_val.json'
    content = {'images': images, 'annotations': annotations, 'categories': categories}
    path.write_text(json.dumps(content))
    return path


@pytest.mark.parametrize('kind', ['box', 'mask'])
@pytest.mark.parametrize('count', [1, 12])
def test_figures_are_those_of_cocos_tool_on_files(
    tmp_path: Path, kind: str, count: int, capsys: pytest.CaptureFixture
) -> None:
    records = [random_record(seed) for seed in range(count)]
    path = annotation_file(tmp_path, records, first=500)
    image_ids = {entry.name: 500 + number for number, entry in enumerate(records)}
    results = tmp_path / 'detections.json'
    results.write_text(json.dumps(coco_results(records, LABELS, image_ids, kind=kind)))
    truth = COCO(str(path))
    official = COCOeval(truth, truth.loadRes(str(results)), IOU_TYPES[kind])
    official.evaluate()
    official.accumulate()
    official.summarize()
    capsys.readouterr()
    want = [None if value < 0 else 100 * value for value in official.stats[:6]]
    for annotations in (path, None):
        found = coco_precision(records, LABELS, kind=kind, annotations=annotations)
        assert [getattr(found, name) for name in FIGURES] == pytest.approx(want, abs=1e-9)
        measured = [value for value in found.per_class.values() if value is not None]
        assert np.mean(measured) == pytest.approx(found.ap, abs=1e-9)
        assert found.to_dict()['per_class'].keys() == {c.name for c in LABELS.classes[11:]}
    if count == 12:
        assert 10 < found.ap < 90 and want.count(None) == 0
    assert capsys.readouterr().out == ''


def street() -> np.ndarray:
    truth = np.zeros(SIZE, np.uint16)
    truth[10:60, 10:60] = CAR << 8 | 1
    truth[10:60, 100:160] = CAR << 8 | 2
    return truth


def as_detections(truth: np.ndarray) -> tuple[Detection, ...]:
    return tuple(
        Detection(entry.class_id, 0.5, entry.box, entry.mask)
        for entry in true_objects(truth, num_stuff=LABELS.num_stuff)
    )


@pytest.mark.parametrize('kind', ['box', 'mask'])
def test_the_truth_is_perfect_and_half_of_it_half(kind: str) -> None:
    truth = street()
    perfect = coco_precision([record('a', truth, as_detections(truth))], LABELS, kind=kind)
    assert (perfect.ap, perfect.ap50, perfect.per_class['car']) == (100, 100, 100)
    assert perfect.small is None and perfect.per_class['person'] is None
    half = coco_precision([record('a', truth, as_detections(truth)[:1])], LABELS, kind=kind)
    # Precision is 1 up to a recall of one half: 51 of COCO's 101 points.
    assert half.ap == pytest.approx(100 * 51 / 101)


@pytest.mark.parametrize('kind', ['box', 'mask'])
def test_no_detection_is_zero_and_no_object_is_no_figure(kind: str) -> None:
    assert coco_precision([record('a', street(), ())], LABELS, kind=kind).ap == 0
    empty = np.zeros(SIZE, np.uint16)
    nothing = coco_precision([record('a', empty, as_detections(street()))], LABELS, kind=kind)
    assert nothing.ap is None and set(nothing.per_class.values()) == {None}


def test_a_box_of_one_pixel_is_one_pixel_wide() -> None:
    found = Detection(
        CAR, 0.5, (7, 8, 7, 8), mask_runs(Window(8, 7, 9, 8), np.ones((1, 1), bool), SIZE)
    )
    (entry,) = coco_results([record('a', street(), (found,))], LABELS, {'a': 3}, kind='box')
    assert entry == {'image_id': 3, 'category_id': 26, 'score': 0.5, 'bbox': [7, 8, 1, 1]}


@pytest.mark.parametrize(
    'change, message',
    [
        (lambda content: content.pop('images'), "KeyError: 'images'"),
        (lambda content: content.update(images=[]), 'holds no image 0 and 0 others'),
        (lambda content: content.update(categories=[]), r'has no categories \[24, 25'),
        (lambda content: content.update(annotations=[3]), 'TypeError'),
    ],
)
def test_annotations_of_something_else_are_refused(tmp_path: Path, change, message: str) -> None:
    path = annotation_file(tmp_path, [random_record(0)])
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        coco_precision([random_record(0)], LABELS, kind='box', annotations=path)
    with pytest.raises(DataError, match='FileNotFoundError'):
        coco_precision([random_record(0)], LABELS, kind='box', annotations=tmp_path / 'no.json')
    path.write_text('{')
    with pytest.raises(DataError, match='instances_val.json: JSONDecodeError'):
        coco_precision([random_record(0)], LABELS, kind='box', annotations=path)


def test_cityscapes_tool_names_what_it_misses(tmp_path: Path) -> None:
    truth = tmp_path / 'a_000000_000000_gtFine_instanceIds.png'
    with pytest.raises(DataError, match='cannot evaluate it: .*instanceIds.png'):
        cityscapes_precision([truth], [tmp_path / 'a_000000_000000.txt'])
    assert not hasattr(np, 'in1d') or np.in1d is not np.isin
