# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The backend's CUDA calls beside NVIDIA's own `cuda.bindings`, which this environment has."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable

import pytest
from cuda.bindings import driver, runtime

from tests.fakes import fake_cuda
from upsnet_ros.backends.cuda_runtime import (
    CudaError,
    CudaRuntime,
    load_cuda_library,
    load_driver_library,
)
from upsnet_ros.backends.kernel_store import read_kernels
from upsnet_ros.core.errors import ModelError

FUNCTIONS = [name for name in vars(fake_cuda.FakeCuda) if re.match('cuda[A-Z]', name)]
FUNCTIONS = [name for name in FUNCTIONS if callable(getattr(fake_cuda.SHARED, name))]
FUNCTIONS.remove('cudaError_t')
DRIVER_FUNCTIONS = [name for name in vars(fake_cuda.FakeCuda) if re.match('cu[A-Z]', name)]


def test_the_library_is_found() -> None:
    assert load_cuda_library() is runtime and load_driver_library() is driver
    assert len(FUNCTIONS) > 20 and len(DRIVER_FUNCTIONS) == 5


@pytest.mark.parametrize('name', [*FUNCTIONS, *DRIVER_FUNCTIONS])
def test_the_fake_takes_as_many_arguments_as_the_library(name: str) -> None:
    library = runtime if name in FUNCTIONS else driver
    first_line = getattr(library, name).__doc__.splitlines()[0]
    arguments = first_line[first_line.index('(') + 1 : first_line.rindex(')')]
    wanted = len(arguments.split(',')) if arguments else 0
    assert len(inspect.signature(getattr(fake_cuda.SHARED, name)).parameters) == wanted


def test_the_fakes_numbers_and_properties_are_the_librarys() -> None:
    for name, error in fake_cuda.Error.__members__.items():
        assert error == getattr(runtime.cudaError_t, name)
    for name, error in fake_cuda.DriverError.__members__.items():
        assert error == getattr(driver.CUresult, name)
    for name in ('cudaStreamNonBlocking', 'cudaHostAllocDefault', 'cudaHostAllocMapped'):
        assert getattr(fake_cuda.FakeCuda, name) == getattr(runtime, name)
    for kind in ('cudaMemcpyKind', 'cudaStreamCaptureMode'):
        for name, value in vars(getattr(fake_cuda.FakeCuda, kind)).items():
            assert value == getattr(getattr(runtime, kind), name)
    for name, value in vars(fake_cuda.SHARED.properties).items():
        assert isinstance(value, type(getattr(runtime.cudaDeviceProp(), name)))


def load_and_unload(cuda: CudaRuntime, name: str) -> None:
    cuda.use_device()
    module, _ = cuda.load_kernel(read_kernels()[name].text, name)
    cuda.unload_kernel(module)


def calls() -> dict[str, Callable[[CudaRuntime], object]]:
    """Calls that need a GPU, each as what it is for."""
    return {
        'gpu': lambda cuda: cuda.gpu(),
        'pinned memory': lambda cuda: cuda.free_pinned(cuda.allocate_pinned(64, is_mapped=True)),
        'device memory': lambda cuda: cuda.free(cuda.allocate(64)),
        'stream': lambda cuda: cuda.destroy_stream(cuda.create_stream()),
        'kernel': lambda cuda: load_and_unload(cuda, 'label_pixels'),
    }


@pytest.mark.parametrize('what', list(calls()))
def test_with_a_gpu_calls_work_and_without_they_say_what_is_missing(what: str) -> None:
    cuda = CudaRuntime(runtime)
    try:
        calls()[what](cuda)
    except CudaError as error:
        assert error.code in ('cudaErrorInsufficientDriver', 'cudaErrorNoDevice')
        assert 'nvidia-smi' in str(error) and 'CUDA' in error.text
        assert not cuda.is_usable()
    else:
        assert cuda.is_usable()


def test_versions_are_read_or_said_to_be_missing() -> None:
    cuda = CudaRuntime(runtime)
    major, minor = map(int, cuda.runtime_version().split('.'))
    assert major >= 12 and 0 <= minor < 100
    try:
        assert re.fullmatch(r'\d+\.\d+', cuda.driver_version())
    except ModelError as error:
        assert 'no NVIDIA driver' in str(error)


def test_errors_are_told_in_the_librarys_words() -> None:
    with pytest.raises(CudaError, match='cudaErrorInvalid|cudaErrorInsufficientDriver|NoDevice'):
        CudaRuntime(runtime, device=1000).gpu()
