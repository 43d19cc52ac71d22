# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A computer made of folders and variables; fakes of CUDA and TensorRT in place of the real."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.gpu_libraries import (  # noqa: F401
    child_libraries,
    cuda,
    engine_path,
    libraries,
    tensorrt,
)
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.doctor.finding import Subject

GOOD_SETTINGS = {
    'net/core/rmem_max': 2**31 - 1,
    'net/core/wmem_max': 2**31 - 1,
    'net/ipv4/ipfrag_high_thresh': 2**27,
    'net/ipv4/ipfrag_time': 3,
}


@pytest.fixture
def computer(tmp_path: Path) -> Callable[..., Subject]:
    """Makes subjects on a computer without variables; keywords are those of `Subject`."""
    proc = tmp_path / 'proc'
    for name, value in GOOD_SETTINGS.items():
        path = proc / 'sys' / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'{value}\n')

    def make(**options) -> Subject:
        fixed = {
            'model_path': tmp_path / 'model.onnx',
            'environment': {},
            'proc': proc,
            'control_groups': tmp_path / 'groups',
        }
        return Subject(**{**fixed, **options})

    return make


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """The tiny model with its manifest."""
    return write_tiny_model(tmp_path)


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """No CUDA runtime library, whatever is installed."""
    monkeypatch.setitem(sys.modules, 'cuda', None)
    monkeypatch.setitem(sys.modules, 'cuda.bindings', None)
