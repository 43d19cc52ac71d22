# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which Fast DDS profile the launch file hands to the node."""

import importlib.util
from pathlib import Path

import pytest

from tests.node import fake_launch

ROOT = Path(__file__).parents[1]
OLD, NEW = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'


@pytest.mark.parametrize(
    ('distribution', 'exported', 'expected'),
    [
        ('kilted', {}, {NEW: str(ROOT / 'config' / 'fastdds.xml')}),
        ('kilted', {NEW: '/mine.xml'}, {NEW: '/mine.xml'}),
        ('kilted', {OLD: '/mine.xml'}, {NEW: '/mine.xml'}),
        ('jazzy', {OLD: '/mine.xml'}, {OLD: '/mine.xml'}),
    ],
)
def test_an_exported_profile_is_the_default(monkeypatch, distribution, exported, expected) -> None:
    for name in (OLD, NEW):
        monkeypatch.delenv(name, raising=False)
    for name, value in {'ROS_DISTRO': distribution, **exported}.items():
        monkeypatch.setenv(name, value)
    fake_launch.install(monkeypatch)
    path = ROOT / 'launch' / 'perception.launch.py'
    spec = importlib.util.spec_from_file_location('perception_launch', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    *declared, function = module.generate_launch_description().entities
    values = {argument.name: argument.default_value for argument in declared}
    (node,) = function.function(fake_launch.LaunchContext(values))
    assert node.additional_env == expected
