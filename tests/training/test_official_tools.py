# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic drives and our predictions for them go through cityscapesScripts, unchanged."""

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as instance_level
from cityscapesscripts.evaluation import evalPixelLevelSemanticLabeling as pixel_level
from cityscapesscripts.evaluation.evalPanopticSemanticLabeling import evaluatePanoptic
from cityscapesscripts.preparation.createPanopticImgs import convert2panoptic
from pycocotools import mask as coco_mask

from tests.fakes.label_images import disturbed
from training.data.cityscapes import CityscapesReader
from training.data.coco_panoptic import CocoPanopticReader
from training.data.frames import Frame
from training.evaluation.cityscapes_submission import CityscapesSubmission
from training.evaluation.frame_record import Detection
from training.evaluation.panoptic_submission import PanopticSubmission, SubmittedImage
from training.evaluation.prediction_files import PredictionFiles
from training.synthetic.dataset import plan_jobs, write_dataset
from upsnet_ros.core.labels import UNKNOWN_LABEL, cityscapes_label_set, class_image
from upsnet_ros.core.mean_iou import MeanIou
from upsnet_ros.core.panoptic_quality import PanopticQuality

LABELS = cityscapes_label_set()
SIZE = (256, 128)  # width, height
CAR, PERSON, CARAVAN = 26, 24, 29  # label ids; the last is not evaluated


