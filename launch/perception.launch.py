# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Starts perception_node, which configures and activates itself.

The node does both in its own process (parameter `autostart`), so the same start works with and
without launch and needs no events whose timing could go wrong. `autostart:=false` leaves both to
a lifecycle manager. Values come from the parameter file; an argument given here goes before it.
"""

import os
from pathlib import Path
from typing import List

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

CONFIG = Path(__file__).resolve().parent.parent / 'config'
# Fast DDS 3 (Kilted) renamed the variable and warns of the old name.
PROFILE_VARIABLE = (
    'FASTRTPS_DEFAULT_PROFILES_FILE'
    if os.environ.get('ROS_DISTRO') in ('humble', 'jazzy')
    else 'FASTDDS_DEFAULT_PROFILES_FILE'
)
# A profile that the user has exported goes before ours, under the old name too.
EXPORTED_PROFILE = os.environ.get(PROFILE_VARIABLE) or os.environ.get(
    'FASTRTPS_DEFAULT_PROFILES_FILE'
)
DEFAULT_PROFILE = EXPORTED_PROFILE or str(CONFIG / 'fastdds.xml')
UNCHANGED = '(empty: as in params_file)'
# Launch argument: the node's parameter and its type.
OVERRIDES = {
    'camera_names': ('camera_names', List[str]),
    'model': ('model_path', str),
    'backend': ('backend', str),
    'stale_engine': ('stale_engine', str),
    'autostart': ('autostart', bool),
    'use_sim_time': ('use_sim_time', bool),
}
ARGUMENTS = (
    ('params_file', str(CONFIG / 'perception.yaml'), 'parameter file', None),
    ('namespace', '', 'namespace of the node and of all its relative topics', None),
    ('camera_names', '', f"cameras, for instance '[front, left]' {UNCHANGED}", None),
    ('model', '', f'path of a model.onnx or model.engine {UNCHANGED}', None),
    ('backend', '', f'inference library {UNCHANGED}', ['', 'auto', 'onnxruntime', 'tensorrt']),
    (
        'stale_engine',
        '',
        f'engine of another computer or TensorRT {UNCHANGED}',
        ['', 'refuse', 'onnxruntime'],
    ),
    ('autostart', '', f'configure and activate at once {UNCHANGED}', ['', 'true', 'false']),
    ('use_sim_time', '', f'follow /clock {UNCHANGED}', ['', 'true', 'false']),
    ('log_level', 'info', 'log level', ['debug', 'info', 'warn', 'error', 'fatal']),
    ('fastdds_profile', DEFAULT_PROFILE, 'Fast DDS profile; empty: add none', None),
)


def perception_node(context: LaunchContext) -> list[LifecycleNode]:
    """The node with the parameter file and the arguments that were given."""
    given = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    overrides = {
        parameter: ParameterValue(LaunchConfiguration(argument), value_type=kind)
        for argument, (parameter, kind) in OVERRIDES.items()
        if given[argument]
    }
    profile = given['fastdds_profile']
    return [
        LifecycleNode(
            package='upsnet_ros',
            executable='perception_node',
            name='perception_node',
            namespace=given['namespace'],
            parameters=[given['params_file'], *([overrides] if overrides else [])],
            ros_arguments=['--log-level', given['log_level']],
            additional_env={PROFILE_VARIABLE: profile} if profile else {},
            output='screen',
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """All arguments and the node."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=perception_node)])
