# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reads the compiled kernels of a frame in `ptx/`; needs nothing to do so.

`kernels.json` describes a file of PTX text for each kernel, with its SHA-256: an altered,
truncated or mixed-up file is refused, since a GPU would run it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upsnet_ros.core.errors import ModelError

FOLDER = Path(__file__).parent / 'ptx'
INDEX = 'kernels.json'
FORMAT = 1
_MAX_BYTES = 4 * 2**20  # of a file; ours have a tenth of that at most
_REMEDY = 'install the package again'
_NAME = re.compile('[a-z_]+')
# An array of one to three axes, or a number.
_KIND = re.compile(r'(?:u?int(?:8|16|32)|float(?:32|64))\[[123]\]|int64|float64')


class KernelStoreError(ModelError):
    """A compiled kernel that is missing, altered or not described as it should be."""


@dataclass(frozen=True)
class CompiledKernel:
    """A kernel for GPUs.

    Attributes:
        name: of the function in the text.
        text: PTX.
        block: threads along x, y, z.
        parameters: type of each by name: `float32[2]` is an array of two axes, which takes nine
            values, see `array_values`; others take one.
    """

    name: str
    text: str
    block: tuple[int, int, int]
    parameters: Mapping[str, str]


def array_values(address: int, shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Return what a kernel takes for an array in one piece, whole numbers of 64 bits.

    They are two owners (none), how many elements of how many bytes, the address, the shape and
    the steps in bytes: how numba lays out an array.
    """
    steps = tuple(item_bytes * math.prod(shape[axis + 1 :]) for axis in range(len(shape)))
    return 0, 0, math.prod(shape), item_bytes, address, *shape, *steps


def read_kernels(folder: Path = FOLDER) -> dict[str, CompiledKernel]:
    """Read and check all compiled kernels.

    Args:
        folder: with `kernels.json` and the files it names.

    Returns:
        The kernels by name; every text has the hash that the index gives.

    Raises:
        KernelStoreError: a file is missing, unreadable, altered or described wrongly.
    """
    path = folder / INDEX
    try:
        index = json.loads(_read(path))
        if index['format'] != FORMAT:
            raise KernelStoreError(
                f'{path}: format is {index["format"]!r}, expected {FORMAT}; {_REMEDY}'
            )
        return {name: _kernel(folder, name, entry) for name, entry in index['kernels'].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KernelStoreError(f'{path} is no index of kernels ({error!r}); {_REMEDY}') from error


def _kernel(folder: Path, name: str, entry: dict[str, Any]) -> CompiledKernel:
    """Read one kernel."""
    if not _NAME.fullmatch(name):
        raise ValueError(f'{name!r} is no name of a kernel')
    block = tuple(entry['block'])
    if len(block) != 3 or not all(type(size) is int and 1 <= size <= 1024 for size in block):
        raise ValueError(f'{block!r} is no block of threads')
    parameters = dict(entry['parameters'])
    for kind in parameters.values():
        if not _KIND.fullmatch(kind):
            raise ValueError(f'{kind!r} is no type of a parameter')
    path = folder / f'{name}.ptx'
    text = _read(path)
    found = hashlib.sha256(text.encode()).hexdigest()
    if found != entry['sha256']:
        raise KernelStoreError(
            f'{path}: SHA-256 is {found}, expected {entry["sha256"]!r} as in {INDEX}; {_REMEDY}'
        )
    return CompiledKernel(name, text, block, parameters)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise KernelStoreError(f'{path} is larger than {_MAX_BYTES} bytes; {_REMEDY}')
        return path.read_bytes().decode()
    except OSError as error:
        raise KernelStoreError(f'{path} cannot be read: {error.strerror}; {_REMEDY}') from error
