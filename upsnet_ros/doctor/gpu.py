# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The NVIDIA driver, the GPU and the environment variables that change how it works."""

from __future__ import annotations

from collections.abc import Iterator

from upsnet_ros.backends.cuda_runtime import CudaRuntime, Gpu, load_cuda_library
from upsnet_ros.core.errors import ModelError
from upsnet_ros.doctor.finding import Finding, doubtful, fine, refused, wrong
from upsnet_ros.doctor.libraries import numbers
from upsnet_ros.doctor.subject import Subject

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
    versions = [word for word in text.split() if len(numbers(word)) >= 2 and word[0].isdigit()]
    return versions[0] if versions else ''


def _judge_driver(subject: Subject, driver: str, runtime: str) -> Finding:
    module = kernel_module_version(subject)
    found = f'runs CUDA up to {driver}' + (f' (driver {module})' if module else '')
    values = {'cuda_driver': driver, 'cuda_runtime': runtime, 'driver': module or None}
    if numbers(driver)[0] >= numbers(runtime)[0]:
        return fine('NVIDIA driver', f'{found}, the libraries are of CUDA {runtime}', **values)
    judge = wrong if subject.needs_tensorrt else doubtful
    return judge(
        'NVIDIA driver',
        found,
        expected=f'one for CUDA {runtime}, which the installed libraries are of',
        remedy='update the NVIDIA driver, or install cuda-bindings of its CUDA version',
        **values,
    )


def _judge_gpu(subject: Subject, gpu: Gpu, free_mib: int) -> Iterator[Finding]:
    kind = 'integrated' if gpu.integrated else 'discrete'
    found = f'{gpu.name}, {kind}, compute capability {gpu.compute_capability}'
    values = {**gpu.to_dict(), 'free_mib': free_mib}
    if numbers(gpu.compute_capability) >= numbers(OLDEST_GPU):
        yield fine('GPU', found, **values)
    else:
        judge = wrong if subject.needs_tensorrt else doubtful
        yield judge(
            'GPU',
            found,
            expected=f'compute capability {OLDEST_GPU} or newer (Ampere)',
            remedy="use a newer GPU, or an ONNX file with backend 'onnxruntime'",
            **values,
        )
    if free_mib >= LEAST_FREE_MIB or not subject.needs_tensorrt:
        yield fine('GPU memory', f'{free_mib} MiB are free', free_mib=free_mib)
        return
    yield doubtful(
        'GPU memory',
        f'{free_mib} MiB are free',
        expected=f'at least {LEAST_FREE_MIB} MiB',
        remedy='end other programs on the GPU (nvidia-smi lists them)',
        free_mib=free_mib,
    )
