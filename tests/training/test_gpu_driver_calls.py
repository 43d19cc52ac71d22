# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CUDA driver's calls through ctypes, held to NVIDIA's own header and numbers.

A library compiled with that header stands where the driver does: what it gets is what it would.
"""

import ctypes
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import triton
from cuda.bindings import driver as nvidia

from benchmarks.gpu_parts import cuda_driver
from benchmarks.gpu_parts.cuda_driver import CudaDriver, DriverError, load_driver
from benchmarks.gpu_parts.layer import kernel_arguments, make_layer
from benchmarks.gpu_parts.ptx_launch import pack_parameters, shapes_for
from tests.fakes import fake_cuda_driver
from training.deform_conv_kernels.launch import SCALARS, plan_launch
from training.deform_conv_kernels.ptx_store import read_store

SOURCE = Path(fake_cuda_driver.__file__).with_name('cuda_driver_stub.c')
HEADERS = Path(triton.__file__).parent / 'backends' / 'nvidia' / 'include'
KERNEL = read_store().kernels[0]
STREAM = 0x7F00_1234_5678_9AB0  # a handle needs all of its 64 bits


class Seen(ctypes.Structure):
    """The library's notes."""

    _fields_ = [
        ('sizes', ctypes.c_uint * 7),
        ('function', ctypes.c_void_p),
        ('stream', ctypes.c_void_p),
        ('pointers', ctypes.c_uint64 * 5),
        ('scalars', ctypes.c_int * len(SCALARS)),
        ('text', ctypes.c_char * 64),
        ('has_extra', ctypes.c_int),
    ]


@pytest.fixture(scope='module')
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The compiled stand-in of ``libcuda.so.1``."""
    compiler = shutil.which(os.environ.get('CC', 'cc')) or shutil.which('gcc')
    assert compiler, 'a C compiler is needed, as for setting the tests up'
    target = tmp_path_factory.mktemp('driver') / 'libcuda.so.1'
    command = [compiler, '-Wall', '-Werror', '-shared', '-fPIC', f'-I{HEADERS}', str(SOURCE)]
    subprocess.run([*command, '-o', str(target)], check=True)
    return ctypes.CDLL(str(target))


def test_a_launch_arrives_as_it_was_said(library: ctypes.CDLL) -> None:
    driver = CudaDriver(library)
    loaded = driver.load(KERNEL.text, KERNEL.entry)
    layer = make_layer(shapes_for(KERNEL.tile)[0], KERNEL.tile.precision, 'cpu')
    arguments = kernel_arguments(layer, KERNEL.tile)
    plan = plan_launch(arguments.convolution, KERNEL.tile)
    driver.launch(
        loaded,
        grid=plan.grid,
        block=plan.block,
        shared=KERNEL.shared,
        stream=STREAM,
        parameters=pack_parameters(arguments.inputs, plan.scalars, arguments.y),
    )
    driver.unload(loaded)
    seen = Seen.in_dll(library, 'seen')
    assert list(seen.sizes) == [*plan.grid, *plan.block, KERNEL.shared]
    assert (seen.function, seen.stream, seen.has_extra) == (0x7000_0000_2000, STREAM, 0)
    addresses = [tensor.data_ptr() for tensor in (*arguments.inputs, arguments.y)]
    assert list(seen.pointers) == addresses
    assert tuple(seen.scalars) == plan.scalars
    assert KERNEL.text.encode().startswith(seen.text)


def test_version_and_refusals_arrive_as_well(library: ctypes.CDLL) -> None:
    driver = CudaDriver(library)
    assert driver.version() == '13.2'
    with pytest.raises(DriverError, match='CUDA_ERROR_INVALID_PTX ptxas fatal : no entry$'):
        driver.load('no text', 'kernel')
    with pytest.raises(DriverError, match='cuModuleGetFunction failed: error 500$'):
        driver.load(KERNEL.text, 'another')


def test_without_a_driver_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, 'LIBRARY', 'libcuda_of_no_machine.so.1')
    with pytest.raises(DriverError, match='no CUDA driver .*nvidia-smi'):
        load_driver()


def test_numbers_of_options_and_errors_are_nvidias() -> None:
    options = nvidia.CUjit_option
    assert options.CU_JIT_ERROR_LOG_BUFFER == cuda_driver.JIT_ERROR_LOG
    assert options.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES == cuda_driver.JIT_ERROR_LOG_BYTES
    assert nvidia.CUresult.CUDA_SUCCESS == cuda_driver.SUCCESS
    for code, name in fake_cuda_driver.NAMES.items():
        assert nvidia.CUresult(code).name == name.decode()
