# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A computer made of folders and variables; fakes of CUDA and TensorRT in place of the real."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.fake_cuda import FakeCuda
from tests.fakes.fake_tensorrt import FakeTensorRt
from tests.fakes.imported_cuda import import_fake_cuda
from tests.fakes.tiny_engine import write_tiny_engine
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.doctor.subject import Subject

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
def engine_path(tmp_path: Path) -> Path:
    """An engine of the tiny model with all that lies beside it."""
    return write_tiny_engine(tmp_path)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """The CUDA runtime library of this process."""
    return import_fake_cuda(monkeypatch)


@pytest.fixture
def no_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """No CUDA runtime library, whatever is installed."""
    monkeypatch.setitem(sys.modules, 'cuda', None)
    monkeypatch.setitem(sys.modules, 'cuda.bindings', None)


@pytest.fixture
def tensorrt(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorRt]:
    """The TensorRT library of this process."""
    library = FakeTensorRt(cuda)
    monkeypatch.setitem(sys.modules, 'tensorrt', library)
    yield library
    gc.collect()
    assert library.violations == []


@pytest.fixture
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that go before the installed ones in child processes."""
    folder = tmp_path / 'libraries'
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def child_libraries(libraries: Path) -> Path:
    """That folder with fakes of `tensorrt` and `cuda`."""
    (libraries / 'cuda' / 'bindings').mkdir(parents=True)
    (libraries / 'cuda' / '__init__.py').write_text('')
    (libraries / 'cuda' / 'bindings' / '__init__.py').write_text(
        'import sys\n'
        'from tests.fakes.fake_cuda import SHARED as runtime\n'
        "sys.modules[__name__ + '.runtime'] = runtime\n"
        "__version__ = '13.0.3'\n"
    )
    (libraries / 'tensorrt.py').write_text(
        'import sys\n'
        'from tests.fakes.fake_tensorrt import SHARED_TENSORRT\n'
        'sys.modules[__name__] = SHARED_TENSORRT\n'
    )
    return libraries
