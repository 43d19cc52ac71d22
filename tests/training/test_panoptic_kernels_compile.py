# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The PTX in the repository is what the kernels compile to, and every GPU's assembler takes it."""

import json

import pytest

from training.deform_conv_kernels.assembler import ARCHITECTURES, assemble
from training.deform_conv_kernels.ptx_text import PtxError
from training.panoptic_kernels import compile as compile_module
from training.panoptic_kernels.compile import (
    check_text,
    compile_kernel,
    compiler_versions,
    main,
)
from training.panoptic_kernels.kernels import KERNELS
from upsnet_ros.backends.kernel_store import FOLDER, INDEX, read_kernels

STORED = read_kernels()
INDEXED = json.loads((FOLDER / INDEX).read_text())


def test_texts_were_compiled_by_this_compiler() -> None:
    """Otherwise: python -m training.panoptic_kernels.compile."""
    assert INDEXED['compiler'] == compiler_versions()


@pytest.mark.parametrize('name', KERNELS)
def test_compiling_again_gives_the_same_bytes(name: str) -> None:
    compiled = compile_kernel(name, KERNELS[name])
    assert compiled.text == STORED[name].text
    assert compiled.shared == INDEXED['kernels'][name]['shared']


@pytest.mark.parametrize('name', KERNELS)
def test_text_assembles_for_every_gpu_without_spilling(name: str) -> None:
    x, y, z = STORED[name].block
    registers = INDEXED['kernels'][name]['registers']
    assert list(registers) == [f'sm_{number}' for number in ARCHITECTURES]
    for architecture in ARCHITECTURES:
        taken = assemble(STORED[name].text, architecture)
        assert taken.registers == registers[f'sm_{architecture}']
        assert taken.spilled == 0
        assert taken.registers * x * y * z <= 2**16  # of a multiprocessor


@pytest.mark.parametrize(
    ('old', 'new', 'message'),
    [
        ('.version 8.5', '.version 9.0', r'\.version'),
        ('.target sm_80', '.target sm_90a', r'\.target'),
        ('.param .u64', '.param .u32', 'param'),
        ('\tret;', '\t.local .b8 stack[16];\n\tret;', 'local'),
        ('\tret;', '\tcall.uni vprintf, (%rd1);\n\tret;', 'call'),
        ('\tret;', '\tfma.rn.f32 %f1, %f1, %f1, %f1;\n\tret;', 'fma'),
    ],
)
def test_text_that_some_gpu_or_driver_would_not_run_is_refused(
    old: str, new: str, message: str
) -> None:
    text = STORED['write_labels'].text
    check_text(text, 'write_labels', KERNELS['write_labels'])
    assert old in text
    with pytest.raises(PtxError, match=message):
        check_text(text.replace(old, new), 'write_labels', KERNELS['write_labels'])


def test_command_writes_a_store_that_reads(tmp_path, monkeypatch, capsys) -> None:
    few = {'write_labels': KERNELS['write_labels']}
    monkeypatch.setattr(compile_module, 'KERNELS', few)
    (tmp_path / 'old.ptx').write_text('of a kernel that is no more')
    assert main(['--output', str(tmp_path)]) == 0
    assert '1 kernels' in capsys.readouterr().out
    assert read_kernels(tmp_path) == {'write_labels': STORED['write_labels']}
    assert not (tmp_path / 'old.ptx').exists()


def test_command_prints_what_each_kernel_takes(monkeypatch, capsys) -> None:
    monkeypatch.setattr(compile_module, 'KERNELS', {'claim_masks': KERNELS['claim_masks']})
    assert main(['--table']) == 0
    line = capsys.readouterr().out.splitlines()[1]
    assert line.split()[:3] == ['claim_masks', '1024', '4']


def test_command_refuses_a_kernel_that_spills_and_writes_nothing(
    tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.setattr(compile_module, 'KERNELS', {'write_labels': KERNELS['write_labels']})
    monkeypatch.setattr(
        compile_module, 'assemble', lambda text, architecture: compile_module.Resources(255, 16)
    )
    assert main(['--output', str(tmp_path / 'ptx')]) == 1
    assert 'write_labels: 16 bytes spilled on sm_80' in capsys.readouterr().err
    assert not (tmp_path / 'ptx').exists()
