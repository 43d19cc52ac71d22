# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Plays a bag into perception_node and evaluates what it answers in time.

    ros2 launch upsnet_ros replay_evaluation.launch.py bag:=drive output:=out/live rate:=0.5

Starts the node by perception.launch.py and the evaluation beside it, and ends with the evaluation.
The exit status is 1 where the evaluation failed or a requirement was missed (launch knows no
others); `ros2 run upsnet_ros live_replay_evaluation` tells the two apart, and needs no launch.

Arguments are checked before anything starts, by the rules of the evaluation and of the node.
"""

import os
import shlex
import sys
from pathlib import Path

from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.truth import PANOPTIC, TRUTH_FORMATS
from upsnet_ros.core.errors import ParameterError, UpsnetError
from upsnet_ros.dds_profile import exported_profile, profile_variable
from upsnet_ros.evaluation.live.__main__ import read_options
from upsnet_ros.evaluation.live.commands import PLAYERS, ROSBAG2
from upsnet_ros.node.parameters import NodeParameters

ROOT = Path(__file__).resolve().parent.parent
EVALUATION = 'upsnet_ros.evaluation.live'
NO_PROFILE = ('none', '')
YES_OR_NO = ['true', 'false']
# Handed on to perception.launch.py where they are given.
HANDED_ON = ('model', 'backend', 'params_file', 'process_all', 'log_level')
NUMBERS = ('rate', 'start', 'duration')
# Several texts in one argument, as a shell would split them.
LISTS = ('ground_truth', 'require')
ARGUMENTS = (
    ('bag', 'out/demo/drive', 'folder of a rosbag2', None),
    ('output', 'out/live', 'folder of the report', None),
    ('model', '', 'path of a model.onnx or model.engine (empty: the demo model)', None),
    ('cameras', '', "cameras, 'front,left' (empty: all of the bag)", None),
    ('ground_truth', '', 'topics of label images (empty: the usual ones)', None),
    ('truth_format', PANOPTIC, 'how ground truth is coded', list(TRUTH_FORMATS)),
    ('rate', '1.0', 'pace; 1 is as recorded', None),
    ('start', '0.0', 'seconds of the bag to leave out at first', None),
    ('duration', '', 'seconds to play from there (empty: to the end)', None),
    ('player', 'auto', 'auto: ros2 bag play where installed', list(PLAYERS)),
    ('process_all', '', 'label every image, however late', ['', *YES_OR_NO]),
    ('require', '', "what must hold: 'pq>=50 drops<=3'", None),
    ('against', '', 'folder of a report to compare with (empty: none)', None),
    ('restart', 'false', 'throw away what an earlier run left in output', YES_OR_NO),
    ('backend', '', 'inference library (empty: auto)', None),
    ('params_file', str(ROOT / 'config' / 'perception.yaml'), 'parameters of the node', None),
    ('log_level', 'info', 'log level of the node', None),
    (
        'fastdds_profile',
        exported_profile(os.environ) or str(ROOT / 'config' / 'fastdds.xml'),
        "Fast DDS profile of everything that is started; 'none': add none",
        None,
    ),
)


def check_numbers(given: dict[str, str]) -> None:
    """Refuse what is no number; its range is checked by the evaluation.

    Raises:
        ParameterError: a text is no number.
    """
    for name in NUMBERS:
        try:
            float(given[name] or '0')
        except ValueError as error:
            raise ParameterError(
                f"argument '{name}' is '{given[name]}', expected a number"
            ) from error


def evaluation_words(given: dict[str, str]) -> list[str]:
    """The command line of the evaluation, without the program."""
    words = [given['bag'], '--attach', '--output', given['output']]
    for name in ('model', 'cameras', 'truth_format', 'player', 'against', *NUMBERS):
        if given[name]:
            words += [f'--{name.replace("_", "-")}', given[name]]
    for name in LISTS:
        for text in shlex.split(given[name]):
            words += [f'--{name.replace("_", "-")}', text]
    return [*words, *(['--restart'] if given['restart'] == 'true' else [])]


def launch_line(given: dict[str, str]) -> str:
    """The line that starts the same evaluation again, for the report."""
    texts = [f'{name}:={given[name]}' for name, default, *_ in ARGUMENTS if given[name] != default]
    return shlex.join(['ros2', 'launch', 'upsnet_ros', 'replay_evaluation.launch.py', *texts])


def check(given: dict[str, str]) -> tuple[list[str], bool]:
    """The names of the cameras, and whether rosbag2 plays.

    Raises:
        ParameterError: an argument is impossible; the message says what is expected.
    """
    check_numbers(given)
    words = evaluation_words(given)
    try:
        options = read_options(words, command='')
        with BagReader(options.bag) as bag:
            cameras = find_cameras(bag, names=options.cameras, truths=options.truths)
        names = [camera.name for camera in cameras]
        NodeParameters(camera_names=names)
    except UpsnetError as error:
        raise ParameterError(f'the arguments do not fit: {error}') from error
    return names, options.player == ROSBAG2


def perception(given: dict[str, str], names: list[str], *, is_rosbag2: bool) -> Action:
    """The node. rosbag2 keeps the recorded stamps, so that time is the bag's; ours renews them."""
    arguments = {
        'camera_names': f'[{", ".join(names)}]',
        'use_sim_time': str(is_rosbag2).lower(),
        'fastdds_profile': given['fastdds_profile'],
        **{name: given[name] for name in HANDED_ON if given[name]},
    }
    source = PythonLaunchDescriptionSource(str(ROOT / 'launch' / 'perception.launch.py'))
    return IncludeLaunchDescription(source, launch_arguments=list(arguments.items()))


def end(event: ProcessExited, context: LaunchContext) -> list[Action]:
    """End everything with the first process that ends: the evaluation, or a node that died.

    Raises:
        RuntimeError: it failed; launch then ends with the status 1.
    """
    if context.is_shutdown:
        return []
    is_evaluation = EVALUATION in event.cmd
    if event.returncode or not is_evaluation:
        who = 'evaluation' if is_evaluation else 'node'
        raise RuntimeError(f'the {who} ended with status {event.returncode}')
    return [Shutdown(reason='the evaluation is done')]


def evaluation(context: LaunchContext) -> list[Action]:
    """Everything that the arguments ask for.

    Raises:
        ParameterError: an argument is impossible; the message says what is expected.
    """
    given = {name: LaunchConfiguration(name).perform(context) for name, *_ in ARGUMENTS}
    names, is_rosbag2 = check(given)
    profile = given['fastdds_profile']
    command = [sys.executable, '-m', EVALUATION, *evaluation_words(given)]
    command += ['--command-line', launch_line(given)]
    return [
        *(
            []
            if profile in NO_PROFILE
            else [SetEnvironmentVariable(profile_variable(os.environ), profile)]
        ),
        RegisterEventHandler(OnProcessExit(on_exit=end)),
        perception(given, names, is_rosbag2=is_rosbag2),
        ExecuteProcess(cmd=command, output='screen'),
    ]


def generate_launch_description() -> LaunchDescription:
    """All arguments and what they start."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text, choices=choices)
        for name, default, text, choices in ARGUMENTS
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=evaluation)])
