# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Choosing a backend by name."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.fakes.tiny_model import INPUT_SIZE, write_tiny_model
from upsnet_ros.backends.select import backend_names, create_backend
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.manifest import ModelManifest


@pytest.mark.parametrize('name', backend_names())
def test_every_name_makes_a_backend(tmp_path: Path, name: str) -> None:
    path = write_tiny_model(tmp_path)
    backend = create_backend(path, ModelManifest.load(path), name=name, num_threads=1)
    assert backend.input_size == INPUT_SIZE
    assert backend.name in backend_names()


def test_automatic_is_onnx_runtime(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path)
    assert create_backend(path, ModelManifest.load(path)).name == 'onnxruntime'


def test_unknown_names_are_refused_with_those_there_are(tmp_path: Path) -> None:
    path = write_tiny_model(tmp_path)
    with pytest.raises(ParameterError, match="'caffe'.*auto, onnxruntime"):
        create_backend(path, ModelManifest.load(path), name='caffe')


def test_a_library_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_tiny_model(tmp_path)
    manifest = ModelManifest.load(path)
    monkeypatch.delitem(sys.modules, 'upsnet_ros.backends.onnx_backend', raising=False)
    monkeypatch.setitem(sys.modules, 'onnxruntime', None)
    with pytest.raises(ModelError, match='install the Python package onnxruntime'):
        create_backend(path, manifest, name='onnxruntime')
