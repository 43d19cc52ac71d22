# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Replays a recorded drive through perception_node and shows what it sees.

    ros2 launch upsnet_ros demo.launch.py bag:=out/demo/drive

The bag is played by `ros2 bag play` where that is installed, else by this package's own player.
RViz, and rqt_runtime_monitor for the diagnostics, are opened where they are installed. Everything
runs until Ctrl-C. `make demo` needs no ROS installation and measures; this one is to look at.
"""

import os
import shutil
import sys
from pathlib import Path

import yaml
from ament_index_python.packages import get_packages_with_prefixes
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
    SetEnvironmentVariable,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import BagError, ParameterError
from upsnet_ros.dds_profile import exported_profile, profile_variable
from upsnet_ros.node.parameters import NodeParameters

ROOT = Path(__file__).resolve().parent.parent
LAYOUT = ROOT / 'config' / 'rviz' / 'perception.rviz'
# The camera whose topics the layout names.
LAYOUT_CAMERA = 'camera'
INPUTS = ('image_raw', 'image_raw/compressed', 'camera_info')
# Until the node has loaded its model; our own player waits for it instead.
ROSBAG_DELAY_S = 5
MATCH_TIMEOUT_S = 120
NO_PROFILE = ('none', '')
YES_OR_NO = ['true', 'false']
WHERE_INSTALLED = ['auto', *YES_OR_NO]
# Handed on to perception.launch.py where they are given.
HANDED_ON = ('model', 'backend', 'log_level')
ARGUMENTS = (
    ('bag', 'out/demo/drive', 'folder of a rosbag2', None),
    ('camera', LAYOUT_CAMERA, 'camera of the bag; the prefix of its topics', None),
    ('player', 'auto', 'auto: ros2 bag play where installed', ['auto', 'rosbag2', 'own']),
    ('rate', '1.0', 'pace; 1 is as recorded', None),
    ('loop', 'true', 'begin again at the end', YES_OR_NO),
    ('rviz', 'auto', 'open RViz; auto: where installed', WHERE_INSTALLED),
    ('monitor', 'auto', 'open rqt_runtime_monitor; auto: where installed', WHERE_INSTALLED),
    ('model', '', 'path of a model.onnx or model.engine (empty: the demo model)', None),
    ('backend', '', 'inference library (empty: auto)', None),
    ('log_level', 'info', 'log level of the node', None),
    (
        'fastdds_profile',
        exported_profile(os.environ) or str(ROOT / 'config' / 'fastdds.xml'),
        "Fast DDS profile of everything that is started; 'none': add none",
        None,
    ),
)


def bag_topics(bag: Path, camera: str) -> list[str]:
    """The input topics of a camera in a bag.

    Raises:
        ParameterError: there is no such bag, or it has no images of the camera.
    """
    try:
        with BagReader(bag) as opened:
            present = list(opened.topics)
    except BagError as error:
        raise ParameterError(
            f"argument 'bag' is '{bag}', expected the folder of a rosbag2: {error} `make demo` "
            'makes a sample drive in out/demo/drive'
        ) from error
    topics = [topic for name in INPUTS if (topic := f'/{camera}/{name}') in present]
    if not any('/image_raw' in topic for topic in topics):
        raise ParameterError(
            f"argument 'camera' is '{camera}', and '{bag}' has no images of it; its topics are: "
            f'{", ".join(sorted(present)) or "none"}'
        )
    return topics


def read_rate(text: str) -> float:
    """The pace.

    Raises:
        ParameterError: the text is no positive number.
    """
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate <= 1000.0:
        raise ParameterError(f"argument 'rate' is '{text}', expected a number above 0, up to 1000")
    return rate


def has_rosbag2() -> bool:
    """Whether `ros2 bag play` can be run."""
    return shutil.which('ros2') is not None and 'ros2bag' in get_packages_with_prefixes()


def player(given: dict[str, str], *, is_rosbag2: bool) -> Action:
    """The process that plays the bag."""
    bag = Path(given['bag'])
    topics = bag_topics(bag, given['camera'])
    rate, is_loop = read_rate(given['rate']), given['loop'] == 'true'
    if is_rosbag2:
        command = ['ros2', 'bag', 'play', str(bag), '--clock', '100', '--rate', str(rate)]
        command += ['--delay', str(ROSBAG_DELAY_S), *(['--loop'] if is_loop else [])]
        return ExecuteProcess(cmd=[*command, '--topics', *topics], output='screen')
    command = [sys.executable, '-m', 'upsnet_ros.node.bag_player', '--bag', str(bag), '--leave']
    command += ['--rate', str(rate), '--match-timeout', str(MATCH_TIMEOUT_S)]
    command += ['--loop', '0' if is_loop else '1']
    # On its standard output it tells of every frame.
    return ExecuteProcess(
        cmd=[*command, '--topics', *topics], output={'stdout': 'log', 'stderr': 'screen'}
    )


def perception(given: dict[str, str], *, is_rosbag2: bool) -> Action:
    """The node. rosbag2 keeps the recorded stamps, so that time is the bag's; ours renews them."""
    arguments = {
        'camera_names': f'[{given["camera"]}]',
        'use_sim_time': str(is_rosbag2).lower(),
        'fastdds_profile': given['fastdds_profile'],
        **{name: given[name] for name in HANDED_ON if given[name]},
    }
    source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / 'perception.launch.py'))
    return IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))


def layout_topics() -> list[str]:
    """The topics that the displays of the layout name."""
    layout = yaml.safe_load(LAYOUT.read_text())
    return [
        display['Topic']['Value']
        for display in layout['Visualization Manager']['Displays']
        if 'Topic' in display
    ]


def viewer(
    wanted: str, package: str, *, is_simulated: bool, arguments: list[str], camera: str
) -> Action:
    """A program to look at topics with, or the notice that it is not installed."""
    if wanted == 'false':
        return LogInfo(msg=f'{package} is not wanted')
    if wanted == 'auto' and package not in get_packages_with_prefixes():
        return LogInfo(msg=f'{package} is not installed; nothing is shown by it')
    remappings = [
        (topic, topic.replace(f'/{LAYOUT_CAMERA}/', f'/{camera}/', 1)) for topic in layout_topics()
    ]
    return Node(
        package=package,
        executable=package,
        arguments=arguments,
        remappings=[pair for pair in remappings if pair[0] != pair[1]],
        parameters=[{'use_sim_time': is_simulated}],
        output='log',
    )


def demo(context: LaunchContext) -> list[Action]:
    """Everything that the arguments ask for.

    Raises:
        ParameterError: an argument is impossible; the message says what is expected.
    """
    given = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    NodeParameters(camera_names=[given['camera']])
    is_rosbag2 = given['player'] == 'rosbag2' or (given['player'] == 'auto' and has_rosbag2())
    profile = given['fastdds_profile']
    options = {'is_simulated': is_rosbag2, 'camera': given['camera']}
    return [
        *(
            []
            if profile in NO_PROFILE
            else [SetEnvironmentVariable(profile_variable(os.environ), profile)]
        ),
        perception(given, is_rosbag2=is_rosbag2),
        player(given, is_rosbag2=is_rosbag2),
        viewer(given['rviz'], 'rviz2', arguments=['-d', str(LAYOUT)], **options),
        viewer(given['monitor'], 'rqt_runtime_monitor', arguments=[], **options),
    ]


def generate_launch_description() -> LaunchDescription:
    """All arguments and what they start."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=demo)])
