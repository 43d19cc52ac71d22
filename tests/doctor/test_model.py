# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model without an engine: manifest, labels, images, speed."""

from __future__ import annotations

import hashlib
import re

import cv2
import numpy as np
import pytest

from tests.doctor.expectations import levels, looked, only
from tests.fakes.fake_backend import manifest_values
from tests.fakes.tiny_model import CAR, write_tiny_model
from upsnet_ros.doctor import model
from upsnet_ros.doctor.model import (
    draw_frame,
    judge_speed,
    read_frames,
)
from upsnet_ros.manifest import ModelManifest

TIMES = {'preprocess': 1.0, 'inference': 30.0, 'panoptic_head': 9.0, 'total': 40.0}


def write_images(folder, *blues: int) -> None:
    """Images of one colour each: the tiny model takes blue for the class."""
    for index, blue in enumerate(blues):
        image = np.full((64, 96, 3), blue, np.uint8)
        cv2.imwrite(str(folder / f'{index}.png'), image)


def test_a_model_and_its_hash(computer, model_path) -> None:
    finding = only(looked('model', computer(model_path=model_path)))
    assert finding.level == 'ok' and 'fake, input 96x64, 19 classes' in finding.found
    assert len(finding.values['sha256']) == 64


def test_an_altered_model_is_an_error(computer, model_path) -> None:
    model_path.write_bytes(model_path.read_bytes() + b' ')
    finding = only(looked('model', computer(model_path=model_path)))
    assert finding.level == 'error' and 'sha256' in finding.found


def test_a_missing_model_is_an_error(computer, tmp_path) -> None:
    finding = only(looked('model', computer(model_path=tmp_path / 'none.onnx')))
    assert finding.level == 'error' and 'none.onnx' in finding.found


def test_labels_of_the_images_given(computer, model_path, tmp_path) -> None:
    folder = tmp_path / 'images'
    folder.mkdir()
    write_images(folder, 0, CAR)
    finding = only(looked('labels', computer(model_path=model_path, images=folder)))
    assert finding.level == 'ok'
    # Of the second image only the car is known, 32x32 of 96x64 pixels: the rest is car as well,
    # and of no object.
    known = (1 + 32 * 32 / (96 * 64)) / 2
    assert finding.values == {'images': 2, 'instances': 1, 'known_share': known}
    found = r'openvino on cpu in (bf16|fp32) found 1 object\(s\) in 2 images'
    assert re.match(found, finding.found)


def test_a_file_that_is_no_network_is_an_error(computer, tmp_path) -> None:
    path = tmp_path / 'model.onnx'
    path.write_bytes(b'no network')
    digest = hashlib.sha256(b'no network').hexdigest()
    ModelManifest.from_dict(manifest_values(sha256=digest)).write(tmp_path / 'model.json')
    assert only(looked('model', computer(model_path=path))).level == 'ok'
    for check in ('labels', 'speed'):
        finding = only(looked(check, computer(model_path=path)))
        assert finding.level == 'error' and 'cannot load' in finding.found


def test_a_backend_that_does_not_run_the_file_is_an_error(computer, model_path) -> None:
    finding = only(looked('labels', computer(model_path=model_path, backend='tensorrt')))
    assert finding.level == 'error' and 'expected an engine' in finding.found


# --- images


def test_images_are_spread_over_the_folder(computer, tmp_path) -> None:
    write_images(tmp_path, *range(0, 90, 10))
    images = read_frames(computer(images=tmp_path, frames=3))
    assert [int(image[0, 0, 0]) for image in images] == [0, 30, 60]


def test_the_package_brings_images(computer) -> None:
    images = read_frames(computer(frames=2))
    assert [image.shape for image in images] == [(512, 1024, 3)] * 2


def test_without_any_image_one_is_drawn(computer, monkeypatch) -> None:
    monkeypatch.setattr(model, 'find_installed', lambda relative: None)
    (image,) = read_frames(computer())
    assert image.shape == (512, 1024, 3) and image.dtype == np.uint8
    np.testing.assert_array_equal(image, draw_frame())
    assert len(np.unique(image.reshape(-1, 3), axis=0)) > 100


@pytest.mark.parametrize('content', [None, b'no picture'])
def test_a_folder_without_images_is_an_error(computer, model_path, tmp_path, content) -> None:
    folder = tmp_path / 'images'
    folder.mkdir()
    if content is not None:
        (folder / 'broken.png').write_bytes(content)
    for check in ('labels', 'speed'):
        finding = only(looked(check, computer(model_path=model_path, images=folder)))
        assert finding.level == 'error' and '--images' in finding.found


# --- speed


def test_speed_is_the_median_after_the_warm_up(computer, tmp_path, monkeypatch) -> None:
    folder = tmp_path / 'images'
    folder.mkdir()
    write_images(folder, 0, CAR)
    finding = only(looked('speed', computer(model_path=write_tiny_model(tmp_path), images=folder)))
    assert set(finding.values) == {f'{stage}_ms' for stage in TIMES}
    assert all(value > 0 for value in finding.values.values())

    class Pipeline:
        runs = 0

        def process(self, image):
            self.runs += 1
            slow = 1000.0 if self.runs <= model.WARM_UPS else float(self.runs)
            return type('Result', (), {'timing_ms': dict.fromkeys(TIMES, slow)})

    pipeline = Pipeline()
    times = model.measure_speed(pipeline, computer(images=folder))
    assert pipeline.runs == 12
    assert times == dict.fromkeys(TIMES, 7.5)  # of 3 to 12


@pytest.mark.parametrize(('total', 'level'), [(40.0, 'ok'), (200.0, 'ok'), (201.0, 'warning')])
def test_slow_models_are_told(total, level, monkeypatch) -> None:
    monkeypatch.setattr(model.os, 'getloadavg', lambda: (0.5, 0.5, 0.5))
    finding = judge_speed({**TIMES, 'total': total}, 'here')
    assert levels([finding]) == [level]
    assert 'preprocess 1.0 ms, inference 30.0 ms, panoptic head 9.0 ms' in finding.found
    assert 'load' not in finding.found


def test_a_busy_computer_is_mentioned(monkeypatch) -> None:
    monkeypatch.setattr(model.os, 'getloadavg', lambda: (9.5, 0.5, 0.5))
    monkeypatch.setattr(model.os, 'cpu_count', lambda: 2)
    assert 'load 9.5 on 2 cores' in judge_speed(TIMES, 'here').found
