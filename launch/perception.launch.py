# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts perception_node, which configures and activates itself.

    ros2 launch upsnet_ros perception.launch.py camera_names:='[front, left]' model:=/a/model.onnx

The node does both in its own process (parameter `autostart`), so the same start works with and
without launch and needs no events whose timing could go wrong. `autostart:=false` leaves both to
a lifecycle manager. Values come from the parameter file; an argument given here goes before it.

It is a process of its own and no component: rclpy nodes cannot be loaded into a container, and
sharing a process would bring nothing but a shared interpreter lock. All cameras of a vehicle
belong to one node, so that they share one model; images travel through shared memory.

Arguments are checked before anything starts, by the rules of the node itself.

The node repairs nothing underneath a running thread: where its model or its worker fails, it ends
with a status that says so, and is started again here. That would be no use after an impossible
parameter, and is not wanted after it was asked to end.
"""

import os
import re
from pathlib import Path
from typing import List

import yaml
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, LogInfo, OpaqueFunction
from launch.events import matches_action
from launch.events.process import ProcessExited, ShutdownProcess
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.dds_profile import exported_profile, profile_variable
from upsnet_ros.node.parameters import NodeParameters, parameter_rules
from upsnet_ros.node.process import ExitStatus

CONFIG = Path(__file__).resolve().parent.parent / 'config'
PROFILE_VARIABLE = profile_variable(os.environ)
# A profile that the user has exported goes before ours.
DEFAULT_PROFILE = exported_profile(os.environ) or str(CONFIG / 'fastdds.xml')
NO_PROFILE = ('none', '')
NAMESPACE = re.compile(r'|/|/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*')
UNCHANGED = '(empty: as in params_file)'
YES_OR_NO = ['true', 'false']
ENDED_FOR_GOOD = (ExitStatus.ASKED_TO_END, ExitStatus.BAD_PARAMETER)
# Launch learns within this that the end was for good.
LEAST_DELAY_S = 0.1
# Launch argument: the node's parameter and its type.
OVERRIDES = {
    'camera_names': ('camera_names', List[str]),
    'model': ('model_path', str),
    'backend': ('backend', str),
    'stale_engine': ('stale_engine', str),
    'process_all': ('process_all', bool),
    'autostart': ('autostart', bool),
    'use_sim_time': ('use_sim_time', bool),
}
ARGUMENTS = (
    ('params_file', str(CONFIG / 'perception.yaml'), 'parameter file', None),
    ('namespace', '', 'namespace of the node and of all its relative topics', None),
    ('camera_names', '', f"cameras, for instance '[front, left]' {UNCHANGED}", None),
    ('model', '', f'path of a model.onnx or model.engine {UNCHANGED}', None),
    (
        'backend',
        '',
        f'inference library {UNCHANGED}',
        ['', *parameter_rules()['backend'].choices],
    ),
    (
        'stale_engine',
        '',
        f'engine of another computer or TensorRT {UNCHANGED}',
        ['', *parameter_rules()['stale_engine'].choices],
    ),
    ('process_all', '', f'label every image, for recordings {UNCHANGED}', ['', *YES_OR_NO]),
    ('autostart', '', f'configure and activate at once {UNCHANGED}', ['', *YES_OR_NO]),
    ('use_sim_time', '', f'follow /clock {UNCHANGED}', ['', *YES_OR_NO]),
    ('log_level', 'info', 'log level', ['debug', 'info', 'warn', 'error', 'fatal']),
    (
        'respawn',
        'true',
        'start the node again when it has ended, unless asked to or by a wrong parameter',
        YES_OR_NO,
    ),
    ('respawn_delay', '2.0', 'seconds before it is started again', None),
    (
        'fastdds_profile',
        DEFAULT_PROFILE,
        "Fast DDS profile; 'none': add none. Cameras and subscribers need it too",
        None,
    ),
)


def read_cameras(text: str) -> list[str]:
    """The names of a list in YAML, checked as the node checks them.

    Raises:
        ParameterError: the text is no list of names, or a name is impossible.
    """
    try:
        names = yaml.safe_load(text)
    except yaml.YAMLError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ParameterError(
            f"argument 'camera_names' is '{text}', expected a list of names such as "
            "'[front, left]'; YAML reads bare numbers, yes, no, on and off as other things"
        )
    return NodeParameters(camera_names=names).camera_names


def read_delay(text: str) -> float:
    """Seconds until the node is started again.

    Raises:
        ParameterError: the text is no such number.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not LEAST_DELAY_S <= seconds <= 3600.0:
        raise ParameterError(
            f"argument 'respawn_delay' is '{text}', expected {LEAST_DELAY_S} to 3600 seconds"
        )
    return seconds


def check_arguments(given: dict[str, str]) -> None:
    """Refuses what launch, ROS or Fast DDS would accept in silence or refuse without a reason.

    Raises:
        ParameterError: an argument is impossible; the message says what is expected.
    """
    if given['camera_names']:
        read_cameras(given['camera_names'])
    if not NAMESPACE.fullmatch(given['namespace']):
        raise ParameterError(
            f"argument 'namespace' is '{given['namespace']}', expected names of letters, digits "
            "and '_', joined by '/'"
        )
    files = {'params_file': given['params_file'], 'fastdds_profile': given['fastdds_profile']}
    for name, path in files.items():
        if name == 'fastdds_profile' and path in NO_PROFILE:
            continue
        if not Path(path).is_file():
            raise ParameterError(f"argument '{name}' is '{path}', and there is no such file")


def misplaced_parameters(context: LaunchContext) -> list[LogInfo]:
    """A notice where parameters of the node were given as arguments, which launch lets pass."""
    known = {name for name, *_ in ARGUMENTS}
    names = sorted((set(context.launch_configurations) & parameter_rules().keys()) - known)
    if not names:
        return []
    return [
        LogInfo(
            msg=f'WARNING: not heeded: {", ".join(names)}. These are parameters of the node, not '
            f'arguments: write them into a params_file. Arguments are: {", ".join(sorted(known))}'
        )
    ]


def stay_ended(event: ProcessExited, context: LaunchContext) -> List[Action]:
    """Keeps launch from starting a node again that has ended for good."""
    if context.is_shutdown or event.returncode not in ENDED_FOR_GOOD:
        return []
    return [EmitEvent(event=ShutdownProcess(process_matcher=matches_action(event.action)))]


def perception_node(context: LaunchContext) -> list[Action]:
    """The node with the parameter file and the arguments that were given."""
    given = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    check_arguments(given)
    overrides = {
        parameter: ParameterValue(LaunchConfiguration(argument), value_type=kind)
        for argument, (parameter, kind) in OVERRIDES.items()
        if given[argument]
    }
    profile = given['fastdds_profile']
    return [
        *misplaced_parameters(context),
        LifecycleNode(
            package='upsnet_ros',
            executable='perception_node',
            name='perception_node',
            namespace=given['namespace'],
            parameters=[given['params_file'], *([overrides] if overrides else [])],
            ros_arguments=['--log-level', given['log_level']],
            additional_env={} if profile in NO_PROFILE else {PROFILE_VARIABLE: profile},
            respawn=given['respawn'] == 'true',
            respawn_delay=read_delay(given['respawn_delay']),
            on_exit=stay_ended,
            output='screen',
        ),
    ]


def generate_launch_description() -> LaunchDescription:
    """All arguments and the node."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=perception_node)])
