# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The few classes of `launch` and `launch_ros` that the launch file uses, as plain records.

There is no wheel of the real ones; where they are installed, the tests run them as well.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@dataclass
class LaunchContext:
    launch_configurations: dict[str, str] = field(default_factory=dict)
    is_shutdown: bool = False


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
    respawn: bool
    respawn_delay: float
    on_exit: Any
    output: str


class Action:
    """Base of the actions below, for annotations."""


@dataclass
class SetEnvironmentVariable(Action):
    name: str
    value: str


@dataclass
class LogInfo(Action):
    msg: str


@dataclass
class ExecuteProcess(Action):
    cmd: list[str]
    output: Any
    respawn: bool = False
    respawn_delay: float | None = None


@dataclass
class Shutdown(Action):
    reason: str


@dataclass
class EmitEvent(Action):
    event: Any


@dataclass
class ShutdownProcess:
    process_matcher: Any


def matches_action(action: Any) -> Any:
    """Whether an event is meant for an action."""
    return lambda other: other is action


@dataclass
class ProcessExited:
    returncode: int
    cmd: list[str]
    action: Any = None


@dataclass
class OnProcessExit:
    on_exit: Any


@dataclass
class RegisterEventHandler(Action):
    event_handler: OnProcessExit


@dataclass
class PythonLaunchDescriptionSource:
    location: str


@dataclass
class IncludeLaunchDescription(Action):
    source: PythonLaunchDescriptionSource
    launch_arguments: list[tuple[str, str]]


@dataclass
class Node(Action):
    package: str
    executable: str
    arguments: list[str]
    remappings: list[tuple[str, str]]
    parameters: list[Any]
    output: str


MODULES = {
    'launch': (Action, LaunchContext, LaunchDescription),
    'launch.actions': (
        DeclareLaunchArgument,
        EmitEvent,
        ExecuteProcess,
        IncludeLaunchDescription,
        LogInfo,
        OpaqueFunction,
        RegisterEventHandler,
        SetEnvironmentVariable,
        Shutdown,
    ),
    'launch.event_handlers': (OnProcessExit,),
    'launch.events': (matches_action,),
    'launch.events.process': (ProcessExited, ShutdownProcess),
    'launch.launch_description_sources': (PythonLaunchDescriptionSource,),
    'launch.substitutions': (LaunchConfiguration,),
    'launch_ros': (),
    'launch_ros.actions': (LifecycleNode, Node),
    'launch_ros.parameter_descriptions': (ParameterValue,),
}


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets imports find these classes for the length of a test."""
    for name, classes in MODULES.items():
        module = ModuleType(name)
        for kind in classes:
            setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, name, module)


def load(path: Path) -> ModuleType:
    """A launch file as a module, with whichever `launch` is installed."""
    spec = importlib.util.spec_from_file_location(path.name.replace('.', '_'), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def perform(module: ModuleType, **given: str) -> list[Any]:
    """What a launch file makes of the given arguments and the defaults of the others."""
    *declared, function = module.generate_launch_description().entities
    values = {argument.name: argument.default_value for argument in declared}
    assert given.keys() <= values.keys()
    return function.function(LaunchContext({**values, **given}))
