# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The PTX in the repository is what the kernel compiles to, and every GPU's assembler takes it."""

import hashlib
import json

import pytest

from training.deform_conv_kernels import compile as compile_module
from training.deform_conv_kernels.assembler import ARCHITECTURES, Resources, assemble
from training.deform_conv_kernels.compile import (
    compile_tile,
    compiler_versions,
    main,
    source_sha256,
)
from training.deform_conv_kernels.ptx_store import FOLDER, INDEX, read_store
from training.deform_conv_kernels.ptx_text import PtxError
from training.deform_conv_kernels.tiles import TILES, Tile

STORE = read_store()
STORED = {
    kernel.tile.name: (kernel, entry)
    for kernel, entry in zip(
        STORE.kernels, json.loads((FOLDER / INDEX).read_text())['kernels'], strict=True
    )
}
SPILLING = Tile('float16', 128, 64, 16, 64, 1, 1, even_channels=False, channels_last=False)


def test_texts_were_compiled_from_this_source_by_this_compiler() -> None:
    """Otherwise: python -m training.deform_conv_kernels.compile."""
    assert STORE.source_sha256 == source_sha256()
    assert STORE.compiler == compiler_versions()


@pytest.mark.parametrize('tile', TILES, ids=[tile.name for tile in TILES])
def test_compiling_again_gives_the_same_bytes(tile: Tile) -> None:
    kernel, _ = STORED[tile.name]
    compiled = compile_tile(tile)
    assert compiled.text == kernel.text
    assert (compiled.entry, compiled.shared) == (kernel.entry, kernel.shared)
    assert hashlib.sha256(compiled.text.encode()).hexdigest() == kernel.sha256


@pytest.mark.parametrize('tile', TILES, ids=[tile.name for tile in TILES])
def test_text_assembles_for_every_gpu_without_spilling(tile: Tile) -> None:
    kernel, entry = STORED[tile.name]
    assert list(entry['resources']) == [f'sm_{number}' for number in ARCHITECTURES]
    for architecture in ARCHITECTURES:
        taken = assemble(kernel.text, architecture)
        assert taken == Resources(**entry['resources'][f'sm_{architecture}'])
        assert taken.spilled == 0
        assert taken.registers * tile.threads <= 2**16  # of a multiprocessor


def test_broken_text_is_refused_with_what_ptxas_says() -> None:
    text = STORE.kernels[0].text.replace('add.f32', 'bad.f32')
    assert text != STORE.kernels[0].text
    with pytest.raises(PtxError, match=r'ptxas for sm_87 says: (.|\n)*bad'):
        assemble(text, 87)


def test_command_writes_a_store_that_reads(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(compile_module, 'TILES', TILES[-1:])
    (tmp_path / 'old.ptx').write_text('of a tile that is no more')
    assert main(['--output', str(tmp_path)]) == 0
    assert '1 kernels' in capsys.readouterr().out
    assert read_store(tmp_path).kernels == STORE.kernels[-1:]
    assert not (tmp_path / 'old.ptx').exists()


def test_command_refuses_a_tile_that_spills_and_writes_nothing(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(compile_module, 'TILES', (SPILLING,))
    monkeypatch.setattr(compile_module, 'ARCHITECTURES', ARCHITECTURES[:1])
    assert main(['--output', str(tmp_path / 'ptx')]) == 1
    assert 'bytes spilled on sm_' in capsys.readouterr().err
    assert not (tmp_path / 'ptx').exists()
