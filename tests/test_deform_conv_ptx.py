# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The compiled kernels as an engine's builder reads them.

Runs in the environment without torch and Triton, as on a vehicle.
"""

import json
import shutil
from pathlib import Path

import pytest

from tests.python_process import run_python
from training.deform_conv_kernels.launch import PARAMETERS, SCALARS
from training.deform_conv_kernels.ptx_store import FOLDER, INDEX, KernelStoreError, read_store
from training.deform_conv_kernels.ptx_text import (
    MAX_SHARED,
    PTX_VERSION,
    TARGET,
    PtxError,
    check_text,
    strip_hidden_parameters,
)
from training.deform_conv_kernels.tiles import TILES

ROOT = Path(__file__).parents[1]
STORE = read_store()
KERNELS = {kernel.tile.name: kernel for kernel in STORE.kernels}
KINDS = tuple('u32' if name in SCALARS else 'u64' for name in PARAMETERS)
ANY_TILE = KERNELS['float32_any_64x64x16_w8'].tile
TEXT = """.version 8.5
.target sm_80
.address_size 64
.visible .entry deform(
\t.param .u64 .ptr .global .align 1 deform_param_0,
\t.param .u32 deform_param_1,
\t.param .u64 .ptr .global .align 1 deform_param_10
)
.reqntid 128
{
\tld.param.b64 %rd1, [deform_param_0];
\tld.param.b32 %r1, [deform_param_1];
\tret;
}
"""


def test_every_tile_is_compiled_in_order_and_nothing_else() -> None:
    assert tuple(kernel.tile for kernel in STORE.kernels) == TILES
    assert {path.stem for path in FOLDER.glob('*.ptx')} == {tile.name for tile in TILES}
    assert len(KERNELS) == len(TILES)


@pytest.mark.parametrize('name', KERNELS)
def test_text_is_what_tensorrt_takes(name: str) -> None:
    kernel = KERNELS[name]
    check_text(
        kernel.text,
        entry=kernel.entry,
        kinds=KINDS,
        threads=kernel.tile.threads,
        shared=kernel.shared,
    )
    assert kernel.tile.threads in (128, 256)
    assert (STORE.target, STORE.ptx_version) == (TARGET, PTX_VERSION) == ('sm_80', '8.5')


@pytest.mark.parametrize('name', [n for n in KERNELS if not n.startswith('float32')])
def test_products_use_matrix_units(name: str) -> None:
    kind = 'f16.f16' if name.startswith('float16') else 'tf32.tf32'
    assert f'mma.sync.aligned.m16n8k{16 if kind == "f16.f16" else 8}' in KERNELS[name].text
    assert f'.f32.{kind}.f32' in KERNELS[name].text


@pytest.mark.parametrize('name', [n for n in KERNELS if n.startswith('float32')])
def test_products_of_single_precision_stay_so(name: str) -> None:
    assert 'mma.sync' not in KERNELS[name].text
    assert 'fma.rn.f32' in KERNELS[name].text


@pytest.mark.parametrize('name', [n for n in KERNELS if '_any_' not in n])
def test_weights_and_maps_with_channels_last_are_read_in_words_of_16_bytes(name: str) -> None:
    """16 bytes at once need channels known to be multiples: the point of such tiles."""
    text = KERNELS[name].text
    wide = text.count('cp.async.cg.shared.global') + text.count('ld.global.v4.b32')
    assert wide >= (5 if '_nhwc_' in name else 1)


def altered(folder: Path) -> Path:
    return Path(shutil.copytree(FOLDER, folder / 'ptx'))


def test_altered_text_is_refused(tmp_path: Path) -> None:
    folder = altered(tmp_path)
    path = folder / f'{ANY_TILE.name}.ptx'
    path.write_text(path.read_text().replace('add.f32', 'sub.f32', 1) + ' ')
    with pytest.raises(KernelStoreError, match=f'{ANY_TILE.name}.ptx: SHA-256 .*compile'):
        read_store(folder)


def test_missing_files_are_named(tmp_path: Path) -> None:
    folder = altered(tmp_path)
    (folder / f'{ANY_TILE.name}.ptx').unlink()
    with pytest.raises(KernelStoreError, match=f'{ANY_TILE.name}.ptx: No such file'):
        read_store(folder)
    with pytest.raises(KernelStoreError, match=f'{INDEX}: No such file'):
        read_store(tmp_path / 'nowhere')


def test_huge_file_is_not_read(tmp_path: Path) -> None:
    folder = altered(tmp_path)
    with (folder / f'{ANY_TILE.name}.ptx').open('ab') as file:
        file.truncate(2**33)  # a sparse file
    with pytest.raises(KernelStoreError, match='larger than'):
        read_store(folder)


@pytest.mark.parametrize(
    'change',
    [
        lambda index: index.pop('kernels'),
        lambda index: index.update(format=2),
        lambda index: index['parameters'].reverse(),
        lambda index: index['kernels'][0].pop('sha256'),
        lambda index: index['kernels'][0].update(shared='0'),
        lambda index: index['kernels'][0]['tile'].update(precision='../../etc/passwd'),
        lambda index: index['kernels'][0]['tile'].update(warps=True),
        lambda index: index['kernels'][0]['tile'].update(colour='red'),
    ],
)
def test_index_that_says_something_else_is_refused(tmp_path: Path, change) -> None:
    folder = altered(tmp_path)
    index = json.loads((folder / INDEX).read_text())
    change(index)
    (folder / INDEX).write_text(json.dumps(index))
    with pytest.raises(KernelStoreError):
        read_store(folder)


@pytest.mark.parametrize('content', [b'', b'[]', b'{"format": 1', b'\xff\xfe'])
def test_index_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    folder = altered(tmp_path)
    (folder / INDEX).write_bytes(content)
    with pytest.raises(KernelStoreError, match=INDEX):
        read_store(folder)


def test_reading_and_launching_take_neither_torch_nor_triton_nor_numpy() -> None:
    code = (
        'import sys\n'
        "for name in ('torch', 'torchvision', 'triton', 'numpy'): sys.modules[name] = None\n"
        'from training.deform_conv_kernels import launch, ptx_store\n'
        'print(len(ptx_store.read_store().kernels))\n'
    )
    done = run_python(code)
    assert int(done.stdout) == len(TILES)


def test_hidden_parameters_are_cut() -> None:
    short = strip_hidden_parameters(TEXT, 'deform', 2)
    assert 'deform_param_10' not in short
    check_text(short, entry='deform', kinds=('u64', 'u32'), threads=128, shared=0)


def test_hidden_parameter_in_use_is_refused_and_a_longer_name_is_no_use() -> None:
    """``deform_param_1`` is used, ``deform_param_10`` is not: names are compared whole."""
    assert strip_hidden_parameters(TEXT, 'deform', 2)
    with pytest.raises(PtxError, match='deform_param_1 is used'):
        strip_hidden_parameters(TEXT, 'deform', 1)
    with pytest.raises(PtxError, match='3 parameters, expected at least 4'):
        strip_hidden_parameters(TEXT, 'deform', 4)
    with pytest.raises(PtxError, match="no entry function 'other'"):
        strip_hidden_parameters(TEXT, 'other', 2)


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('8.5', '9.0', '.version'),
        ('sm_80', 'sm_90a', '.target'),
        ('.reqntid 128', '.reqntid 256', '.reqntid'),
        ('.reqntid 128', '', '.reqntid'),
        ('.u32 deform', '.u64 deform', 'parameters'),
        ('\tret;', '\t.local .b8 stack[16];\n\tret;', 'local memory'),
        ('\tret;', '\tcall.uni vprintf, (%rd1);\n\tret;', 'calls'),
    ],
)
def test_text_that_tensorrt_would_not_take_is_refused(old: str, new: str, message: str) -> None:
    text = strip_hidden_parameters(TEXT, 'deform', 2).replace(old, new)
    with pytest.raises(PtxError, match=message):
        check_text(text, entry='deform', kinds=('u64', 'u32'), threads=128, shared=0)


def test_too_much_shared_memory_is_refused() -> None:
    text = strip_hidden_parameters(TEXT, 'deform', 2)
    settings = {'entry': 'deform', 'kinds': ('u64', 'u32'), 'threads': 128}
    check_text(text, **settings, shared=MAX_SHARED)
    with pytest.raises(PtxError, match='shared memory'):
        check_text(text, **settings, shared=MAX_SHARED + 1)
