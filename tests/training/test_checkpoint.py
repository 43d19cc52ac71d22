# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoint files: damaged ones, malicious ones, and a disk that is full."""

import pickle
from datetime import datetime
from pathlib import Path

import pytest
import torch

from training.build import build_model
from training.checkpoint import Checkpoint, load_checkpoint, load_weights, save_checkpoint
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ModelError


def test_damaged_checkpoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='no checkpoint'):
        load_checkpoint(tmp_path / 'absent.pt')
    damaged = tmp_path / 'damaged.pt'
    whole = tmp_path / 'whole.pt'
    torch.save({'version': 2, 'model': torch.zeros(999)}, whole)
    for content, kind in (
        (b'not a checkpoint', 'something else'),
        (b'', 'empty'),
        (b' <!DOCTYPE html><html>too many downloads</html>', 'a web page'),
        (b'version https://git-lfs.github.com/spec/v1\noid', 'a pointer of Git LFS'),
        (b'\x08\x0a\x12\x07pytorch', 'an ONNX file'),
        (pickle.dumps({'epoch': datetime.now()}), 'a pickle of other objects'),
        (whole.read_bytes()[:-900], 'a file of torch.save, or a zip, that is cut off'),
    ):
        damaged.write_bytes(content)
        with pytest.raises(
            ModelError, match=f'cannot be read as .*it seems to be {kind}'
        ) as error:
            load_checkpoint(damaged)
        assert 'weights_only' not in str(error.value)
    torch.save({'version': 99}, damaged)
    with pytest.raises(ModelError, match='version 99'):
        load_checkpoint(damaged)
    torch.save({'version': 2, 'model': {}}, damaged)
    with pytest.raises(ModelError, match='checkpoint holds'):
        load_checkpoint(damaged)


class Payload:
    """Pickles to a call, as a malicious file would."""

    def __reduce__(self) -> tuple:
        return (print, ('executed',))


def test_a_checkpoint_never_executes_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'evil.pt'
    torch.save({'version': 2, 'model': Payload()}, path)
    with pytest.raises(ModelError, match='torch.save with other objects beside tensors'):
        load_checkpoint(path)
    assert 'executed' not in capsys.readouterr().out


def test_a_checkpoint_is_whole_or_the_old_one(
    small_recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'last.pt'
    weights = build_model(small_recipe).state_dict()
    save_checkpoint(Checkpoint.from_weights(small_recipe, weights), path)
    before = path.read_bytes()

    def full_disk(values: object, file: object) -> None:
        file.write(b'half')
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr('torch.save', full_disk)
    with pytest.raises(OSError, match='No space'):
        save_checkpoint(Checkpoint.from_weights(small_recipe, weights), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_weights_that_are_no_weights_are_refused(small_recipe: Recipe) -> None:
    model = build_model(small_recipe)
    for values in (None, [1], {'stem': torch.zeros(1)}):
        with pytest.raises(ModelError, match='another network'):
            load_weights(model, values)
