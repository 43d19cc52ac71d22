# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""docs/replay_evaluation.md and --help tell of every option and event of the player."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from upsnet_ros.node import bag_player
from upsnet_ros.node.bag_player import main, parse_arguments

ROOT = Path(__file__).parents[2]
SECTION = (
    (ROOT / 'docs' / 'replay_evaluation.md')
    .read_text()
    .split('\n## Playing a bag\n', 1)[1]
    .split('\n## ', 1)[0]
)
EVENT = re.compile(r'emit\(\s*event=(.*?)[,)]')
NAME = re.compile(r"'(\w+)'")


def told_events() -> set[str]:
    """The names of all events that the player's sources emit."""
    sources = [
        path.read_text()
        for name in ('bag_player', 'bag_playing', 'play_schedule')
        for path in [ROOT / 'upsnet_ros' / 'node' / f'{name}.py']
    ]
    return {
        name for text in sources for call in EVENT.findall(text) for name in NAME.findall(call)
    }


def test_the_guide_has_every_option_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse_arguments(['--help'])
    options = set(re.findall(r'--[a-z][a-z-]+', capsys.readouterr().out)) - {'--help'}
    assert options >= {'--bag', '--loop', '--clock'}
    assert set(re.findall(r'--[a-z][a-z-]+', SECTION)) == options


def test_guide_and_docstring_have_every_event() -> None:
    events = told_events()
    assert events >= {'waiting', 'frame', 'paused', 'resumed', 'interrupted'}
    for text in (SECTION, bag_player.__doc__):
        assert {name for name in events if f'`{name}`' not in text} == set()


def test_the_examples_of_the_help_can_be_parsed() -> None:
    lines = [
        line.split(f'{bag_player.PROGRAM} ')[1]
        for line in bag_player.EXAMPLES.splitlines()
        if bag_player.PROGRAM in line
    ]
    assert len(lines) == 4
    for line in lines:
        assert str(parse_arguments(line.split()).bag) == 'drive'


def test_a_missing_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(['--bag', 'drive'])
    assert '--topics' in capsys.readouterr().err
