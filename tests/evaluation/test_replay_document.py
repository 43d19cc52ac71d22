# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/replay_evaluation.md tells of every option, figure and key."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from types import ModuleType

import pytest

from tests.evaluation.live_rig import LIVE_SPEED
from upsnet_ros.bags.reader import BagFacts
from upsnet_ros.evaluation import replay
from upsnet_ros.evaluation.live import __main__ as live
from upsnet_ros.evaluation.replay_frames import FrameRecord, FrameStep, SkippedFrame
from upsnet_ros.evaluation.replay_report import (
    SCHEMA_VERSION,
    CameraFigures,
    LatencyFigures,
    ModelFacts,
    ReplayReport,
    SeriesPoint,
    SkippedMessage,
    WorstFrame,
)
from upsnet_ros.evaluation.requirements import COMPARISONS, NAMES

TEXT = (Path(__file__).parents[2] / 'docs' / 'replay_evaluation.md').read_text()
KINDS = (
    ReplayReport,
    BagFacts,
    ModelFacts,
    CameraFigures,
    LatencyFigures,
    SeriesPoint,
    SkippedMessage,
    WorstFrame,
    FrameRecord,
    FrameStep,
    SkippedFrame,
)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)
def test_every_key_is_described(kind: type) -> None:
    assert [f.name for f in fields(kind) if f'`{f.name}`' not in TEXT] == []


def test_every_figure_and_comparison_of_a_requirement_is_named() -> None:
    assert [name for name in (*NAMES, *COMPARISONS) if f'`{name}`' not in TEXT] == []


def test_every_key_of_a_live_speed_is_described() -> None:
    assert [name for name in LIVE_SPEED if f'`{name}`' not in TEXT] == []


@pytest.mark.parametrize('command', [replay, live], ids=lambda module: module.__name__)
def test_every_option_is_described(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.parse_arguments(['--help'])
    words = {word.strip('[],:') for word in capsys.readouterr().out.split()}
    options = {word for word in words if word.startswith('--')} - {'--help', '--output'}
    assert len(options) > 12
    assert [option for option in sorted(options) if f'`{option}' not in TEXT] == []


def test_the_version_is_the_one_that_is_written() -> None:
    assert f'`schema_version` is {SCHEMA_VERSION}.' in TEXT
