# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fake CUDA and TensorRT libraries in place of the real ones."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.fake_cuda import FakeCuda
from tests.fakes.fake_tensorrt import FakeTensorRt
from tests.fakes.imported_cuda import import_fake_cuda
from tests.fakes.tiny_engine import write_tiny_engine


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """The CUDA runtime library that is imported."""
    return import_fake_cuda(monkeypatch)


@pytest.fixture
def tensorrt(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorRt]:
    """The TensorRT library that is imported; objects must go in the right order."""
    library = FakeTensorRt(cuda)
    monkeypatch.setitem(sys.modules, 'tensorrt', library)
    yield library
    gc.collect()
    assert library.violations == []


@pytest.fixture
def engine_path(tmp_path: Path) -> Path:
    """An engine of the tiny model with its record, manifest and ONNX file."""
    return write_tiny_engine(tmp_path)


@pytest.fixture
def child_libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that child processes import as `tensorrt` and `cuda`."""
    folder = tmp_path / 'libraries'
    (folder / 'cuda' / 'bindings').mkdir(parents=True)
    (folder / 'cuda' / '__init__.py').write_text('')
    (folder / 'cuda' / 'bindings' / '__init__.py').write_text(
        'from tests.fakes.fake_cuda import SHARED as runtime\n'
    )
    (folder / 'tensorrt.py').write_text(
        'import sys\n'
        'from tests.fakes.fake_tensorrt import SHARED_TENSORRT\n'
        'sys.modules[__name__] = SHARED_TENSORRT\n'
    )
    monkeypatch.syspath_prepend(folder)
    return folder
