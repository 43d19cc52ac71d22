# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.node import fake_launch
from upsnet_ros.node.parameters import parameter_defaults, parameter_rules

ROOT = Path(__file__).parents[2]
LAUNCH_FILE = ROOT / 'launch' / 'perception.launch.py'
# Our own folder `launch/` makes a namespace package of that name, so the other one tells.
REAL_LAUNCH = importlib.util.find_spec('launch_ros') is not None


def load() -> ModuleType:
    spec = importlib.util.spec_from_file_location('perception_launch', LAUNCH_FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def launch_file(monkeypatch) -> ModuleType:
    fake_launch.install(monkeypatch)
    return load()


def start(module: ModuleType, **given: str) -> fake_launch.LifecycleNode:
    """The node that comes of the given arguments and the defaults of the others."""
    *declared, function = module.generate_launch_description().entities
    values = {argument.name: argument.default_value for argument in declared}
    assert given.keys() <= values.keys()
    (node,) = function.function(fake_launch.LaunchContext({**values, **given}))
    return node


def test_without_arguments_the_parameter_file_decides_everything(launch_file) -> None:
    node = start(launch_file)
    assert (node.package, node.executable) == ('upsnet_ros', 'perception_node')
    assert node.parameters == [str(ROOT / 'config' / 'perception.yaml')]
    assert node.namespace == ''
    assert list(node.additional_env.values()) == [str(ROOT / 'config' / 'fastdds.xml')]


def test_arguments_go_before_the_parameter_file(launch_file) -> None:
    given = {
        'camera_names': '[front, left]',
        'model': '/models/model.onnx',
        'backend': 'onnxruntime',
        'stale_engine': 'refuse',
        'autostart': 'false',
        'use_sim_time': 'true',
    }
    node = start(launch_file, namespace='car', params_file='/etc/my.yaml', **given)
    file, overrides = node.parameters
    assert (file, node.namespace) == ('/etc/my.yaml', 'car')
    read = {name: (value.value.name, value.value_type) for name, value in overrides.items()}
    strings = read.pop('camera_names')
    assert strings[0] == 'camera_names' and strings[1].__args__ == (str,)
    assert read == {
        'model_path': ('model', str),
        'backend': ('backend', str),
        'stale_engine': ('stale_engine', str),
        'autostart': ('autostart', bool),
        'use_sim_time': ('use_sim_time', bool),
    }


def test_log_level_and_profile_are_handed_on(launch_file) -> None:
    node = start(launch_file, log_level='debug', fastdds_profile='')
    assert node.ros_arguments == ['--log-level', 'debug']
    assert node.additional_env == {}


@pytest.mark.parametrize(
    ('distribution', 'variable'),
    [
        ('jazzy', 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        ('kilted', 'FASTDDS_DEFAULT_PROFILES_FILE'),
        ('', 'FASTDDS_DEFAULT_PROFILES_FILE'),
    ],
)
def test_the_profile_variable_is_that_of_the_distribution(
    monkeypatch, distribution, variable
) -> None:
    monkeypatch.setenv('ROS_DISTRO', distribution)
    fake_launch.install(monkeypatch)
    assert list(start(load()).additional_env) == [variable]


def test_every_override_is_a_parameter_of_its_type(launch_file) -> None:
    kinds = {name: type(value) for name, value in parameter_defaults().items()}
    for argument, (parameter, kind) in launch_file.OVERRIDES.items():
        if parameter == 'use_sim_time':  # every node has it
            continue
        assert getattr(kind, '__origin__', kind) is kinds[parameter], argument
    choices = {name: choices for name, _, _, choices in launch_file.ARGUMENTS}
    assert choices['backend'] == ['', *parameter_rules()['backend'].choices]


def test_every_argument_is_described(launch_file) -> None:
    *declared, _ = launch_file.generate_launch_description().entities
    assert all(argument.description for argument in declared)
    assert all(a.default_value in a.choices for a in declared if a.choices is not None)


def run_real_launch(*arguments: str) -> str:
    """What the real launch prints while it runs the launch file to its end."""
    pairs = [tuple(argument.split(':=')) for argument in arguments]
    code = f"""
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource({str(LAUNCH_FILE)!r})
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments={pairs})])
)
service.run()
"""
    command = [sys.executable, '-c', code]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return answer.stdout + answer.stderr


if REAL_LAUNCH:  # a test of its own where launch is installed, and none that skips elsewhere

    def test_the_real_launch_starts_the_node_with_its_arguments() -> None:
        output = run_real_launch(
            'camera_names:=[a, b]', 'namespace:=car', 'model:=/nowhere/model.onnx'
        )
        assert "model file '/nowhere/model.onnx' cannot be read" in output
        assert 'car.perception_node' in output
