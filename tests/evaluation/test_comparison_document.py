# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/replay_evaluation.md tells of every option of the comparison and every key of its file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from upsnet_ros.evaluation.compare import parse_arguments
from upsnet_ros.evaluation.comparison import TOTALS
from upsnet_ros.evaluation.comparison_data import (
    COMPARISON_VERSION,
    ClassDifference,
    ComparedFrame,
    ComparedReport,
    Comparison,
    Difference,
    FrameCounts,
)
from upsnet_ros.evaluation.comparison_text import TOTAL_NAMES
from upsnet_ros.evaluation.frame_table import Figures
from upsnet_ros.evaluation.paired_bootstrap import BootstrapOptions

TEXT = (Path(__file__).parents[2] / 'docs' / 'replay_evaluation.md').read_text()
SECTION = TEXT.split('## Comparing two runs')[1].split('\n## ')[0]
KINDS = (
    BootstrapOptions,
    ClassDifference,
    ComparedFrame,
    ComparedReport,
    Comparison,
    Difference,
    FrameCounts,
)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.__name__)
def test_every_key_is_described(kind: type) -> None:
    assert [f.name for f in fields(kind) if f'`{f.name}`' not in SECTION] == []


def test_the_version_is_the_present_one() -> None:
    assert f'| `schema_version` | {COMPARISON_VERSION} |' in SECTION


def test_every_total_is_named_and_is_a_figure() -> None:
    names = [name for name, _, _ in TOTALS]
    assert [name for name in names if f'`{name}`' not in SECTION] == []
    assert set(names) == set(TOTAL_NAMES) <= {f.name for f in fields(Figures)}


def test_every_option_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(['--help'])
    words = {word.strip('[],:') for word in capsys.readouterr().out.split()}
    options = {word for word in words if word.startswith('--')} - {'--help'}
    assert len(options) == 8
    assert [option for option in sorted(options) if option not in SECTION] == []
