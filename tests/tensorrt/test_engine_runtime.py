# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The backend's use of TensorRT beside NVIDIA's own packages, as far as that goes with no GPU."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import ModuleType

import pytest
import tensorrt
import tensorrt_rtx_bindings

from tests.fakes import fake_tensorrt
from tests.python_process import run_python
from upsnet_ros.backends.tensorrt_runtime import load_tensorrt_library

ROOT = Path(__file__).parents[2]
LIBRARIES = [tensorrt, tensorrt_rtx_bindings]


def test_the_library_is_found() -> None:
    assert load_tensorrt_library() is tensorrt


def test_a_file_that_is_no_engine_is_refused_with_the_librarys_reason() -> None:
    # In a process of its own, with one of the two libraries: they have symbols of the same name.
    code = (
        'import logging, tensorrt_rtx_bindings\n'
        'from upsnet_ros.backends.tensorrt_runtime import LoadedEngine\n'
        'from upsnet_ros.core.errors import ModelError\n'
        'logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(message)s")\n'
        'for _ in range(2):\n'
        '    try:\n'
        '        LoadedEngine(tensorrt_rtx_bindings, b"nonsense" * 100)\n'
        '    except ModelError as error:\n'
        '        print(error)\n'
    )
    answer = run_python(code)
    lines = answer.stdout.splitlines()
    assert len(lines) == 2
    assert all('does not load the engine: IRuntime::deserialize' in line for line in lines)
    assert 'INFO TensorRT: Loaded engine size' in answer.stderr
    assert 'ERROR TensorRT: IRuntime::deserialize' in answer.stderr


@pytest.mark.parametrize('library', LIBRARIES)
@pytest.mark.parametrize(
    ('real', 'fake'),
    [
        ('Runtime', fake_tensorrt.FakeRuntime),
        ('ICudaEngine', fake_tensorrt.FakeEngine),
        ('IExecutionContext', fake_tensorrt.FakeContext),
    ],
)
def test_what_the_fake_offers_is_what_the_library_has(
    library: ModuleType, real: str, fake: type
) -> None:
    names = {name for name in vars(fake) if not name.startswith('_')}
    assert names and all(hasattr(getattr(library, real), name) for name in names)
    # Bound methods tell their parameters in the first line of their documentation.
    for name in names - {'num_io_tensors', 'create_execution_context'}:
        wanted = len(inspect.signature(getattr(fake, name)).parameters) - 1
        text = getattr(getattr(library, real), name).__doc__
        assert f'{name}(' in text and wanted >= 1


@pytest.mark.parametrize('library', LIBRARIES)
def test_the_names_of_types_and_severities_are_the_librarys(library: ModuleType) -> None:
    for kind in ('DataType', 'TensorIOMode'):
        names = set(getattr(fake_tensorrt, kind).__members__)
        assert names <= set(getattr(library, kind).__members__)
    severities = set(library.ILogger.Severity.__members__)
    assert severities == set(fake_tensorrt.Severity.__members__)
