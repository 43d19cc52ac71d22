# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The few classes of `launch` and `launch_ros` that the launch file uses, as plain records.

There is no wheel of the real ones; where they are installed, the tests run them as well.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest


@dataclass
class LaunchContext:
    launch_configurations: dict[str, str] = field(default_factory=dict)


@dataclass
class LaunchDescription:
    entities: list[Any]


@dataclass
class DeclareLaunchArgument:
    name: str
    default_value: str
    description: str
    choices: list[str] | None


@dataclass
class OpaqueFunction:
    function: Any


@dataclass
class LaunchConfiguration:
    name: str

    def perform(self, context: LaunchContext) -> str:
        return context.launch_configurations[self.name]


@dataclass
class ParameterValue:
    value: Any
    value_type: Any

    def __post_init__(self) -> None:
        """Like the real one: a text is not parsed, only a substitution is."""
        assert isinstance(self.value, LaunchConfiguration)


@dataclass
class LifecycleNode:
    package: str
    executable: str
    name: str
    namespace: str
    parameters: list[Any]
    ros_arguments: list[str]
    additional_env: dict[str, str]
    output: str


MODULES = {
    'launch': (LaunchContext, LaunchDescription),
    'launch.actions': (DeclareLaunchArgument, OpaqueFunction),
    'launch.substitutions': (LaunchConfiguration,),
    'launch_ros': (),
    'launch_ros.actions': (LifecycleNode,),
    'launch_ros.parameter_descriptions': (ParameterValue,),
}


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets imports find these classes for the length of a test."""
    for name, classes in MODULES.items():
        module = ModuleType(name)
        for kind in classes:
            setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, name, module)
