# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fake CUDA and TensorRT as the libraries that are imported, in this process and in others.

The fixtures are for a `conftest.py` to import.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.fakes.fake_cuda import FakeCuda
from tests.fakes.fake_tensorrt import FakeTensorRt
from tests.fakes.tiny_engine import write_tiny_engine


def write_cuda_library(folder: Path) -> None:
    """Write what child processes that have a folder on their path import as `cuda`.

    Its driver is too old for kernels unless `TAKES_KERNELS` is in the environment: compiling what
    the fake does in their place takes half a minute.
    """
    bindings = folder / 'cuda' / 'bindings'
    bindings.mkdir(parents=True)
    (folder / 'cuda' / '__init__.py').write_text('')
    (bindings / '__init__.py').write_text(
        'import sys\n'
        'from tests.fakes.fake_cuda import SHARED as runtime\n'
        "sys.modules[__name__ + '.runtime'] = sys.modules[__name__ + '.driver'] = runtime\n"
        'driver = runtime\n'
        'import os\n'
        'if "TAKES_KERNELS" not in os.environ:\n'
        '    from tests.fakes.fake_cuda import DriverError\n'
        '    too_old = [DriverError.CUDA_ERROR_UNSUPPORTED_PTX_VERSION] * 100\n'
        '    runtime.driver_failures["cuModuleLoadData"] = too_old\n'
        "__version__ = '13.0.3'\n"
    )


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> FakeCuda:
    """The CUDA runtime library of this process."""
    library = FakeCuda()
    bindings = ModuleType('cuda.bindings')
    bindings.runtime = bindings.driver = library
    monkeypatch.setitem(sys.modules, 'cuda', ModuleType('cuda'))
    monkeypatch.setitem(sys.modules, 'cuda.bindings', bindings)
    return library


@pytest.fixture
def tensorrt(cuda: FakeCuda, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorRt]:
    """The TensorRT library of this process; objects must go in the right order."""
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
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of modules that go before the installed ones in child processes."""
    folder = tmp_path / 'libraries'
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


@pytest.fixture
def child_libraries(libraries: Path) -> Path:
    """That folder with fakes of `tensorrt` and `cuda`."""
    write_cuda_library(libraries)
    (libraries / 'tensorrt.py').write_text(
        'import sys\n'
        'from tests.fakes.fake_tensorrt import SHARED_TENSORRT\n'
        'sys.modules[__name__] = SHARED_TENSORRT\n'
    )
    return libraries
