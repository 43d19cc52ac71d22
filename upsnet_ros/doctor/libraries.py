# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Python and the libraries, with their versions."""

from __future__ import annotations

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from upsnet_ros.doctor.child_import import UNKNOWN, ImportAnswer, import_elsewhere
from upsnet_ros.doctor.finding import Finding, doubtful, fine, wrong
from upsnet_ros.doctor.subject import Subject

OLDEST_PYTHON = (3, 11)


@dataclass(frozen=True)
class Library:
    """A library that is imported somewhere.

    Attributes:
        what: its name for people.
        modules: what is imported; the first has the version.
        oldest: oldest version that is known to do.
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
)  # fmt: skip
ONNX_RUNTIME = Library(
    'ONNX Runtime', ('onnxruntime',), '', 'install the Python package onnxruntime'
)
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
    version = platform.python_version()
    if sys.version_info[:2] >= OLDEST_PYTHON:
        yield fine('Python', f'{version} ({sys.executable})', version=version)
        return
    oldest = '.'.join(map(str, OLDEST_PYTHON))
    yield wrong(
        'Python',
        version,
        expected=f'{oldest} or newer',
        remedy=f'run the node with Python {oldest} or newer, that of ROS Jazzy or Kilted',
        version=version,
    )


def check_libraries(subject: Subject) -> Iterator[Finding]:
    """What must be there for the model, and what else is there."""
    for library in ALWAYS:
        yield examine(library, is_needed=True)
    yield examine(ONNX_RUNTIME, is_needed=not subject.needs_tensorrt, is_useful=subject.is_engine)
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
    if answer.version:
        return _judge_version(library, answer.version, is_needed=is_needed)
    if answer.is_missing and not (is_needed or is_useful):
        return fine(library.what, 'not installed, and not needed for this model')
    return _judge_failure(library, answer, is_needed=is_needed)


def _judge_version(library: Library, version: str, *, is_needed: bool) -> Finding:
    if version == UNKNOWN or not library.oldest or numbers(version) >= numbers(library.oldest):
        return fine(library.what, version, version=version)
    judge = wrong if is_needed and library in TENSORRT else doubtful
    return judge(
        library.what,
        version,
        expected=f'{library.oldest} or newer',
        remedy=library.remedy,
        version=version,
    )


def _judge_failure(library: Library, answer: ImportAnswer, *, is_needed: bool) -> Finding:
    judge = wrong if is_needed else doubtful
    found = 'not installed' if answer.is_missing else f'cannot be imported: {answer.reason}'
    return judge(
        library.what, found, expected='a library that can be imported', remedy=library.remedy
    )


def numbers(version: str) -> tuple[int, ...]:
    """The numbers of a version, so that 10.9 comes before 10.16."""
    return tuple(int(number) for number in re.findall(r'\d+', version))
