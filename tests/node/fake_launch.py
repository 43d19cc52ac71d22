# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The few classes of `launch` and `launch_ros` that the launch file uses, as plain records.

There is no wheel of the real ones; where they are installed, the tests run them as well.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass, field, make_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


class Action:
    """Base of the actions below, for annotations."""


def record(name: str, fields: str, *, base: type = object, **defaults: Any) -> Any:
    """A class of plain records: fields that have to be given, then those with a default."""
    entries = [(entry, Any) for entry in fields.split()]
    entries += [(entry, Any, field(default=value)) for entry, value in defaults.items()]
    return make_dataclass(name, entries, bases=(base,))


LaunchContext = record('LaunchContext', '', launch_configurations=None, is_shutdown=False)
LaunchDescription = record('LaunchDescription', 'entities')
DeclareLaunchArgument = record('DeclareLaunchArgument', 'name default_value description choices')
OpaqueFunction = record('OpaqueFunction', 'function')
LifecycleNode = record(
    'LifecycleNode',
    'package executable name namespace parameters ros_arguments additional_env respawn '
    'respawn_delay on_exit output',
)
SetEnvironmentVariable = record('SetEnvironmentVariable', 'name value', base=Action)
LogInfo = record('LogInfo', 'msg', base=Action)
ExecuteProcess = record(
    'ExecuteProcess', 'cmd output', base=Action, respawn=False, respawn_delay=None
)
Shutdown = record('Shutdown', 'reason', base=Action)
EmitEvent = record('EmitEvent', 'event', base=Action)
ShutdownProcess = record('ShutdownProcess', 'process_matcher')
ProcessExited = record('ProcessExited', 'returncode cmd', action=None)
OnProcessExit = record('OnProcessExit', 'on_exit')
RegisterEventHandler = record('RegisterEventHandler', 'event_handler', base=Action)
PythonLaunchDescriptionSource = record('PythonLaunchDescriptionSource', 'location')
IncludeLaunchDescription = record(
    'IncludeLaunchDescription', 'source launch_arguments', base=Action
)
Node = record('Node', 'package executable arguments remappings parameters output', base=Action)


@dataclass
class LaunchConfiguration:
    name: str

    def perform(self, context: Any) -> str:
        return context.launch_configurations[self.name]


@dataclass
class ParameterValue:
    value: Any
    value_type: Any

    def __post_init__(self) -> None:
        """Like the real one: a text is not parsed, only a substitution is."""
        assert isinstance(self.value, LaunchConfiguration)


def matches_action(action: Any) -> Any:
    """Whether an event is meant for an action."""
    return lambda other: other is action


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


def of_kind(actions: list[Any], kind: type) -> list[Any]:
    return [action for action in actions if isinstance(action, kind)]


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
