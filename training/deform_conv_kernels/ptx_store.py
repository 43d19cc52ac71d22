# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the compiled kernels in ``ptx/``; needs neither PyTorch nor Triton.

``kernels.json`` describes one file of PTX text for each tile, with its SHA-256: an altered,
truncated or mixed-up file is refused, since a GPU would run it.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from training.deform_conv_kernels.launch import PARAMETERS
from training.deform_conv_kernels.tiles import Tile
from upsnet_ros.core.errors import UpsnetError

FOLDER = Path(__file__).parent / 'ptx'
INDEX = 'kernels.json'
FORMAT = 1
MAX_BYTES = 4 * 2**20  # of a file; ours have about 50 kB
REMEDY = 'install the package again, or run "python -m training.deform_conv_kernels.compile"'


class KernelStoreError(UpsnetError):
    """A compiled kernel that is missing, altered or not described as it should be."""


@dataclass(frozen=True)
class CompiledKernel:
    """One kernel as TensorRT's plugin hands it on.

    Attributes:
        tile: What it computes at once; ``tile.name`` is the stem of its file.
        entry: Name of the function in the text.
        text: PTX.
        shared: Dynamic shared memory in bytes.
        sha256: Of the text in UTF-8, hexadecimal.
    """

    tile: Tile
    entry: str
    text: str
    shared: int
    sha256: str


@dataclass(frozen=True)
class KernelStore:
    """All compiled kernels and where they come from.

    Attributes:
        kernels: In the order of preference of :data:`.tiles.TILES`.
        parameters: Names of the kernels' parameters, in order.
        target: GPU architecture that the texts are for, and all later ones.
        ptx_version: Of the texts; the driver must know it.
        source_sha256: Of the kernel's source file.
        compiler: Versions of what compiled and assembled them.
    """

    kernels: tuple[CompiledKernel, ...]
    parameters: tuple[str, ...]
    target: str
    ptx_version: str
    source_sha256: str
    compiler: dict[str, str]

    def kernel(self, name: str) -> CompiledKernel:
        """The kernel of the tile with this name.

        Raises:
            KernelStoreError: If there is none.
        """
        for kernel in self.kernels:
            if kernel.tile.name == name:
                return kernel
        names = ', '.join(kernel.tile.name for kernel in self.kernels)
        raise KernelStoreError(f'no compiled kernel {name!r}; there are {names}')


def read_store(folder: Path = FOLDER) -> KernelStore:
    """Read and check all compiled kernels.

    Args:
        folder: With ``kernels.json`` and the files it names.

    Returns:
        The store; every text has the hash that the index gives.

    Raises:
        KernelStoreError: If a file is missing, unreadable, altered or described wrongly.
    """
    path = folder / INDEX
    try:
        index = json.loads(_read(path))
        if index['format'] != FORMAT:
            raise KernelStoreError(f'{path}: format {index["format"]!r}, expected {FORMAT}')
        if tuple(index['parameters']) != PARAMETERS:
            raise KernelStoreError(f'{path}: parameters of another version; {REMEDY}')
        return KernelStore(
            kernels=tuple(_kernel(folder, entry) for entry in index['kernels']),
            parameters=PARAMETERS,
            **{name: _typed(index[name], str) for name in ('target', 'ptx_version')},
            source_sha256=_typed(index['source_sha256'], str),
            compiler={str(key): _typed(v, str) for key, v in index['compiler'].items()},
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KernelStoreError(f'{path}: not an index of kernels ({error!r}); {REMEDY}') from error


def _kernel(folder: Path, entry: dict[str, Any]) -> CompiledKernel:
    """Read one kernel; the file's name follows from its tile, so that it names no other path."""
    types = get_type_hints(Tile)
    tile = Tile(**{name: _typed(value, types[name]) for name, value in entry['tile'].items()})
    path = folder / f'{tile.name}.ptx'
    text = _read(path)
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != entry['sha256']:
        raise KernelStoreError(
            f'{path}: SHA-256 {found}, but {INDEX} has {entry["sha256"]!r}; {REMEDY}'
        )
    return CompiledKernel(
        tile=tile,
        entry=_typed(entry['entry'], str),
        text=text,
        shared=_typed(entry['shared'], int),
        sha256=found,
    )


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(f'{value!r} is no {kind.__name__}')
    return value


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise KernelStoreError(f'{path}: larger than {MAX_BYTES} bytes; {REMEDY}')
        return path.read_bytes().decode()
    except OSError as error:
        raise KernelStoreError(f'{path}: {error.strerror}; {REMEDY}') from error
