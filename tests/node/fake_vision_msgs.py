# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The message types of vision_msgs 4 that the node fills, with all their fields and their types.

There is no wheel of the real package.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from geometry_msgs.msg import PoseWithCovariance
from rclpy.qos import QoSProfile
from std_msgs.msg import Header

from upsnet_ros.node import outputs


class Record(SimpleNamespace):
    """A message: every field of its type, with a default, and no other; types are checked."""

    FIELDS: dict[str, Any] = {}

    def __init__(self, **values: Any) -> None:
        super().__init__()
        defaults = {name: make() for name, make in self.FIELDS.items()}
        for name, value in {**defaults, **values}.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        assert isinstance(value, self.FIELDS[name]), (name, value)
        super().__setattr__(name, value)


def record(name: str, **fields: type) -> Any:
    return type(name, (Record,), {'FIELDS': fields})


Point2D = record('Point2D', x=float, y=float)
Pose2D = record('Pose2D', position=Point2D, theta=float)
BoundingBox2D = record('BoundingBox2D', center=Pose2D, size_x=float, size_y=float)
ObjectHypothesis = record('ObjectHypothesis', class_id=str, score=float)
ObjectHypothesisWithPose = record(
    'ObjectHypothesisWithPose', hypothesis=ObjectHypothesis, pose=PoseWithCovariance
)
Detection2D = record('Detection2D', header=Header, results=list, bbox=BoundingBox2D, id=str)
Detection2DArray = record('Detection2DArray', header=Header, detections=list)
VisionClass = record('VisionClass', class_id=int, class_name=str)
LabelInfo = record('LabelInfo', header=Header, class_map=list, threshold=float)
MESSAGES = (ObjectHypothesisWithPose, Detection2D, Detection2DArray, VisionClass, LabelInfo)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets imports find these classes for the length of a test, in front of the real ones."""
    messages = ModuleType('vision_msgs.msg')
    for kind in MESSAGES:
        setattr(messages, kind.__name__, kind)
    package = ModuleType('vision_msgs')
    package.__spec__ = ModuleSpec('vision_msgs', None)  # by which it is found to be installed
    monkeypatch.setitem(sys.modules, 'vision_msgs', package)
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', messages)


class RecordingPublisher:
    """Stands for a publisher of these types, which DDS does not know."""

    def __init__(self, topic: str, qos: QoSProfile) -> None:
        self.topic_name = topic
        self.qos_profile = qos
        self.readers = 0
        self.messages: list[Any] = []

    def get_subscription_count(self) -> int:
        return self.readers

    def publish(self, message: Any) -> None:
        self.messages.append(message)

    def wait_for_all_acked(self, timeout: Any) -> bool:
        return True


def install_publishers(monkeypatch: pytest.MonkeyPatch) -> dict[str, RecordingPublisher]:
    """Has nodes publish these types into lists; the publishers by topic, once created."""
    install(monkeypatch)
    made: dict[str, RecordingPublisher] = {}
    create_real = outputs.create_output

    def create(node: Any, kind: type, topic: str, qos: QoSProfile) -> Any:
        if not issubclass(kind, Record):
            return create_real(node, kind, topic, qos)
        made[topic] = RecordingPublisher(topic, qos)
        return made[topic]

    monkeypatch.setattr(outputs, 'create_output', create)
    return made
