# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model in name only, the node that labels by colour in place of the real one, one domain."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.live.rig import colour_node_command, write_model
from upsnet_ros.dds_domain import own_domain
from upsnet_ros.evaluation.live import session

# Of all that these tests start, as a user sets it who starts the node himself.
os.environ['ROS_DOMAIN_ID'] = str(own_domain())


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    """A file with a manifest that fits it; there is no network in it."""
    return write_model(tmp_path / 'model.onnx', b'no network')


@pytest.fixture
def colour_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluations start the node that labels by colour, and wait long for its word."""
    monkeypatch.setattr(session, 'node_command', colour_node_command(session.node_command))
    monkeypatch.setattr(session, 'REPORT_SECONDS', 30.0)
