# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Launches of the kernels of a frame through NVIDIA's own bindings, as the driver sees them.

A library compiled with NVIDIA's header stands where the driver does.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
import triton

from tests.python_process import run_python
from upsnet_ros.backends.frame_launches import plan_frame
from upsnet_ros.backends.kernel_store import read_kernels
from upsnet_ros.core.geometry import InputGeometry

SOURCE = Path(__file__).parents[1] / 'fakes' / 'cuda_kernel_stub.c'
HEADERS = Path(triton.__file__).parent / 'backends' / 'nvidia' / 'include'
STREAM = 0x7F00_1234_5678_9AB0  # a handle needs all of its 64 bits
SIZES = {'image_size': (1080, 1920), 'input_size': (512, 1024)}

LAUNCH = """
import ctypes, json, sys
from upsnet_ros.backends.cuda_runtime import CudaError, CudaRuntime, load_cuda_library
from upsnet_ros.backends.loaded_kernels import LoadedKernels
import tests.training.test_kernel_launches as test


class Seen(ctypes.Structure):
    _fields_ = [
        ('sizes', ctypes.c_uint * 7),
        ('function', ctypes.c_void_p),
        ('stream', ctypes.c_void_p),
        ('text', ctypes.c_char * 64),
        ('entry', ctypes.c_char * 64),
        ('parameters', ctypes.c_int),
        ('has_extra', ctypes.c_int),
        ('values', ctypes.c_uint64 * 512),
    ]


cuda = CudaRuntime(load_cuda_library())
kernels = LoadedKernels(cuda)
seen = Seen.in_dll(ctypes.CDLL('libcuda.so.1'), 'seen')
texts = test.read_kernels()
plan = test.make_plan()
noted = []
for launch in (*plan.before, *plan.after):
    # The library counts parameters by the text that was loaded last.
    module, _ = cuda.load_kernel(texts[launch.kernel].text, launch.kernel)
    (call,) = kernels.calls(plan, (launch,), test.address_of(plan))
    call.queue(test.STREAM)
    values = list(seen.values[: seen.parameters])
    noted.append([launch.kernel, list(seen.sizes), values, seen.stream, seen.function])
    assert seen.has_extra == 0 and seen.entry.decode() == launch.kernel
    cuda.unload_kernel(module)
kernels.free()
refusals = []
for text, name in (('no text', 'kernel'), (texts['write_labels'].text, 'another')):
    try:
        cuda.load_kernel(text, name)
    except CudaError as error:
        refusals.append(str(error))
print(json.dumps({'launches': noted, 'refusals': refusals}))
"""


def make_plan():
    return plan_frame(
        InputGeometry.fit(**SIZES),
        label_resolution='image',
        num_stuff=11,
        num_classes=19,
        slots=100,
        pad_value=(1, 2, 3),
        raw_shape=(1080, 5760),
    )


def address_of(plan):
    places = {name: 0x7F00_0000_0000 + 2**32 * n for n, name in enumerate(plan.arrays)}
    return places.__getitem__


@pytest.fixture(scope='module')
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    """What the library noted of every launch of a frame."""
    compiler = shutil.which(os.environ.get('CC', 'cc')) or shutil.which('gcc')
    assert compiler, 'a C compiler is needed, as for setting the tests up'
    folder = tmp_path_factory.mktemp('driver')
    command = [compiler, '-Wall', '-Werror', '-shared', '-fPIC', f'-I{HEADERS}', str(SOURCE)]
    subprocess.run([*command, '-o', str(folder / 'libcuda.so.1')], check=True)
    path = f'{folder}:{os.environ.get("LD_LIBRARY_PATH", "")}'
    return json.loads(run_python(LAUNCH, LD_LIBRARY_PATH=path).stdout)


def test_every_launch_arrives_with_grid_block_stream_and_all_parameters(seen: dict) -> None:
    plan, kernels = make_plan(), read_kernels()
    launches = (*plan.before, *plan.after)
    assert [name for name, *_ in seen['launches']] == [launch.kernel for launch in launches]
    for launch, (name, sizes, values, stream, function) in zip(
        launches, seen['launches'], strict=True
    ):
        kernel = kernels[name]
        assert tuple(sizes) == (*launch.grid(kernel.block), *kernel.block, 0)
        assert (stream, function) == (STREAM, 0x7000_0000_2000)
        assert len(values) == len(re.findall(r'^\s*\.param ', kernel.text, re.M))


def test_arrays_arrive_with_address_shape_and_steps(seen: dict) -> None:
    plan = make_plan()
    address = address_of(plan)
    *_, (name, _, values, *_) = seen['launches']
    assert name == 'write_labels'
    # By hand: labels of 1080 x 1920 pixels, a table of 11 + 100 + 1 channels.
    image = [0, 0, 1080 * 1920, 2, address('image'), 1080, 1920, 3840, 2]
    assert values[:9] == [0, 0, 1080 * 1920, 2, address('winner'), 1080, 1920, 3840, 2]
    assert values[9:16] == [0, 0, 112, 2, address('table'), 112, 2]
    assert values[16:23] == [0, 0, 1080, 4, address('image_rows'), 1080, 4]
    assert values[23:30] == [0, 0, 1920, 4, address('image_columns'), 1920, 4]
    assert values[30:] == image


def test_numbers_arrive_in_their_type(seen: dict) -> None:
    values = {name: values for name, _, values, *_ in seen['launches']}
    plan = make_plan()
    # `scale` follows five arrays of nine, seven, seven, seven and seven values.
    double = values['measure_rows'][9 + 4 * 7]
    assert double == int.from_bytes(struct.pack('<d', plan.values['scale']), 'little')
    # `num_stuff` and `num_classes` follow six arrays of one axis each.
    assert values['check_output'][42:44] == [11, 19]


def test_what_the_driver_refuses_is_told_in_its_words(seen: dict) -> None:
    version, name = seen['refusals']
    assert 'cuModuleLoadData failed: CUDA_ERROR_UNSUPPORTED_PTX_VERSION (words of the' in version
    assert 'update the NVIDIA driver to that of CUDA 12.5' in version
    assert 'cuModuleGetFunction failed: CUDA_ERROR_NOT_FOUND' in name
