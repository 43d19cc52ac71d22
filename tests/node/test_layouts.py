# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The layouts of RViz and Foxglove can be read and name only topics that the node has."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from upsnet_ros.node.topics import DIAGNOSTICS, INPUTS, OUTPUTS

CONFIG = Path(__file__).parents[2] / 'config'
RVIZ = CONFIG / 'rviz' / 'perception.rviz'
FOXGLOVE = CONFIG / 'foxglove' / 'perception.json'
SHOWN = {'/camera/overlay/image', '/camera/panoptic/image', '/camera/image_raw/compressed'}


def rviz_displays() -> list[dict[str, Any]]:
    return yaml.safe_load(RVIZ.read_text())['Visualization Manager']['Displays']


def rviz_topics() -> set[str]:
    return {display['Topic']['Value'] for display in rviz_displays()}


def foxglove_panels() -> dict[str, dict[str, Any]]:
    return json.loads(FOXGLOVE.read_text())['configById']


def foxglove_topics() -> set[str]:
    topics = set()
    for panel in foxglove_panels().values():
        image = panel.get('imageMode', {})
        topics |= {image.get('imageTopic'), image.get('calibrationTopic')}
        topics.add(panel.get('topicToRender'))
    return topics - {None}


@pytest.mark.parametrize('topics', [rviz_topics, foxglove_topics])
def test_every_topic_is_one_of_the_node(topics) -> None:
    known = {
        '/' + topic.of('camera').replace('~', 'perception_node').lstrip('/'): topic.kind
        for topic in (*INPUTS, *OUTPUTS, DIAGNOSTICS)
    }
    assert topics() <= known.keys()
    images = {
        name for name, kind in known.items() if kind.endswith(('/Image', '/CompressedImage'))
    }
    assert topics() & images >= SHOWN


def test_rviz_has_an_image_display_for_each_topic() -> None:
    displays = rviz_displays()
    assert {display['Class'] for display in displays} == {'rviz_default_plugins/Image'}
    assert len({display['Name'] for display in displays}) == len(displays)
    assert (
        sum(display['Topic']['Value'].startswith('/camera/image_raw') for display in displays) == 2
    )
    for display in displays:
        is_input = '/image_raw' in display['Topic']['Value']
        wanted = 'Best Effort' if is_input else 'Reliable'
        assert display['Topic']['Reliability Policy'] == wanted
        assert display['Enabled'] == display['Value']


def test_foxglove_pairs_each_image_with_the_calibration_of_its_size() -> None:
    pairs = {
        panel['imageMode']['imageTopic']: panel['imageMode']['calibrationTopic']
        for panel in foxglove_panels().values()
        if 'calibrationTopic' in panel.get('imageMode', {})
    }
    assert pairs == {
        '/camera/overlay/image': '/camera/overlay/camera_info',
        '/camera/panoptic/image': '/camera/panoptic/camera_info',
    }
