# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Environment variables of CUDA that stop an engine, or cost it time at each start."""

from __future__ import annotations

from collections.abc import Iterator

from upsnet_ros.backends.cuda_runtime import CudaRuntime, load_cuda_library
from upsnet_ros.backends.engine_record import EngineRecord
from upsnet_ros.core.errors import ModelError
from upsnet_ros.doctor.finding import Finding, doubtful, fine, wrong
from upsnet_ros.doctor.subject import Subject

WHAT = 'CUDA variables'


def check_cuda_environment(subject: Subject) -> Iterator[Finding]:
    """Each trap that is set, or one line that none is."""
    if not subject.needs_tensorrt:
        yield fine(WHAT, 'not looked at, an ONNX file runs on the CPU')
        return
    traps = list(_traps(subject))
    yield from traps or [fine(WHAT, 'none that is known to harm')]


def _traps(subject: Subject) -> Iterator[Finding]:
    devices = subject.environment.get('CUDA_VISIBLE_DEVICES')
    if devices is not None and devices.strip() in ('', '-1'):
        yield wrong(
            WHAT,
            f"CUDA_VISIBLE_DEVICES is '{devices}', which hides every GPU",
            expected='the number of a GPU, or no such variable',
            remedy='unset CUDA_VISIBLE_DEVICES',
        )
    if subject.variable('CUDA_DISABLE_PTX_JIT') not in ('', '0'):
        judge = wrong if _has_plugin(subject) else doubtful
        yield judge(
            WHAT,
            f"CUDA_DISABLE_PTX_JIT is '{subject.variable('CUDA_DISABLE_PTX_JIT')}'",
            expected='no such variable: the driver compiles the PTX in engines with our plugin',
            remedy='unset CUDA_DISABLE_PTX_JIT',
        )
    if subject.variable('CUDA_CACHE_DISABLE') not in ('', '0'):
        yield doubtful(
            WHAT,
            f"CUDA_CACHE_DISABLE is '{subject.variable('CUDA_CACHE_DISABLE')}'",
            expected='no such variable, so that PTX is compiled once and not at each start',
            remedy='unset CUDA_CACHE_DISABLE',
        )
    elif not subject.variable('CUDA_CACHE_PATH') and _is_integrated():
        yield doubtful(
            WHAT,
            'CUDA_CACHE_PATH is not set, on a GPU that is part of the processor',
            expected='a folder on storage that stays, so that PTX is compiled once',
            remedy='export CUDA_CACHE_PATH to such a folder where the node is started',
        )


def _has_plugin(subject: Subject) -> bool:
    """Whether the engine holds PTX of our plugin; a record that cannot be read may hide it."""
    if not subject.is_engine:
        return False
    try:
        return EngineRecord.load(subject.model_path).deform_conv == 'plugin'
    except ModelError:
        return True


def _is_integrated() -> bool:
    try:
        return CudaRuntime(load_cuda_library()).gpu().integrated
    except ModelError:  # the check of the GPU says so
        return False
