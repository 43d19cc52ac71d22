# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The manifest: what it accepts, and that every wrong field is named."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.changed_fields import with_field
from tests.fakes.fake_backend import make_manifest, manifest_values
from upsnet_ros.core.errors import ManifestError, ModelError
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.manifest import ModelManifest

CONTENT = b'not a network, but a file with a hash'


def write_model(folder: Path, values: dict | None = None) -> Path:
    """Write a file with a manifest that fits its hash, or the given manifest."""
    path = folder / 'model.onnx'
    path.write_bytes(CONTENT)
    values = values or manifest_values(sha256=hashlib.sha256(CONTENT).hexdigest())
    path.with_suffix('.json').write_text(json.dumps(values))
    return path


def test_to_dict_and_from_dict_are_inverse() -> None:
    values = manifest_values()
    assert ModelManifest.from_dict(values).to_dict() == values
    assert json.loads(json.dumps(values)) == values


def test_written_manifest_is_read_back(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    manifest = ModelManifest.load(path)
    manifest.write(tmp_path / 'model.json')
    assert ModelManifest.load(str(path)) == manifest
    assert sorted(file.name for file in tmp_path.iterdir()) == ['model.json', 'model.onnx']


def test_fields_have_their_meaning() -> None:
    manifest = make_manifest(input_size=(320, 640), rows=100)
    assert manifest.input_size == (320, 640)
    assert manifest.input.shape == (1, 320, 640, 3)
    assert manifest.input.pad_value == (103, 116, 123)
    assert manifest.label_set == cityscapes_label_set()
    assert manifest.outputs['mask_logits'].shape == (1, 100, 28, 28)


def test_panoptic_head_takes_its_parameters_and_missing_ones_have_defaults() -> None:
    manifest = ModelManifest.from_dict(
        with_field(manifest_values(), 'panoptic_head.label_resolution', ...)
    )
    assert manifest.panoptic_head['label_resolution'] == 'input_frame'
    head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
    assert head.parameters == manifest.panoptic_head


@pytest.mark.parametrize('field', list(manifest_values()))
def test_missing_fields_are_named(field: str) -> None:
    with pytest.raises(ManifestError) as caught:
        ModelManifest.from_dict(with_field(manifest_values(), field, ...))
    assert caught.value.field == field
    assert caught.value.received == 'nothing'


@pytest.mark.parametrize(
    'field, value, reported',
    [
        ('format_version', 2, 'format_version'),
        ('format_version', '1', 'format_version'),
        ('name', '', 'name'),
        ('label_set', {'name': 'x', 'classes': []}, 'label_set'),
        ('label_set', [], 'label_set'),
        ('input', 'image', 'input'),
        ('input.name', None, 'input.name'),
        ('input.height', 65, 'input.height'),
        ('input.height', '64', 'input.height'),
        ('input.width', 0, 'input.width'),
        ('input.layout', 'NCHW', 'input.layout'),
        ('input.channel_order', 'RGB', 'input.channel_order'),
        ('input.dtype', 'float32', 'input.dtype'),
        ('input.pad_value', [0, 0], 'input.pad_value'),
        ('input.pad_value', [0, 0, 256], 'input.pad_value'),
        ('input.mean', [1, 2, 3], 'input.mean'),
        ('outputs.scores', ..., 'outputs.scores'),
        ('outputs.boxes', ..., 'outputs.boxes'),
        ('outputs.boxes.shape', [1, 5, 4], 'outputs.boxes'),
        ('outputs.boxes.dtype', 'float16', 'outputs.boxes'),
        ('outputs.classes.dtype', 'int64', 'outputs.classes'),
        ('outputs.semantic_logits.shape', [1, 18, 16, 24], 'outputs.semantic_logits'),
        ('outputs.count.shape', [], 'outputs.count'),
        ('outputs.scores.shape', [1, float('inf')], 'outputs.scores'),
        ('outputs.extra', {'shape': [1], 'dtype': 'int32'}, 'outputs.extra'),
        ('panoptic_head.score_threshold', 2.0, 'panoptic_head'),
        ('panoptic_head.sharpness', 1, 'panoptic_head'),
        ('panoptic_head.predict_unknown', 'false', 'panoptic_head'),
        ('panoptic_head.score_threshold', 'high', 'panoptic_head'),
        ('sha256', 'abc', 'sha256'),
        ('sha256', 'A' * 64, 'sha256'),
        ('recipe', [], 'recipe'),
        ('metrics', None, 'metrics'),
        ('colour', 'red', 'colour'),
    ],
)
def test_wrong_fields_are_named(field: str, value: object, reported: str) -> None:
    with pytest.raises(ManifestError) as caught:
        ModelManifest.from_dict(with_field(manifest_values(), field, value))
    assert caught.value.field == reported
    assert reported in str(caught.value) and caught.value.expected in str(caught.value)


@pytest.mark.parametrize('values', [None, [], 'text', 3])
def test_other_json_than_an_object_is_refused(values: object) -> None:
    with pytest.raises(ManifestError, match='JSON object'):
        ModelManifest.from_dict(values)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='nowhere.onnx'):
        ModelManifest.load(tmp_path / 'nowhere.onnx')
    path = write_model(tmp_path)
    path.with_suffix('.json').unlink()
    with pytest.raises(ModelError, match='model.json'):
        ModelManifest.load(path)


