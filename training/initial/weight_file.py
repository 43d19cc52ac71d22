# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files of tensors, read without executing anything in them, and what does not fit in them."""

import warnings
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from training.official_names import WRAPPER_PREFIX
from upsnet_ros.core.errors import ModelError

SHOWN = 20  # problems that a message lists
FIRST_BYTES = {
    b'<': 'a web page, not the file behind it',
    b'version https://git-lfs': 'a pointer of Git LFS, which "git lfs pull" replaces by the file',
    b'PK': 'a file of torch.save, or a zip, that is cut off or damaged',
    b'\x80': 'a pickle of other objects than tensors, or one that is cut off',
    b'\x08': 'an ONNX file; give the checkpoint that it was exported from',
    b'ftrt': 'a TensorRT engine; give the checkpoint that it was made from',
    b'\x89HDF': 'an HDF5 file of another tool',
    b'\x1f\x8b': 'packed with gzip; unpack it',
    b'{': 'JSON',
}


class InitialWeightsError(ModelError):
    """Weights that do not fit the network they are for; the message names the tensors."""


def read_weight_file(path: Path) -> dict[str, Tensor]:
    """Read a state dict.

    Args:
        path: File of ``torch.save``: tensors by name, or a mapping that holds them under
            ``state_dict``.

    Returns:
        Tensors on the CPU by name, a leading ``module.`` removed.

    Raises:
        InitialWeightsError: If the file is missing, unreadable, or holds anything but tensors.
    """
    if not path.is_file():
        raise InitialWeightsError(f'no file of weights at {path}; check its name')
    values = read_torch_file(path, 'plain tensors (a state dict of torch.save)')
    return named_tensors(values, source=str(path))


def read_torch_file(path: Path, wanted: str) -> object:
    """Read what ``torch.save`` wrote, without executing anything in it.

    Args:
        path: The file.
        wanted: What it should hold, for the message.

    Raises:
        InitialWeightsError: If it cannot be read; says what the file seems to be.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # advice on pickles
            return torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # torch raises many types for files it cannot or must not read
        raise InitialWeightsError(
            f'{path} cannot be read as {wanted}: it seems to be {_what_it_is(path)}. Get the '
            'right file; other objects than tensors are never loaded, for that can execute code'
        ) from error


def _what_it_is(path: Path) -> str:
    """What a file that torch does not read seems to be, by its first bytes."""
    with path.open('rb') as file:
        start = file.read(64)
    if not start:
        return 'empty: a download that was broken off'
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            is_torch = any(name.endswith('data.pkl') for name in archive.namelist())
        return 'a file of torch.save with other objects beside tensors' if is_torch else 'a zip'
    if start[8:9] == b'{' and path.suffix == '.safetensors':
        return 'a safetensors file'
    found = (kind for first, kind in FIRST_BYTES.items() if start.lstrip().startswith(first))
    return next(found, 'something else')


def named_tensors(values: object, *, source: str) -> dict[str, Tensor]:
    """Check that a value is a state dict, or holds one under ``state_dict``.

    Args:
        values: What was read.
        source: Where it comes from, for the message.

    Raises:
        InitialWeightsError: If it holds anything but tensors by name.
    """
    if isinstance(values, Mapping) and isinstance(values.get('state_dict'), Mapping):
        values = values['state_dict']
    if not isinstance(values, Mapping) or not values:
        raise InitialWeightsError(
            f'{source} holds {"nothing" if values == {} else type(values).__name__}, expected '
            'tensors by name (a state dict)'
        )
    problems = [f'{key}: {_kind(v)}' for key, v in values.items() if not _is_tensor(v)]
    refuse_problems(problems, f'{source} is no state dict, some values are not tensors')
    tensors = {str(key).removeprefix(WRAPPER_PREFIX): value for key, value in values.items()}
    twice = [f'{WRAPPER_PREFIX}{name}' for name in tensors if f'{WRAPPER_PREFIX}{name}' in values]
    doubled = [f'{name}: is there with and without {WRAPPER_PREFIX!r}' for name in twice]
    if len(tensors) < len(values):
        refuse_problems(doubled, f'{source} has tensors twice, expected each once')
    return tensors


def _is_tensor(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided


def _kind(value: object) -> str:
    return str(value.layout) if isinstance(value, Tensor) else type(value).__name__


def problem_of(tensor: Tensor | None, wanted: Tensor) -> str | None:
    """What is wrong with a tensor that should go into another one, or None."""
    if tensor is None:
        return 'missing'
    if tensor.shape != wanted.shape:
        return f'{_shape(tensor)}, expected {_shape(wanted)}'
    if tensor.is_floating_point() != wanted.is_floating_point():
        return f'{tensor.dtype}, expected {wanted.dtype}'
    bad = tensor.numel() - int(torch.isfinite(tensor).sum())
    return f'{bad} of {tensor.numel()} values are not finite' if bad else None


def _shape(tensor: Tensor) -> str:
    """A shape such as ``64x3x7x7``."""
    return 'x'.join(map(str, tensor.shape)) or 'scalar'


def refuse_problems(problems: Iterable[str], message: str) -> None:
    """Raise an :class:`InitialWeightsError` that lists the problems, if there are any."""
    problems = list(problems)
    if not problems:
        return
    more = f'\n  and {len(problems) - SHOWN} more' if len(problems) > SHOWN else ''
    raise InitialWeightsError('\n  '.join((f'{message}:', *problems[:SHOWN])) + more)
