# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest

from training.synthetic.__main__ import main


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Runs the command, which must end with status 2; returns what it said."""
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    assert ended.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize(
    'size', ['1024', '1024x', '-1024x512', '64x64', '1022x512', '9000x512', '']
)
def test_a_bad_size_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, size: str
) -> None:
    error = fails(capsys, '--output', str(tmp_path / 'd'), '--train', '1', f'--size={size}')
    assert '--size' in error and f"'{size}'" in error and '1024x512' in error
    assert not (tmp_path / 'd').exists()


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('--train', '-1'),
        ('--val', '1.5'),
        ('--seed', '-7'),
        ('--frames', '0'),
        ('--rate', 'nan'),
    ],
)
def test_a_bad_number_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, option: str, value: str
) -> None:
    error = fails(capsys, '--output', str(tmp_path), f'{option}={value}')
    assert option in error and f"'{value}'" in error


def test_nothing_to_do_says_what_to_give(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert '--output' in fails(capsys) and '--bag' in fails(capsys)
    assert '--train' in fails(capsys, '--output', str(tmp_path))


def test_a_folder_that_cannot_be_made_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / 'file').write_text('in the way')
    for option, more in (('--output', ['--train', '1']), ('--bag', [])):
        target = tmp_path / 'file' / 'below'
        error = fails(capsys, option, str(target), *more)
        assert option in error and str(tmp_path / 'file') in error


def test_data_set_and_bag_in_one_call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    command = f'--output {tmp_path}/data --val 1 --size 128x128 --bag {tmp_path}/drive --frames 2'
    status = main([*command.split(), '--workers', '1'])
    assert status == 0
    assert len(list((tmp_path / 'data').rglob('*_leftImg8bit.png'))) == 1
    assert (tmp_path / 'drive' / 'metadata.yaml').is_file()
    assert '2 frames at 10 Hz' in capsys.readouterr().out
