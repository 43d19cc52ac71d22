# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The fields of vision_msgs 4 that the node fills; there is no wheel of the real package."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


class Record(SimpleNamespace):
    """A message: only the fields of its type may be given."""

    FIELDS: tuple[str, ...] = ()

    def __init__(self, **values: Any) -> None:
        assert set(values) <= set(self.FIELDS), values
        super().__init__(**values)


class ObjectHypothesisWithPose(Record):
    def __init__(self) -> None:
        super().__init__()
        self.hypothesis = SimpleNamespace(class_id='', score=0.0)


class Detection2D(Record):
    FIELDS = ('header', 'results', 'id')

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        position = SimpleNamespace(x=0.0, y=0.0)
        centre = SimpleNamespace(position=position, theta=0.0)
        self.bbox = SimpleNamespace(center=centre, size_x=0.0, size_y=0.0)


class VisionClass(Record):
    FIELDS = ('class_id', 'class_name')


class LabelInfo(Record):
    FIELDS = ('header', 'class_map')


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets imports find these classes for the length of a test, in front of the real ones."""
    messages = ModuleType('vision_msgs.msg')
    for kind in (ObjectHypothesisWithPose, Detection2D, VisionClass, LabelInfo):
        setattr(messages, kind.__name__, kind)
    monkeypatch.setitem(sys.modules, 'vision_msgs', ModuleType('vision_msgs'))
    monkeypatch.setitem(sys.modules, 'vision_msgs.msg', messages)
