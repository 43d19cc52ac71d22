# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The CSV log of a run: rows that will come again are dropped, no other row ever is."""

import os
from pathlib import Path

import pytest

from training.csv_log import CsvLog


def write(path: Path, *, start: int, steps: range) -> None:
    log = CsvLog(path, start=start)
    for step in steps:
        log.write(step, {'loss': step / 2})
    log.close()


def test_a_resumed_log_has_every_step_once(tmp_path: Path) -> None:
    path = tmp_path / 'losses.csv'
    write(path, start=0, steps=range(1, 6))
    with path.open('a') as file:
        file.write('6,2.')  # what a killed process left
    write(path, start=3, steps=range(4, 6))
    assert path.read_text().split() == ['step,loss', '1,0.5', '2,1', '3,1.5', '4,2', '5,2.5']
    assert list(tmp_path.iterdir()) == [path]


def test_a_stop_while_a_log_is_read_again_loses_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / 'losses.csv'
    write(path, start=0, steps=range(1, 6))
    before = path.read_text()

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, 'replace', stop)
    with pytest.raises(KeyboardInterrupt):
        CsvLog(path, start=3)
    assert path.read_text() == before
