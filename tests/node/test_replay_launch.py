# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the launch file of a live evaluation starts, and how it ends."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.bags.small_drive import write_drive, write_rows
from tests.live.rig import camera_rows, write_live
from tests.node import fake_launch
from tests.node.real_launch import REAL_LAUNCH, run_real_launch
from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.evaluation.figures import Requirement
from upsnet_ros.evaluation.live.__main__ import read_options

ROOT = Path(__file__).parents[2]
LAUNCH_FILE = ROOT / 'launch' / 'replay_evaluation.launch.py'
PROFILE = str(ROOT / 'config' / 'fastdds.xml')
EVALUATION = 'upsnet_ros.evaluation.live'


@pytest.fixture
def launch_file(monkeypatch) -> ModuleType:
    for name in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'ROS_DISTRO'):
        monkeypatch.delenv(name, raising=False)
    fake_launch.install(monkeypatch)
    return fake_launch.load(LAUNCH_FILE)


@pytest.fixture
def drive(tmp_path) -> str:
    return str(write_drive(tmp_path / 'drive', frames=3))


def test_node_and_evaluation_are_started_for_the_cameras_of_the_bag(launch_file, tmp_path) -> None:
    rows = camera_rows('front', frames=[0]) + camera_rows('rig/rear', frames=[0])
    drive = str(write_rows(tmp_path / 'drive', rows))
    actions = fake_launch.perform(launch_file, bag=drive, player='own')
    (variable,) = fake_launch.of_kind(actions, fake_launch.SetEnvironmentVariable)
    assert variable.value == PROFILE and actions[0] is variable
    (node,) = fake_launch.of_kind(actions, fake_launch.IncludeLaunchDescription)
    assert node.source.location == str(ROOT / 'launch' / 'perception.launch.py')
    arguments = dict(node.launch_arguments)
    assert arguments['camera_names'] == '[front, rig/rear]'
    assert arguments['use_sim_time'] == 'false'
    assert arguments['params_file'] == str(ROOT / 'config' / 'perception.yaml')
    assert not {'model', 'backend', 'process_all'} & arguments.keys()
    (evaluation,) = fake_launch.of_kind(actions, fake_launch.ExecuteProcess)
    assert evaluation.cmd[:3] == [sys.executable, '-m', EVALUATION]
    options = read_options(evaluation.cmd[3:], command='')
    assert (str(options.bag), options.attach, options.player) == (drive, True, 'own')


def test_arguments_reach_whom_they_are_for(launch_file, drive, tmp_path) -> None:
    given = {
        'output': str(tmp_path / 'out'),
        'cameras': 'camera',
        'ground_truth': 'none',
        'rate': '0.5',
        'start': '1',
        'duration': '2.5',
        'process_all': 'true',
        'require': "pq>=50 'drops <= 3'",
        'against': str(write_live(tmp_path / 'old', dropped=())),
        'restart': 'true',
        'backend': 'onnxruntime',
        'log_level': 'warn',
        'fastdds_profile': 'none',
    }
    actions = fake_launch.perform(launch_file, bag=drive, player='own', **given)
    assert fake_launch.of_kind(actions, fake_launch.SetEnvironmentVariable) == []
    (node,) = fake_launch.of_kind(actions, fake_launch.IncludeLaunchDescription)
    arguments = dict(node.launch_arguments)
    assert (arguments['process_all'], arguments['backend']) == ('true', 'onnxruntime')
    assert (arguments['log_level'], arguments['fastdds_profile']) == ('warn', 'none')
    (evaluation,) = fake_launch.of_kind(actions, fake_launch.ExecuteProcess)
    options = read_options(evaluation.cmd[3:], command='')
    assert (options.rate, options.part) == (0.5, BagPart(1.0, 2.5))
    assert options.require == tuple(map(Requirement.parse, ('pq>=50', 'drops<=3')))
    assert options.against == tmp_path / 'old' and options.restart
    assert (options.cameras, options.truths) == (('camera',), ('none',))
    assert options.command.startswith('ros2 launch upsnet_ros replay_evaluation.launch.py')
    assert 'rate:=0.5' in options.command
    # The node has these already; they cannot be given to one that runs.
    assert options.parameters == {} and options.attach


@pytest.mark.parametrize(
    ('given', 'text'),
    [
        ({'bag': '/nowhere'}, '/nowhere'),
        ({'cameras': 'left'}, "no images of camera 'left'"),
        ({'rate': 'fast'}, "'rate' is 'fast'"),
        ({'duration': '-1'}, '--duration is -1.0'),
        ({'require': 'speed>1'}, "no figure 'speed'"),
        ({'player': 'rosbag2'}, 'no `ros2 bag`'),
        ({'ground_truth': '/lidar'}, '/lidar'),
    ],
)
def test_impossible_arguments_are_refused(launch_file, drive, given, text) -> None:
    with pytest.raises(ParameterError, match='argument') as caught:
        fake_launch.perform(launch_file, **{'bag': drive, **given})
    assert text in str(caught.value)


def test_everything_ends_with_the_evaluation_and_with_a_node_that_dies(launch_file, drive) -> None:
    (handler,) = fake_launch.of_kind(
        fake_launch.perform(launch_file, bag=drive, player='own'),
        fake_launch.RegisterEventHandler,
    )
    end, context = handler.event_handler.on_exit, fake_launch.LaunchContext()

    def ended(returncode: int, *command: str) -> fake_launch.ProcessExited:
        return fake_launch.ProcessExited(returncode, list(command))

    (shutdown,) = end(ended(0, 'python', '-m', EVALUATION), context)
    assert isinstance(shutdown, fake_launch.Shutdown)
    with pytest.raises(RuntimeError, match='the evaluation ended with status 2'):
        end(ended(2, 'python', '-m', EVALUATION), context)
    with pytest.raises(RuntimeError, match='the node ended with status 0'):
        end(ended(0, 'perception_node'), context)
    context.is_shutdown = True
    assert end(ended(-2, 'perception_node'), context) == []


if REAL_LAUNCH:  # as in test_launch_file

    def test_the_real_launch_evaluates_a_drive_and_ends(drive, tmp_path) -> None:
        output = run_real_launch(
            LAUNCH_FILE,
            f'bag:={drive}',
            f'output:={tmp_path / "out"}',
            'player:=own',
            'process_all:=true',
            'require:=frames>=4',
        )
        assert '3 of 3 · 0 dropped' in output
        assert 'Requirement missed: frames >= 4 is required, measured 3' in output
        assert 'the evaluation ended with status 2' in output
        assert (tmp_path / 'out' / 'report.html').is_file()
