# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The compiled kernels of a frame as they are read where they run."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.panoptic_kernels.kernels import KERNELS
from upsnet_ros.backends.kernel_store import (
    FOLDER,
    INDEX,
    KernelStoreError,
    array_values,
    read_kernels,
)


def test_kernels_are_those_of_the_source_with_its_blocks_and_parameters() -> None:
    """Otherwise: python -m training.panoptic_kernels.compile."""
    kernels = read_kernels()
    assert list(kernels) == list(KERNELS)
    assert {path.stem for path in FOLDER.glob('*.ptx')} == set(KERNELS)
    for name, kernel in kernels.items():
        assert kernel.block == KERNELS[name].block
        assert list(kernel.parameters.items()) == list(KERNELS[name].parameters.items())
        assert f'.entry {name}(' in kernel.text
        # The driver counts threads and parameters by this text.
        (threads,) = re.findall(r'^\.maxntid (\d+), 1, 1$', kernel.text, re.M)
        assert int(threads) == np.prod(kernel.block)
        values = sum(
            len(array_values(0, (1,) * int(kind[-2]), 1)) if kind.endswith(']') else 1
            for kind in kernel.parameters.values()
        )
        assert len(re.findall(r'^\s*\.param ', kernel.text, re.M)) == values
        assert 8 * values <= 4096  # bytes of parameters that every GPU takes


@pytest.mark.parametrize('dtype', ['uint8', 'float32', 'float64'])
@pytest.mark.parametrize('shape', [(5,), (3, 7), (2, 3, 4)])
def test_an_array_is_passed_as_numpy_lays_it_out(shape: tuple[int, ...], dtype: str) -> None:
    array = np.zeros(shape, dtype)
    values = array_values(4096, shape, array.itemsize)
    assert values[:5] == (0, 0, array.size, array.itemsize, 4096)
    assert values[5:] == (*array.shape, *array.strides)


def copied(folder: Path) -> Path:
    return Path(shutil.copytree(FOLDER, folder / 'ptx'))


def test_an_altered_text_is_refused(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    path = folder / 'label_pixels.ptx'
    path.write_text(path.read_text().replace('add.rn.f32', 'sub.rn.f32', 1))
    with pytest.raises(KernelStoreError, match=r'label_pixels.ptx: SHA-256 is .* expected'):
        read_kernels(folder)


def test_missing_and_huge_files_are_named(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    with (folder / 'write_labels.ptx').open('ab') as file:
        file.truncate(2**33)  # a sparse file
    with pytest.raises(KernelStoreError, match=r'write_labels.ptx is larger than'):
        read_kernels(folder)
    (folder / 'write_labels.ptx').unlink()
    with pytest.raises(KernelStoreError, match=r'write_labels.ptx cannot be read: No such file'):
        read_kernels(folder)
    with pytest.raises(KernelStoreError, match=f'{INDEX} cannot be read'):
        read_kernels(tmp_path / 'nowhere')


@pytest.mark.parametrize(
    'change',
    [
        pytest.param(lambda index: index.pop('kernels'), id='no kernels'),
        pytest.param(lambda index: index.update(format=2), id='another format'),
        pytest.param(lambda index: index['kernels']['write_labels'].pop('sha256'), id='no hash'),
        pytest.param(
            lambda index: index['kernels']['write_labels'].update(block=[32, 8]), id='a flat block'
        ),
        pytest.param(
            lambda index: index['kernels']['write_labels'].update(block=[4096, 1, 1]),
            id='a block that no GPU has',
        ),
        pytest.param(
            lambda index: index['kernels']['write_labels']['parameters'].update(image='char*'),
            id='a parameter of an unknown type',
        ),
        pytest.param(
            lambda index: index['kernels'].update({'../../etc/passwd': {}}), id='a path as a name'
        ),
    ],
)
def test_an_index_that_says_something_else_is_refused(
    tmp_path: Path, change: Callable[[dict], object]
) -> None:
    folder = copied(tmp_path)
    index = json.loads((folder / INDEX).read_text())
    change(index)
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(KernelStoreError, match=INDEX):
        read_kernels(folder)


@pytest.mark.parametrize('content', [b'', b'[]', b'{"format": 1', b'\xff\xfe'])
def test_an_index_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = copied(tmp_path)
    (folder / INDEX).write_bytes(content)
    with pytest.raises(KernelStoreError, match=INDEX):
        read_kernels(folder)
