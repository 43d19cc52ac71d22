# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model in name only, and the node that labels by colour in place of the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.live.rig import colour_node_command, write_model
from upsnet_ros.evaluation.live import session


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """A file with a manifest that fits it; there is no network in it."""
    return write_model(tmp_path / 'model.onnx', b'no network')


@pytest.fixture
def colour_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations start the node that labels by colour, and wait long for its word."""
    monkeypatch.setattr(session, 'node_command', colour_node_command(session.node_command))
    monkeypatch.setattr(session, 'REPORT_SECONDS', 30.0)
