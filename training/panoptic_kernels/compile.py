# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compile the kernels of a frame to PTX; needs no GPU.

    python -m training.panoptic_kernels.compile           after every change of a kernel
    python -m training.panoptic_kernels.compile --table   registers and memory of each kernel

The files go to `upsnet_ros/backends/ptx` and into the repository: neither numba-cuda nor a
compiler is needed where they run. One text serves all GPUs from Ampere on, because the driver
translates it when it is loaded; here it is assembled for each of them as a check.
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from numba import cuda
from numba.cuda import dispatcher, types
from numba.cuda.cudadrv import nvvm

from training.deform_conv_kernels.assembler import ARCHITECTURES, Resources, assemble
from training.deform_conv_kernels.ptx_text import PTX_VERSION, TARGET, PtxError
from training.panoptic_kernels.kernels import KERNELS, Kernel
from upsnet_ros.backends.kernel_store import FOLDER, FORMAT, INDEX, array_values
from upsnet_ros.core.errors import UpsnetError

_CAPABILITY = (8, 0)


@dataclass(frozen=True)
class CompiledText:
    """The checked text of a kernel, and its shared memory in bytes."""

    text: str
    shared: int


def compile_kernel(name: str, kernel: Kernel) -> CompiledText:
    """Compile a kernel.

    Raises:
        PtxError: the text is not what every GPU and driver in use takes.
    """
    threads = kernel.block[0] * kernel.block[1] * kernel.block[2]
    signature = types.void(*(numba_type(kind) for kind in kernel.parameters.values()))
    with _exact_and_without_a_device():
        text, _ = cuda.compile(
            kernel.function,
            signature,
            cc=_CAPABILITY,
            device=False,
            abi='numba',
            launch_bounds=threads,
        )
    text = clean_text(text, name)
    check_text(text, name, kernel)
    shared = re.findall(r'\.shared .*\.b8 \S+\[(\d+)\];', text)
    return CompiledText(text, sum(map(int, shared)))


def numba_type(kind: str) -> Any:
    """Return the type of a parameter: `float32[2]` is an array of two axes in one piece."""
    dtype, _, axes = kind.partition('[')
    scalar = getattr(types, dtype)
    return types.Array(scalar, int(axes[:-1]), 'C') if axes else scalar


@contextmanager
def _exact_and_without_a_device() -> Iterator[None]:
    """Have products rounded before they are added, as on a processor; ask for no GPU.

    For functions that a kernel calls, numba-cuda compiles for the GPU of the computer, whatever
    the kernel is compiled for. NVVM contracts products and sums unless it is told not to.
    """
    device, compile_ir = dispatcher.get_current_device, nvvm.compile_ir
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=_CAPABILITY)
    nvvm.compile_ir = partial(compile_ir, fma=0)
    try:
        yield
    finally:
        dispatcher.get_current_device, nvvm.compile_ir = device, compile_ir


def clean_text(text: str, name: str) -> str:
    """Return a text without numba's own names: of the function, and of what Python would use."""
    entry = re.search(r'\.entry (\S+)\(', text)
    if entry is None:
        raise PtxError(f'{name}: no entry function in the PTX text')
    kept = [
        line
        for line in text.splitlines()
        if line.strip() and not line.startswith(('//', '.common .global')) and '.globl' not in line
    ]
    return '\n'.join(kept).replace(entry[1], name).replace('\0', '') + '\n'


def check_text(text: str, name: str, kernel: Kernel) -> None:
    """Refuse a text that some GPU or driver in use could not run, or would run inexactly.

    Raises:
        PtxError: naming what was found and what was expected.
    """
    kinds = []
    for kind in kernel.parameters.values():
        axes = int(kind[-2]) if kind.endswith(']') else 0
        arrays = len(array_values(0, (1,) * axes, 1))
        kinds += ['u64'] * arrays if axes else ['f64' if kind == 'float64' else 'u64']
    expected = {
        r'^\.version (.+)$': [PTX_VERSION],
        r'^\.target (.+)$': [TARGET],
        r'\.entry (\w+)': [name],
        r'^\s*\.param \.(\w+) \w+_param_\d+,?$': kinds,
        # Calls and memory of a thread's own would mean a compiler that gave up on registers.
        r'\.local\b': [],
        r'^\s*call\b.*$': [],
        r'\bfma\.\S+': [],
    }
    for pattern, wanted in expected.items():
        found = re.findall(pattern, text, re.M)
        if found != wanted:
            raise PtxError(f'{name}: PTX text has {found} for {pattern}, expected {wanted}')


def resources(name: str, compiled: CompiledText) -> dict[int, Resources]:
    """Assemble a text for every architecture.

    Raises:
        PtxError: one refuses it, or registers do not suffice on one.
    """
    found = {architecture: assemble(compiled.text, architecture) for architecture in ARCHITECTURES}
    for architecture, taken in found.items():
        if taken.spilled:
            raise PtxError(f'{name}: {taken.spilled} bytes spilled on sm_{architecture}')
    return found


def compiler_versions() -> dict[str, str]:
    """Versions that decide the texts."""
    return {name: version(name) for name in ('numba-cuda', 'nvidia-cuda-nvcc-cu12')}


def write_store(folder: Path, texts: dict[str, CompiledText]) -> None:
    """Assemble, then write all files; texts of kernels that are no more are removed.

    Raises:
        PtxError: a text does not assemble; nothing is written then.
        OSError: a file cannot be written.
    """
    taken = {name: resources(name, compiled) for name, compiled in texts.items()}
    kernels = {
        name: {
            'block': KERNELS[name].block,
            'parameters': KERNELS[name].parameters,
            'shared': compiled.shared,
            'registers': {f'sm_{key}': value.registers for key, value in taken[name].items()},
            'sha256': hashlib.sha256(compiled.text.encode()).hexdigest(),
        }
        for name, compiled in texts.items()
    }
    index = {
        'format': FORMAT,
        'target': TARGET,
        'ptx_version': PTX_VERSION,
        'compiler': compiler_versions(),
        'kernels': kernels,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*.ptx'):
        old.unlink()
    for name, compiled in texts.items():
        (folder / f'{name}.ptx').write_bytes(compiled.text.encode())
    (folder / INDEX).write_text(json.dumps(index, indent=1) + '\n')


def print_table(texts: dict[str, CompiledText]) -> None:
    """Threads, shared memory, registers and spilled bytes of every kernel and architecture."""
    columns = ''.join(f'{f"sm_{architecture}":>8}' for architecture in ARCHITECTURES)
    print(f'{"kernel":18}{"threads":>10}{"shared":>8}{columns}   registers+spilled bytes')
    for name, compiled in texts.items():
        taken = [assemble(compiled.text, architecture) for architecture in ARCHITECTURES]
        cells = ''.join(f'{f"{one.registers}+{one.spilled}":>8}' for one in taken)
        block = 'x'.join(str(size) for size in KERNELS[name].block if size > 1)
        print(f'{name:18}{block:>10}{compiled.shared:>8}{cells}', flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m training.panoptic_kernels.compile',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--output', type=Path, default=FOLDER, help='folder to write; default: the one in use'
    )
    parser.add_argument(
        '--table', action='store_true', help='print what each kernel takes; write nothing'
    )
    options = parser.parse_args(arguments)
    try:
        texts = {name: compile_kernel(name, kernel) for name, kernel in KERNELS.items()}
        if options.table:
            print_table(texts)
        else:
            write_store(options.output, texts)
            print(f'{len(texts)} kernels in {options.output}')
    except (UpsnetError, OSError) as error:
        print(f'compile: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
