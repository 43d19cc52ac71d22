# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the demo starts: node, player, viewers."""

import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.bags.small_drive import write_drive
from tests.node import fake_launch
from tests.node.real_launch import REAL_LAUNCH, run_real_launch
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.node import bag_player

ROOT = Path(__file__).parents[2]
LAUNCH_FILE = ROOT / 'launch' / 'demo.launch.py'
PROFILE = str(ROOT / 'config' / 'fastdds.xml')


@pytest.fixture
def demo(monkeypatch) -> ModuleType:
    for name in ('FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE', 'ROS_DISTRO'):
        monkeypatch.delenv(name, raising=False)
    fake_launch.install(monkeypatch)
    return fake_launch.load(LAUNCH_FILE)


@pytest.fixture
def install(monkeypatch, demo):
    """Makes ROS packages look installed."""

    def pretend(*packages: str) -> None:
        monkeypatch.setattr(demo, 'get_packages_with_prefixes', lambda: dict.fromkeys(packages))
        monkeypatch.setattr(demo.shutil, 'which', lambda name: f'/opt/{name}')

    return pretend


@pytest.fixture
def drive(tmp_path) -> str:
    return str(write_drive(tmp_path / 'drive', frames=3, truth_every=None))


def test_without_other_packages_our_own_player_renews_the_stamps(demo, install, drive) -> None:
    install()
    actions = fake_launch.perform(demo, bag=drive)
    (player,) = fake_launch.of_kind(actions, fake_launch.ExecuteProcess)
    assert player.cmd[:3] == [sys.executable, '-m', 'upsnet_ros.node.bag_player']
    assert player.cmd[-2:] == ['--topics', '/camera/image_raw/compressed']
    assert '--leave' in player.cmd and not player.respawn
    (node,) = fake_launch.of_kind(actions, fake_launch.IncludeLaunchDescription)
    assert node.source.location == str(ROOT / 'launch' / 'perception.launch.py')
    arguments = dict(node.launch_arguments)
    assert arguments['use_sim_time'] == 'false' and arguments['camera_names'] == '[camera]'
    assert fake_launch.of_kind(actions, fake_launch.Node) == []
    notices = [action.msg for action in fake_launch.of_kind(actions, fake_launch.LogInfo)]
    assert notices == [
        'rviz2 is not installed; nothing is shown by it',
        'rqt_runtime_monitor is not installed; nothing is shown by it',
    ]


def test_where_rosbag2_and_viewers_are_installed_they_are_used(demo, install, drive) -> None:
    install('ros2bag', 'rviz2', 'rqt_runtime_monitor')
    actions = fake_launch.perform(demo, bag=drive, rate='0.5', loop='false', model='/m.onnx')
    (player,) = fake_launch.of_kind(actions, fake_launch.ExecuteProcess)
    assert player.cmd[:4] == ['ros2', 'bag', 'play', drive]
    assert ['--rate', '0.5'] == player.cmd[6:8] and '--loop' not in player.cmd
    (node,) = fake_launch.of_kind(actions, fake_launch.IncludeLaunchDescription)
    arguments = dict(node.launch_arguments)
    assert (arguments['use_sim_time'], arguments['model']) == ('true', '/m.onnx')
    rviz, monitor = fake_launch.of_kind(actions, fake_launch.Node)
    assert rviz.arguments == ['-d', str(ROOT / 'config' / 'rviz' / 'perception.rviz')]
    assert rviz.remappings == [] and monitor.package == 'rqt_runtime_monitor'
    assert rviz.parameters == [{'use_sim_time': True}]


@pytest.mark.parametrize(('loop', 'rounds'), [('true', 0), ('false', 1)])
def test_our_own_player_repeats_by_itself(demo, install, drive, loop, rounds) -> None:
    install()
    actions = fake_launch.perform(demo, bag=drive, loop=loop, rate='0.5')
    (player,) = fake_launch.of_kind(actions, fake_launch.ExecuteProcess)
    options = bag_player.parse_arguments(player.cmd[3:])
    assert (options.loop, options.rate, options.leave) == (rounds, 0.5, True)
    assert (str(options.bag), options.topics) == (drive, ['/camera/image_raw/compressed'])


@pytest.mark.parametrize(('given', 'is_own'), [('own', True), ('rosbag2', False)])
def test_the_player_may_be_chosen(demo, install, drive, given, is_own) -> None:
    install(*(['ros2bag'] if is_own else []))
    (player,) = fake_launch.of_kind(
        fake_launch.perform(demo, bag=drive, player=given), fake_launch.ExecuteProcess
    )
    assert ('upsnet_ros.node.bag_player' in player.cmd) == is_own


def test_the_layout_follows_the_camera(demo) -> None:
    demo.get_packages_with_prefixes = lambda: {'rviz2': ''}
    node = demo.viewer('true', 'rviz2', is_simulated=False, arguments=[], camera='rig/front')
    remappings = dict(node.remappings)
    assert remappings['/camera/overlay/image'] == '/rig/front/overlay/image'
    assert remappings['/camera/image_raw'] == '/rig/front/image_raw'
    assert demo.viewer('false', 'rviz2', is_simulated=False, arguments=[], camera='a').msg


@pytest.mark.parametrize('profile', ['default', 'none', '/mine.xml'])
def test_all_that_is_started_has_the_profile(demo, drive, profile) -> None:
    given = {} if profile == 'default' else {'fastdds_profile': profile}
    actions = fake_launch.perform(demo, bag=drive, **given)
    variables = fake_launch.of_kind(actions, fake_launch.SetEnvironmentVariable)
    expected = {'default': [PROFILE], 'none': [], '/mine.xml': ['/mine.xml']}[profile]
    assert [variable.value for variable in variables] == expected
    assert isinstance(actions[0], fake_launch.SetEnvironmentVariable) == bool(expected)


@pytest.mark.parametrize(
    ('given', 'text'),
    [
        ({'bag': '/nowhere'}, "'/nowhere', expected the folder of a rosbag2"),
        ({'camera': 'left'}, 'its topics are: /camera/image_raw/compressed'),
        ({'camera': '2nd'}, '2nd'),
        ({'rate': '0'}, "'rate' is '0'"),
        ({'rate': 'fast'}, "'rate' is 'fast'"),
    ],
)
def test_impossible_arguments_are_refused(demo, drive, given, text) -> None:
    with pytest.raises(ParameterError, match='argument|camera_names') as caught:
        fake_launch.perform(demo, **{'bag': drive, **given})
    assert text in str(caught.value)


def test_a_bag_without_metadata_is_played_all_the_same(demo, install, drive) -> None:
    install()
    (Path(drive) / 'metadata.yaml').unlink()
    (player,) = fake_launch.of_kind(
        fake_launch.perform(demo, bag=drive), fake_launch.ExecuteProcess
    )
    assert player.cmd[-2:] == ['--topics', '/camera/image_raw/compressed']


if REAL_LAUNCH:  # as in test_launch_file

    def test_the_real_launch_replays_a_drive(drive) -> None:
        output = run_real_launch(LAUNCH_FILE, f'bag:={drive}', 'player:=own', limit_s=15.0)
        assert 'activate: active' in output
        assert output.count('process has finished cleanly') >= 2
