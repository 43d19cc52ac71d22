# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which Fast DDS profile the launch file hands to the node."""

from pathlib import Path

import pytest

from tests.node import fake_launch

ROOT = Path(__file__).parents[1]
MINE = str(ROOT / 'package.xml')  # any file that exists
OLD, NEW = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'


@pytest.mark.parametrize(
    ('distribution', 'exported', 'expected'),
    [
        ('kilted', {}, {NEW: str(ROOT / 'config' / 'fastdds.xml')}),
        ('kilted', {NEW: MINE}, {NEW: MINE}),
        ('kilted', {OLD: MINE}, {NEW: MINE}),
        ('jazzy', {OLD: MINE}, {OLD: MINE}),
    ],
)
def test_an_exported_profile_is_the_default(monkeypatch, distribution, exported, expected) -> None:
    for name in (OLD, NEW):
        monkeypatch.delenv(name, raising=False)
    for name, value in {'ROS_DISTRO': distribution, **exported}.items():
        monkeypatch.setenv(name, value)
    fake_launch.install(monkeypatch)
    path = ROOT / 'launch' / 'perception.launch.py'
    (node,) = fake_launch.perform(fake_launch.load(path))
    assert node.additional_env == expected