@pytest.fixture(scope='module')
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Frames as the command writes them."""
    folder = tmp_path_factory.mktemp('synthetic')
    write_dataset(plan_jobs(folder, train=0, val=3, seed=4, size=SIZE), workers=1)
    return folder


@pytest.fixture(scope='module')
def crowded(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with what Cityscapes has beside: group regions and classes not evaluated."""
    folder = tmp_path_factory.mktemp('changed') / 'crowded'
    shutil.copytree(synthetic, folder)
    for number, path in enumerate(sorted(folder.glob('gtFine/val/*/*_instanceIds.png'))):
        ids = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        ids[60:80, 20 + number : 70] = CAR  # a group of cars, a group of people
        ids[85:95, 100:140] = PERSON
        ids[30:50, 150:200] = CARAVAN * 1000 + number
        ids[100:120, 10:60] = 4  # static
        cv2.imwrite(str(path), ids)
        label_ids = np.where(ids >= 1000, ids // 1000, ids).astype(np.uint8)
        cv2.imwrite(str(path).replace('instanceIds', 'labelIds'), label_ids)
    return folder


@pytest.fixture(params=['synthetic', 'crowded'])
def data(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tools do beside measuring: files in the current folder, names of an older NumPy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(np, 'in1d', np.isin, raising=False)
    # A log of all matches, whose counts were plain integers before NumPy 2.
    monkeypatch.setattr(instance_level, 'writeDict2JSON', lambda *values: None)


def converted(data: Path, folder: Path) -> Path:
    """The truth in panoptic format, as the official converter makes it."""
    folder.mkdir()
    convert2panoptic(str(data / 'gtFine'), str(folder), setNames=['val'])
    return folder / 'cityscapes_panoptic_val.json'


def truths(data: Path) -> Iterator[tuple[Frame, np.ndarray]]:
    reader = CityscapesReader(data, LABELS)
    for frame in reader.frames('val'):
        yield frame, reader.read_label_image(frame)


def predictions(data: Path) -> Iterator[tuple[Frame, np.ndarray, np.ndarray]]:
    """Frames with a disturbed truth and the truth."""
    rng = np.random.default_rng(2)
    for frame, truth in truths(data):
        yield frame, disturbed(rng, truth, LABELS, noise=0.02, shift=1), truth


def test_the_official_converter_makes_the_segments_that_we_read(
    data: Path, tmp_path: Path
) -> None:
    path = converted(data, tmp_path / 'annotations')
    path.rename(path.with_name('panoptic_val.json'))
    path.with_suffix('').rename(path.with_name('panoptic_val'))
    reader = CocoPanopticReader(tmp_path, LABELS)
    theirs = reader.frames('val')
    ours = list(truths(data))
    assert len(theirs) == len(ours) == 3
    for their_frame, (frame, truth) in zip(theirs, ours, strict=True):
        assert their_frame.name.startswith(frame.name)
        labels = reader.read_label_image(their_frame)
        assert (class_image(labels) == class_image(truth)).all()
        assert ((labels & 255 == 0) == (truth & 255 == 0)).all()  # crowds are the same
        crowds = (truth >> 8 >= LABELS.num_stuff) & (truth & 255 == 0)
        assert crowds.any() == (data.name == 'crowded')
        pairs = np.unique(np.stack([labels.ravel(), truth.ravel()]), axis=1)
        assert len(set(pairs[0])) == len(set(pairs[1])) == pairs.shape[1]


def test_the_official_panoptic_quality_of_our_files_is_ours(data: Path, tmp_path: Path) -> None:
    truth_json = converted(data, tmp_path / 'truth')
    submission = PanopticSubmission(tmp_path / 'ours', LABELS)
    quality, frames = PanopticQuality(LABELS), []
    for frame, predicted, truth in predictions(data):
        submission.write(frame.name, predicted)
        frames.append(frame)
        quality.update(predicted, truth)
    path = submission.finish(SubmittedImage.of(frame) for frame in frames)
    theirs = official_quality(truth_json, path, tmp_path)
    summary = quality.summary()
    assert 10 < summary.things.pq < 90 and 10 < summary.stuff.pq < 90
    for group in ('all', 'things', 'stuff'):
        ours, official = getattr(summary, group), theirs[group.capitalize()]
        assert ours.classes == official['n']
        for key in ('pq', 'sq', 'rq'):
            assert getattr(ours, key) / 100 == pytest.approx(official[key], abs=1e-9)
    for entry, row in zip(LABELS.classes, summary.per_class, strict=True):
        official = theirs['per_class'][entry.dataset_id]
        for key in ('pq', 'sq', 'rq'):
            assert getattr(row, key) / 100 == pytest.approx(official[key], abs=1e-9)


def official_quality(truth: Path, predicted: Path, folder: Path) -> dict[str, Any]:
    return evaluatePanoptic(
        str(truth), str(truth.with_suffix('')),
        str(predicted), str(predicted.with_suffix('')),
        str(folder / 'results.json'),
    )  # fmt: skip


def test_the_official_converters_files_read_as_predictions_are_the_truth(
    synthetic: Path, tmp_path: Path
) -> None:
    files = PredictionFiles(converted(synthetic, tmp_path / 'files'), LABELS)
    quality = PanopticQuality(LABELS)
    for frame, truth in truths(synthetic):
        quality.update(files.read(frame.name, truth.shape), truth)
    assert quality.summary().all.pq == 100


def test_the_official_iou_of_our_files_is_ours(data: Path, tmp_path: Path) -> None:
    submission, semantics = CityscapesSubmission(tmp_path / 'ours', LABELS), MeanIou(LABELS)
    for frame, labels, truth in predictions(data):
        predicted = class_image(labels)
        predicted[predicted == 255] = 8  # the semantic head has a class for every pixel
        submission.write_semantic(frame.name, predicted)
        semantics.update(predicted, class_image(truth))
    settings = copy.copy(pixel_level.args)
    settings.predictionPath = str(submission.semantic)
    settings.quiet, settings.JSONOutput = True, False
    true_files = sorted(str(p) for p in data.glob('gtFine/val/*/*_gtFine_labelIds.png'))
    files = [pixel_level.getPrediction(settings, path) for path in true_files]
    theirs = pixel_level.evaluateImgLists(files, true_files, settings)
    summary = semantics.summary()
    assert 20 < summary.miou < 95
    assert summary.miou / 100 == pytest.approx(theirs['averageScoreClasses'], abs=1e-9)
    for name, iou in summary.per_class.items():
        official = theirs['classScores'][name]
        assert (
            np.isnan(official) if iou is None else iou / 100 == pytest.approx(official, abs=1e-9)
        )


def detections(labels: np.ndarray) -> list[Detection]:
    """Every object as a detection."""
    found = []
    for value in np.unique(labels[labels != UNKNOWN_LABEL]).tolist():
        if value >> 8 >= LABELS.num_stuff and value & 255:
            mask = coco_mask.encode(np.asfortranarray(labels == value, np.uint8))
            found.append(Detection(value >> 8, 1 / (1 + len(found)), (0, 0, 1, 1), mask))
    return found


def official_ap(data: Path, submission: CityscapesSubmission) -> dict[str, Any]:
    settings = copy.copy(instance_level.args)
    settings.predictionPath = str(submission.instances)
    settings.gtInstancesFile = 'gtInstances.json'
    settings.quiet, settings.JSONOutput = True, False
    true_files = sorted(str(p) for p in data.glob('gtFine/val/*/*_gtFine_instanceIds.png'))
    files = [instance_level.getPrediction(path, settings) for path in true_files]
    return instance_level.evaluateImgLists(files, true_files, settings)['averages']


def test_the_official_ap_of_the_truth_is_perfect(data: Path, tmp_path: Path) -> None:
    submission = CityscapesSubmission(tmp_path / 'ours', LABELS)
    for frame, truth in truths(data):
        submission.write_instances(frame.name, detections(truth))
    averages = official_ap(data, submission)
    assert averages['allAp'] == averages['allAp50%'] == pytest.approx(1)
    counted = [name for name, row in averages['classes'].items() if not np.isnan(row['ap'])]
    assert len(counted) >= 2


def test_the_official_ap_sees_missing_and_moved_objects(synthetic: Path, tmp_path: Path) -> None:
    submission = CityscapesSubmission(tmp_path / 'ours', LABELS)
    for number, (frame, predicted, _) in enumerate(predictions(synthetic)):
        submission.write_instances(frame.name, detections(predicted) if number else ())
    assert 0 < official_ap(synthetic, submission)['allAp'] < 0.9
