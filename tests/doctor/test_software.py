# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Versions of Python and of libraries, ROS and the messages, as other processes find them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from tests.doctor.expectations import levels, only
from upsnet_ros.doctor import software
from upsnet_ros.doctor.software import (
    ALWAYS,
    ONNX_RUNTIME,
    TENSORRT,
    check_libraries,
    check_python,
    check_ros,
    examine,
    import_elsewhere,
)

NUMPY, _, NUMBA = ALWAYS
TENSORRT_ITSELF, CUDA_BINDINGS = TENSORRT


def test_this_python_will_do(computer) -> None:
    finding = only(check_python(computer()))
    assert finding.level == 'ok' and finding.values['version'] in finding.found


def test_an_old_python_is_an_error(computer, monkeypatch) -> None:
    monkeypatch.setattr(software, 'OLDEST_PYTHON', (4, 2))
    finding = only(check_python(computer()))
    assert finding.level == 'error' and '4.2 or newer' in finding.expected


def test_what_is_installed_is_told_with_its_version(computer) -> None:
    numpy, opencv, numba, onnx_runtime, openvino, *others = check_libraries(computer())
    assert levels([numpy, opencv, numba, onnx_runtime, openvino, *others]) == ['ok'] * 7
    assert (numpy.what, numpy.found) == ('NumPy', np.__version__)
    assert onnx_runtime.values['version'] == onnx_runtime.found
    assert {finding.what for finding in others} == {'TensorRT', 'cuda-bindings'}


@pytest.mark.parametrize(('backend', 'level'), [('auto', 'warning'), ('openvino', 'error')])
def test_without_openvino_the_gain_is_told(computer, libraries, backend, level) -> None:
    text = 'raise ModuleNotFoundError("No module named \'openvino\'")\n'
    (libraries / 'openvino.py').write_text(text)
    finding = list(check_libraries(computer(model_path=Path('model.onnx'), backend=backend)))[4]
    assert (finding.level, finding.found) == (level, 'not installed')
    assert 'install the Python package openvino' in finding.remedy


def test_without_numba_nothing_is_labelled(libraries) -> None:
    (libraries / 'numba.py').write_text('raise ImportError("Numba needs NumPy 2.4 or less")\n')
    finding = examine(NUMBA, is_needed=True)
    assert finding.level == 'error' and 'NumPy 2.4 or less' in finding.found
    assert 'install the Python package numba' in finding.remedy


def test_without_tensorrt_an_engine_cannot_run(computer, libraries) -> None:
    for name in ('tensorrt', 'cuda'):
        text = f'raise ModuleNotFoundError("No module named {name!r}")\n'
        (libraries / f'{name}.py').write_text(text)
    findings = list(check_libraries(computer(model_path=Path('model.engine'))))
    assert levels(findings) == ['ok'] * 5 + ['error'] * 2
    assert [finding.found for finding in findings[5:]] == ['not installed'] * 2
    assert 'JetPack' in findings[5].remedy and 'cuda-bindings==13' in findings[6].remedy
    findings = list(check_libraries(computer(model_path=Path('model.onnx'))))
    assert levels(findings) == ['ok'] * 7


def test_tensorrt_and_cuda_are_found_with_their_versions(computer, child_libraries) -> None:
    *_, tensorrt, cuda = check_libraries(computer(model_path=Path('model.engine')))
    assert levels([tensorrt, cuda]) == ['ok', 'ok']
    assert (tensorrt.found, cuda.found) == ('10.16.1.11', '13.0.3')


@pytest.mark.parametrize(
    ('library', 'version', 'is_needed', 'level'),
    [
        (TENSORRT_ITSELF, '10.9.0', True, 'error'),
        (TENSORRT_ITSELF, '10.9.0', False, 'warning'),
        (TENSORRT_ITSELF, '10.13.2', True, 'ok'),
        (TENSORRT_ITSELF, '11.4.0', True, 'ok'),
        (NUMPY, '1.24.0', True, 'warning'),
        (NUMPY, '1.26.4', True, 'ok'),
        (NUMPY, 'unknown', True, 'ok'),
    ],
)
def test_versions_are_compared_by_their_numbers(
    libraries, library, version, is_needed, level
) -> None:
    (libraries / f'{library.modules[0]}.py').write_text(f'__version__ = {version!r}\n')
    finding = examine(library, is_needed=is_needed)
    assert levels([finding]) == [level]
    assert finding.found == version
    assert (library.oldest in finding.expected) == (level != 'ok')


