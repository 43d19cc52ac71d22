# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compile the deformable convolution to PTX, once for each tile; needs no GPU.

    python -m training.deform_conv_kernels.compile           after every change of the kernel
    python -m training.deform_conv_kernels.compile --table   registers and spills of every tile

The files go to ``ptx/`` beside this module and into the repository: an engine is then built
without Triton. One text serves all GPUs from Ampere on, because the driver translates it when
the engine is loaded; here it is assembled for each of them as a check.
"""

import argparse
import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from training.deform_conv_kernels import kernel as kernel_module
from training.deform_conv_kernels.assembler import (
    ARCHITECTURES,
    Resources,
    assemble,
    assembler_version,
)
from training.deform_conv_kernels.kernel_options import compile_options, kernel_constants
from training.deform_conv_kernels.launch import PARAMETERS, SCALARS
from training.deform_conv_kernels.ptx_store import FOLDER, FORMAT, INDEX
from training.deform_conv_kernels.ptx_text import (
    PTX_VERSION,
    TARGET,
    PtxError,
    check_text,
    strip_hidden_parameters,
)
from training.deform_conv_kernels.tiles import TILES, Tile
from upsnet_ros.core.errors import UpsnetError

POINTER_ALIGNMENT = 16  # bytes; TensorRT's tensors have 256


@dataclass(frozen=True)
class CompiledText:
    """A checked text and what its launch takes.

    Attributes:
        tile: What it was compiled for.
        entry: Name of the function.
        text: PTX.
        shared: Dynamic shared memory in bytes.
    """

    tile: Tile
    entry: str
    text: str
    shared: int


def compile_tile(tile: Tile) -> CompiledText:
    """Compile the kernel for one tile and make the text fit for TensorRT.

    Raises:
        PtxError: If the text is not what TensorRT takes.
    """
    function = kernel_module.deform_conv2d_kernel
    element = 'fp16' if tile.precision == 'float16' else 'fp32'
    types = dict.fromkeys(PARAMETERS, f'*{element}') | dict.fromkeys(SCALARS, 'i32')
    types['offset'] = '*fp32'
    constants = kernel_constants(tile)
    aligned = {
        (index,): [['tt.divisibility', POINTER_ALIGNMENT]]
        for index, name in enumerate(PARAMETERS)
        if name not in SCALARS
    }
    source = ASTSource(function, types | dict.fromkeys(constants, 'constexpr'), constants, aligned)
    options = compile_options(tile) | {'ptx_version': int(PTX_VERSION.replace('.', ''))}
    with _reproducible():
        compiled = triton.compile(
            source, target=GPUTarget('cuda', int(TARGET.removeprefix('sm_')), 32), options=options
        )
    about = compiled.metadata
    if about.global_scratch_size or about.profile_scratch_size:
        raise PtxError(f'{tile.name}: the kernel asks for scratch memory, which TensorRT has not')
    text = strip_hidden_parameters(compiled.asm['ptx'], about.name, len(PARAMETERS))
    check_text(
        text,
        entry=about.name,
        kinds=tuple('u32' if name in SCALARS else 'u64' for name in PARAMETERS),
        threads=tile.threads,
        shared=about.shared,
    )
    return CompiledText(tile=tile, entry=about.name, text=text, shared=about.shared)


@contextmanager
def _reproducible() -> Iterator[None]:
    """Compile anew, and without the paths and lines of this machine's source files."""
    with tempfile.TemporaryDirectory() as cache, triton.knobs.compilation.scope():
        with triton.knobs.cache.scope():
            triton.knobs.cache.dir = cache
            triton.knobs.compilation.disable_line_info = True
            yield


def resources(compiled: CompiledText) -> dict[int, Resources]:
    """Assemble a text for every architecture.

    Raises:
        PtxError: If one refuses it, or registers do not suffice on one.
    """
    found = {architecture: assemble(compiled.text, architecture) for architecture in ARCHITECTURES}
    for architecture, taken in found.items():
        if taken.spilled:
            raise PtxError(
                f'{compiled.tile.name}: {taken.spilled} bytes spilled on sm_{architecture}; '
                'use a smaller tile or more warps'
            )
    return found


def source_sha256() -> str:
    """Of the kernel's source file."""
    return hashlib.sha256(Path(kernel_module.__file__).read_bytes()).hexdigest()


def compiler_versions() -> dict[str, str]:
    """Versions that decide the texts (Triton) and their resources (ptxas)."""
    return {
        'triton': triton.__version__,
        'ptxas_sm_80': assembler_version(80),
        'ptxas_sm_90': assembler_version(90),
    }


def describe(compiled: CompiledText, taken: dict[int, Resources]) -> dict[str, object]:
    """The entry of one kernel in the index."""
    return {
        'tile': asdict(compiled.tile),
        'entry': compiled.entry,
        'shared': compiled.shared,
        'sha256': hashlib.sha256(compiled.text.encode()).hexdigest(),
        'resources': {f'sm_{key}': asdict(value) for key, value in taken.items()},
    }


def write_store(folder: Path, texts: list[CompiledText]) -> None:
    """Assemble, then write all files; texts of tiles that are no more are removed.

    Raises:
        PtxError: If a text does not assemble; nothing is written then.
        OSError: If a file cannot be written.
    """
    entries = [describe(compiled, resources(compiled)) for compiled in texts]
    index = {
        'format': FORMAT,
        'parameters': PARAMETERS,
        'target': TARGET,
        'ptx_version': PTX_VERSION,
        'source_sha256': source_sha256(),
        'compiler': compiler_versions(),
        'kernels': entries,
    }
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*.ptx'):
        old.unlink()
    for compiled in texts:
        (folder / f'{compiled.tile.name}.ptx').write_bytes(compiled.text.encode())
    (folder / INDEX).write_text(json.dumps(index, indent=1) + '\n')


def print_table(texts: list[CompiledText]) -> None:
    """Shared memory, registers and spilled bytes of every tile and architecture."""
    columns = ''.join(f'{f"sm_{architecture}":>9}' for architecture in ARCHITECTURES)
    print(f'{"tile":30}{"shared":>8}{columns}   registers+spilled bytes')
    for compiled in texts:
        taken = [assemble(compiled.text, architecture) for architecture in ARCHITECTURES]
        cells = ''.join(f'{f"{one.registers}+{one.spilled}":>9}' for one in taken)
        print(f'{compiled.tile.name:30}{compiled.shared:>8}{cells}', flush=True)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m training.deform_conv_kernels.compile',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--output', type=Path, default=FOLDER, help='folder to write; default: the one in use'
    )
    parser.add_argument(
        '--table', action='store_true', help='print what each tile takes; write nothing'
    )
    options = parser.parse_args(arguments)
    try:
        texts = [compile_tile(tile) for tile in TILES]
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
