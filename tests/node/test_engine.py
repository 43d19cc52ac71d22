# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a model while who waits for it stays awake, and what is known of its file."""

import threading

import pytest

from upsnet_ros.node.engine import LoadingStopped, ModelLoading, file_identity


def loading(*, is_stopping=lambda: False, meanwhile=lambda: None) -> ModelLoading:
    return ModelLoading(is_stopping=is_stopping, meanwhile=meanwhile)


def test_a_load_gives_its_result_or_its_error() -> None:
    assert loading().run(lambda: 'model') == 'model'
    with pytest.raises(OSError, match='gone'):
        loading().run(lambda: (_ for _ in ()).throw(OSError('gone')))


def test_who_waits_for_a_load_is_called_meanwhile() -> None:
    called = threading.Event()
    waiting = loading(meanwhile=called.set)
    assert waiting.run(lambda: called.wait(20) and waiting.loading_for_s > 0)
    assert waiting.loading_for_s == 0.0


def test_a_load_that_is_no_longer_wanted_is_given_up() -> None:
    gate, stop = threading.Event(), threading.Event()
    waiting = loading(is_stopping=stop.is_set, meanwhile=stop.set)
    with pytest.raises(LoadingStopped, match='asked to end'):
        waiting.run(lambda: gate.wait(30))
    assert waiting.loading_for_s > 0
    gate.set()


def test_a_file_is_known_by_what_changes_when_it_is_replaced(tmp_path) -> None:
    path = tmp_path / 'model.onnx'
    assert file_identity(path) is None
    path.write_bytes(b'one')
    first = file_identity(path)
    assert file_identity(path) == first
    other = tmp_path / 'other'
    other.write_bytes(b'one')
    other.replace(path)
    assert file_identity(path) != first