def test_a_library_that_crashes_is_an_error_and_no_more(libraries) -> None:
    (libraries / 'onnxruntime.py').write_text('import os\nos.abort()\n')
    finding = examine(ONNX_RUNTIME, is_needed=True)
    assert levels([finding]) == ['error']
    assert 'ended by SIGABRT' in finding.found
    assert levels([examine(ONNX_RUNTIME, is_needed=False)]) == ['warning']


def test_a_library_whose_own_parts_are_missing_is_installed_but_broken(libraries) -> None:
    (libraries / 'tensorrt.py').write_text('raise ImportError("libnvinfer.so.10: no such file")\n')
    finding = examine(TENSORRT_ITSELF, is_needed=True)
    assert levels([finding]) == ['error'] and 'libnvinfer.so.10' in finding.found


def test_onnx_runtime_is_missed_beside_an_engine(libraries) -> None:
    text = 'raise ModuleNotFoundError("No module named \'onnxruntime\'")\n'
    (libraries / 'onnxruntime.py').write_text(text)
    assert examine(ONNX_RUNTIME, is_needed=True).level == 'error'
    assert examine(ONNX_RUNTIME, is_needed=False, is_useful=True).level == 'warning'
    assert examine(ONNX_RUNTIME, is_needed=False).level == 'ok'


def test_a_library_that_hangs_is_given_up(libraries, monkeypatch) -> None:
    (libraries / 'slow_library.py').write_text('import time\ntime.sleep(60)\n')
    monkeypatch.setattr(software, 'LONGEST_SECONDS', 1.0)
    answer = import_elsewhere('slow_library')
    assert not answer.version and 'no answer within 1 s' in answer.reason


def test_what_a_library_prints_is_no_version(libraries) -> None:
    (libraries / 'chatty.py').write_text('print("hello")\n__version__ = "3.1"\n')
    assert import_elsewhere('chatty').version == '3.1'
    assert 'chatty' not in sys.modules


def test_ros_and_the_messages_of_this_checkout_are_there(computer) -> None:
    findings = list(check_ros(computer(environment={'ROS_DISTRO': 'kilted'})))
    assert levels(findings) == ['ok', 'ok']
    assert 'kilted' in findings[0].found and findings[1].what == 'messages'


def test_without_ros_the_pipeline_still_runs(computer, libraries) -> None:
    (libraries / 'rclpy.py').write_text('raise ModuleNotFoundError("No module named \'rclpy\'")\n')
    finding = only(check_ros(computer()))
    assert finding.level == 'warning' and 'setup.bash' in finding.remedy


def test_a_broken_rclpy_is_an_error(computer, libraries) -> None:
    (libraries / 'rclpy.py').write_text('raise ImportError("librcl.so: cannot open")\n')
    finding = only(check_ros(computer()))
    assert finding.level == 'error' and 'librcl.so' in finding.found


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('', 'cannot import name'),
        (
            'class Kind(type):\n'
            '    _TYPE_SUPPORT = None\n'
            '    @classmethod\n'
            '    def __import_type_support__(cls): pass\n'
            'class PanopticInstanceArray(metaclass=Kind): pass\n',
            'type support library is missing',
        ),
    ],
)
def test_messages_that_cannot_be_sent_are_an_error(computer, libraries, content, reason) -> None:
    (libraries / 'upsnet_ros').mkdir()
    (libraries / 'upsnet_ros' / '__init__.py').write_text('')
    (libraries / 'upsnet_ros' / 'msg.py').write_text(content)
    rclpy, messages = check_ros(computer())
    assert levels([rclpy, messages]) == ['ok', 'error']
    assert reason in messages.found and 'colcon' in messages.remedy
