# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processor, the GPU with its driver, and the environment variables of CUDA."""

from __future__ import annotations

import os
from collections.abc import Iterator

from upsnet_ros.backends.backend import cpu_quota
from upsnet_ros.backends.cuda_runtime import CudaRuntime, Gpu, load_cuda_library, version_numbers
from upsnet_ros.core.errors import ModelError
from upsnet_ros.doctor.finding import (
    Finding,
    Subject,
    doubtful,
    fine,
    judged,
    level_of,
    refused,
    wrong,
)

FEWEST_CORES = 2  # one for images and messages beside the network


def check_processor(subject: Subject) -> Iterator[Finding]:
    """Cores of the computer, of this process, and the quota of its control group."""
    total = os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else total
    quota = cpu_quota(subject.proc / 'self' / 'cgroup', subject.control_groups)
    usable = allowed if quota is None else min(allowed, quota)
    limit = 'no quota' if quota is None else f'a quota of {quota:g}'
    found = f'{usable:g} of {total} cores may be used ({allowed} allowed, {limit})'
    yield judged(
        'processor cores',
        found,
        level_of(usable >= FEWEST_CORES),
        expected=f'at least {FEWEST_CORES}, one of them for messages',
        remedy='give the container or service more (docker --cpus, CPUQuota=, taskset)',
        total=total,
        allowed=allowed,
        quota=quota,
    )


OLDEST_GPU = '8.0'  # what the PTX of the plugin is compiled for
LEAST_FREE_MIB = 1024  # engine, its work memory and the CUDA context


def check_gpu(subject: Subject) -> Iterator[Finding]:
    """Driver and device; on an ONNX file they are only told."""
    try:
        cuda = CudaRuntime(load_cuda_library())
        driver, runtime = cuda.driver_version(), cuda.runtime_version()
        gpu = cuda.gpu()
        cuda.use_device()
        free_mib = cuda.free_memory() // 2**20
    except ModelError as error:
        if subject.needs_tensorrt:
            yield refused('GPU', error)
        else:
            yield fine('GPU', 'none seen, and none needed for an ONNX file')
        return
    yield _judge_driver(subject, driver, runtime)
    yield from _judge_gpu(subject, gpu, free_mib)


def kernel_module_version(subject: Subject) -> str:
    """Version of the driver's kernel module; empty where it does not say."""
    try:
        text = (subject.proc / 'driver' / 'nvidia' / 'version').read_text()
    except OSError:
        return ''
    versions = [
        word for word in text.split() if len(version_numbers(word)) >= 2 and word[0].isdigit()
    ]
    return versions[0] if versions else ''


def _judge_driver(subject: Subject, driver: str, runtime: str) -> Finding:
    module = kernel_module_version(subject)
    found = f'runs CUDA up to {driver}' + (f' (driver {module})' if module else '')
    is_fine = version_numbers(driver)[0] >= version_numbers(runtime)[0]
    return judged(
        'NVIDIA driver',
        f'{found}, the libraries are of CUDA {runtime}' if is_fine else found,
        level_of(is_fine, is_needed=subject.needs_tensorrt),
        expected=f'one for CUDA {runtime}, which the installed libraries are of',
        remedy='update the NVIDIA driver, or install cuda-bindings of its CUDA version',
        cuda_driver=driver,
        cuda_runtime=runtime,
        driver=module or None,
    )


def _judge_gpu(subject: Subject, gpu: Gpu, free_mib: int) -> Iterator[Finding]:
    kind = 'integrated' if gpu.integrated else 'discrete'
    found = f'{gpu.name}, {kind}, compute capability {gpu.compute_capability}'
    is_new = version_numbers(gpu.compute_capability) >= version_numbers(OLDEST_GPU)
    yield judged(
        'GPU',
        found,
        level_of(is_new, is_needed=subject.needs_tensorrt),
        expected=f'compute capability {OLDEST_GPU} or newer (Ampere)',
        remedy="use a newer GPU, or an ONNX file with backend 'onnxruntime'",
        **gpu.to_dict(),
        free_mib=free_mib,
    )
    yield judged(
        'GPU memory',
        f'{free_mib} MiB are free',
        level_of(free_mib >= LEAST_FREE_MIB or not subject.needs_tensorrt),
        expected=f'at least {LEAST_FREE_MIB} MiB',
        remedy='end other programs on the GPU (nvidia-smi lists them)',
        free_mib=free_mib,
    )


CUDA_VARIABLES = 'CUDA variables'


def check_cuda_environment(subject: Subject) -> Iterator[Finding]:
    """Each trap that is set, or one line that none is."""
    if not subject.needs_tensorrt:
        yield fine(CUDA_VARIABLES, 'not looked at, an ONNX file runs on the CPU')
        return
    traps = list(_traps(subject))
    yield from traps or [fine(CUDA_VARIABLES, 'none that is known to harm')]


def _traps(subject: Subject) -> Iterator[Finding]:
    devices = subject.environment.get('CUDA_VISIBLE_DEVICES')
    if devices is not None and devices.strip() in ('', '-1'):
        yield wrong(
            CUDA_VARIABLES,
            f"CUDA_VISIBLE_DEVICES is '{devices}', which hides every GPU",
            expected='the number of a GPU, or no such variable',
            remedy='unset CUDA_VISIBLE_DEVICES',
        )
    if subject.variable('CUDA_DISABLE_PTX_JIT') not in ('', '0'):
        yield judged(
            CUDA_VARIABLES,
            f"CUDA_DISABLE_PTX_JIT is '{subject.variable('CUDA_DISABLE_PTX_JIT')}'",
            level_of(False, is_needed=_has_plugin(subject)),
            expected='no such variable: the driver compiles the PTX in engines with our plugin',
            remedy='unset CUDA_DISABLE_PTX_JIT',
        )
    if subject.variable('CUDA_CACHE_DISABLE') not in ('', '0'):
        yield doubtful(
            CUDA_VARIABLES,
            f"CUDA_CACHE_DISABLE is '{subject.variable('CUDA_CACHE_DISABLE')}'",
            expected='no such variable, so that PTX is compiled once and not at each start',
            remedy='unset CUDA_CACHE_DISABLE',
        )
    elif not subject.variable('CUDA_CACHE_PATH') and _is_integrated():
        yield doubtful(
            CUDA_VARIABLES,
            'CUDA_CACHE_PATH is not set, on a GPU that is part of the processor',
            expected='a folder on storage that stays, so that PTX is compiled once',
            remedy='export CUDA_CACHE_PATH to such a folder where the node is started',
        )


def _has_plugin(subject: Subject) -> bool:
    """Whether the engine holds PTX of our plugin; a record that cannot be read may hide it."""
    if not subject.is_engine:
        return False
    from upsnet_ros.backends.engine_record import EngineRecord  # needs NumPy, the rest does not

    try:
        return EngineRecord.load(subject.model_path).deform_conv == 'plugin'
    except ModelError:
        return True


def _is_integrated() -> bool:
    try:
        return CudaRuntime(load_cuda_library()).gpu().integrated
    except ModelError:  # the check of the GPU says so
        return False
