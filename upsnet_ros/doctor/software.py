# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Python, its libraries, ROS and the messages of this package.

A library is imported in a process of its own: the only proof that it can be. One that crashes, or
that another version of NumPy keeps from loading, ends only that process.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from upsnet_ros.backends.cuda_runtime import version_numbers
from upsnet_ros.doctor.finding import Finding, Subject, doubtful, fine, judged, level_of, wrong

LONGEST_SECONDS = 60.0
UNKNOWN = 'unknown'
_CODE = (
    'import importlib, sys\n'
    'sys.modules["openvino_telemetry"] = None\n'  # see backends/__init__.py
    '*modules, last = [importlib.import_module(name) for name in sys.argv[1:]]\n'
    f'print("version", getattr((modules or [last])[0], "__version__", {UNKNOWN!r}))\n'
)
_MARK = 'version '


@dataclass(frozen=True)
class ImportAnswer:
    """What came of an import.

    Attributes:
        version: of the library, `unknown` if it does not say; empty where the import failed.
        is_missing: whether the library is not installed at all.
        reason: why the import failed.
    """

    version: str = ''
    is_missing: bool = False
    reason: str = ''


def import_elsewhere(*modules: str) -> ImportAnswer:
    """Import modules in another process; the first one's version is asked for."""
    answer = run_python(_CODE, *modules)
    if answer.returncode == 0:
        lines = [line for line in answer.stdout.splitlines() if line.startswith(_MARK)]
        return ImportAnswer(version=lines[-1].removeprefix(_MARK) if lines else UNKNOWN)
    reason = reason_of(answer)
    package = modules[0].split('.')[0]
    is_missing = any(f"No module named '{name}'" in reason for name in (*modules, package))
    return ImportAnswer(is_missing=is_missing, reason=reason)


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python code with the import path of this process; one that hangs ends with status -9."""
    command = [sys.executable, '-c', code, *arguments]
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(filter(None, sys.path))}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors='replace',
            env=environment,
            timeout=LONGEST_SECONDS,
        )
    except subprocess.TimeoutExpired:
        reason = f'no answer within {LONGEST_SECONDS:g} s'
        return subprocess.CompletedProcess(command, -signal.SIGKILL, '', reason)


def reason_of(answer: subprocess.CompletedProcess[str]) -> str:
    """Why a process failed: the last line it wrote, and the signal if one ended it."""
    lines = answer.stderr.strip().splitlines()
    last = lines[-1] if lines else ''
    if answer.returncode >= 0:
        return last or f'exit status {answer.returncode}'
    try:
        name = signal.Signals(-answer.returncode).name
    except ValueError:
        name = f'signal {-answer.returncode}'
    return f'ended by {name}' + (f' ({last})' if last else '')


OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Library:
    """A library that is imported somewhere.

    Attributes:
        what: its name for people.
        modules: what is imported; the first has the version.
        oldest: oldest version that is known to do; empty where every one is.
        remedy: how to get it.
    """

    what: str
    modules: tuple[str, ...]
    oldest: str
    remedy: str


ALWAYS = (
    Library('NumPy', ('numpy',), '1.26', 'install the Python package numpy'),
    Library(
        'OpenCV', ('cv2',), '4.6', 'install the Python package opencv-python-headless, or '
        'python3-opencv beside ROS',
    ),
    Library(
        'numba', ('numba',), '', 'install the Python package numba, of a version for this NumPy'
    ),
)  # fmt: skip
ONNX_RUNTIME = Library(
    'ONNX Runtime', ('onnxruntime',), '', 'install the Python package onnxruntime'
)
OPENVINO = Library(
    'OpenVINO', ('openvino',), '', 'install the Python package openvino: where the processor '
    'multiplies bf16 it runs the network in about half the time, else in about four fifths',
)  # fmt: skip
TENSORRT = (
    Library(
        'TensorRT', ('tensorrt',), '10.13', "install NVIDIA's TensorRT 10.13 to 11.4 with its "
        'Python package; on a Jetson it comes with JetPack 7.2 or newer',
    ),
    Library(
        'cuda-bindings', ('cuda.bindings', 'cuda.bindings.runtime'), '', 'install the Python '
        "package cuda-bindings of TensorRT's CUDA version ('cuda-bindings==13.*' for CUDA 13)",
    ),
)  # fmt: skip


def check_python(subject: Subject) -> Iterator[Finding]:
    """The interpreter."""
    version, oldest = platform.python_version(), '.'.join(map(str, OLDEST_PYTHON))
    is_fine = sys.version_info[:2] >= OLDEST_PYTHON
    yield judged(
        'Python',
        f'{version} ({sys.executable})' if is_fine else version,
        level_of(is_fine, is_needed=True),
        expected=f'{oldest} or newer',
        remedy=f'run the node with Python {oldest} or newer, that of ROS Jazzy or Kilted',
        version=version,
    )


def check_libraries(subject: Subject) -> Iterator[Finding]:
    """What must be there for the model, and what else is there."""
    for library in ALWAYS:
        yield examine(library, is_needed=True)
    yield examine(ONNX_RUNTIME, is_needed=not subject.needs_tensorrt, is_useful=subject.is_engine)
    yield examine(
        OPENVINO,
        is_needed=subject.backend == 'openvino',
        is_useful=not subject.needs_tensorrt,
    )
    for library in TENSORRT:
        yield examine(library, is_needed=subject.needs_tensorrt)


def examine(library: Library, *, is_needed: bool, is_useful: bool = False) -> Finding:
    """Import a library.

    Args:
        library: the library.
        is_needed: whether its lack is an error.
        is_useful: whether its lack is worth a warning.
    """
    answer = import_elsewhere(*library.modules)
    version = answer.version
    if version:
        is_fine = version == UNKNOWN or (
            version_numbers(version) >= version_numbers(library.oldest)
        )
        return judged(
            library.what,
            version,
            level_of(is_fine, is_needed=is_needed and library in TENSORRT),
            expected=f'{library.oldest} or newer',
            remedy=library.remedy,
            version=version,
        )
    if answer.is_missing and not (is_needed or is_useful):
        return fine(library.what, 'not installed, and not needed for this model')
    return judged(
        library.what,
        'not installed' if answer.is_missing else f'cannot be imported: {answer.reason}',
        level_of(False, is_needed=is_needed),
        expected='a library that can be imported',
        remedy=library.remedy,
    )


SOURCE_ROS = "source ROS's setup.bash (Jazzy or Kilted)"
SOURCE_WORKSPACE = (
    'build the package with colcon, then source the install/setup.bash of its workspace'
)
# A message that cannot be sent has no type support; importing its class does not tell.
_LOAD_TYPE_SUPPORT = (
    'from upsnet_ros.msg import PanopticInstanceArray\n'
    'kind = type(PanopticInstanceArray)\n'
    'kind.__import_type_support__()\n'
    'if kind._TYPE_SUPPORT is None: raise ImportError("its type support library is missing")\n'
)


def check_ros(subject: Subject) -> Iterator[Finding]:
    """Python's ROS library; without it the pipeline runs, the node does not."""
    answer = import_elsewhere('rclpy')
    if answer.version:
        distribution = subject.variable('ROS_DISTRO') or 'no sourced distribution'
        yield fine('rclpy', f'can be imported ({distribution})')
    elif answer.is_missing:
        yield doubtful(
            'rclpy',
            'not found',
            expected='rclpy, if this computer is to run the node',
            remedy=SOURCE_ROS,
        )
        return
    else:
        yield wrong(
            'rclpy',
            f'cannot be imported: {answer.reason}',
            expected='the rclpy of a sourced ROS, for this Python',
            remedy=SOURCE_ROS,
        )
        return
    yield _check_messages()


def _check_messages() -> Finding:
    answer = run_python(_LOAD_TYPE_SUPPORT)
    if answer.returncode == 0:
        return fine('messages', 'upsnet_ros/msg can be imported')
    return wrong(
        'messages',
        f'upsnet_ros/msg cannot be imported: {reason_of(answer)}',
        expected='the messages that were generated for this Python',
        remedy=SOURCE_WORKSPACE,
    )