@pytest.mark.parametrize('damage', [lambda text: text[: len(text) // 2], lambda text: '[' * 10**5])
def test_damaged_manifest_is_refused(tmp_path: Path, damage: Callable[[str], str]) -> None:
    path = write_model(tmp_path)
    text = path.with_suffix('.json').read_text()
    path.with_suffix('.json').write_text(damage(text))
    with pytest.raises(ModelError, match='is not JSON'):
        ModelManifest.load(path)


def test_altered_model_is_refused(tmp_path: Path) -> None:
    path = write_model(tmp_path)
    expected = ModelManifest.load(path).sha256
    path.write_bytes(CONTENT[:-1] + b'x')
    with pytest.raises(ManifestError, match='altered') as caught:
        ModelManifest.load(path)
    assert (caught.value.field, caught.value.received) == ('sha256', expected)


def test_manifest_errors_survive_a_process_border() -> None:
    error = ManifestError('input.height', 65, 'a positive multiple of 32')
    copied = pickle.loads(pickle.dumps(error))
    assert (copied.field, copied.received, copied.expected) == (
        'input.height',
        65,
        'a positive multiple of 32',
    )
    assert str(copied) == str(error)


def test_long_values_are_cut_in_the_message() -> None:
    assert len(str(ManifestError('name', 'x' * 10_000, 'a text'))) < 400


def write_engine(folder: Path, record: object, *, name: str = 'model') -> Path:
    """Write an engine with this record beside a model."""
    path = write_model(folder).with_name(f'{name}.engine')
    path.write_bytes(b'an engine')
    path.with_name(path.name + '.json').write_text(json.dumps(record))
    return path


@pytest.mark.parametrize('name', ['model', 'night'])
def test_an_engine_has_the_manifest_of_the_model_it_was_built_from(
    tmp_path: Path, name: str
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    path = write_engine(tmp_path, {'model_sha256': digest}, name=name)
    assert ModelManifest.load(path) == ModelManifest.load(tmp_path / 'model.onnx')
    (tmp_path / 'model.onnx').unlink()  # a vehicle needs the engine only
    assert ModelManifest.load(str(path)).sha256 == digest


def test_an_engine_finds_the_manifest_of_its_own_name_first(tmp_path: Path) -> None:
    path = write_engine(tmp_path, {'model_sha256': 'b' * 64}, name='night')
    (tmp_path / 'night.json').write_text(json.dumps(manifest_values(sha256='b' * 64)))
    assert ModelManifest.load(path).sha256 == 'b' * 64


@pytest.mark.parametrize('record', [{'model_sha256': 'b' * 64}, {}, []])
def test_an_engine_of_another_model_is_refused(tmp_path: Path, record: object) -> None:
    path = write_engine(tmp_path, record)
    with pytest.raises(ManifestError, match='training.build_engine') as caught:
        ModelManifest.load(path)
    assert caught.value.field == 'sha256'


@pytest.mark.parametrize('missing', ['model.engine', 'model.engine.json', 'model.json'])
def test_missing_files_of_an_engine_are_named(tmp_path: Path, missing: str) -> None:
    path = write_engine(tmp_path, {'model_sha256': hashlib.sha256(CONTENT).hexdigest()})
    (tmp_path / missing).unlink()
    with pytest.raises(ModelError, match=f"{missing}'"):
        ModelManifest.load(path)
