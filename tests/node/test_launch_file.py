# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import ast
from pathlib import Path
from types import ModuleType

import pytest

from tests.node import fake_launch
from tests.node.real_launch import REAL_LAUNCH, run_real_launch
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.node.parameters import parameter_defaults, parameter_rules
from upsnet_ros.node.process import ExitStatus

ROOT = Path(__file__).parents[2]
LAUNCH_FILE = ROOT / 'launch' / 'perception.launch.py'


@pytest.fixture
def launch_file(monkeypatch) -> ModuleType:
    fake_launch.install(monkeypatch)
    return fake_launch.load(LAUNCH_FILE)


def start(module: ModuleType, **given: str) -> fake_launch.LifecycleNode:
    """The node that comes of the given arguments and the defaults of the others."""
    (node,) = fake_launch.perform(module, **given)
    return node


def test_without_arguments_the_parameter_file_decides_everything(launch_file) -> None:
    node = start(launch_file)
    assert (node.package, node.executable) == ('upsnet_ros', 'perception_node')
    assert node.parameters == [str(ROOT / 'config' / 'perception.yaml')]
    assert node.namespace == ''
    assert list(node.additional_env.values()) == [str(ROOT / 'config' / 'fastdds.xml')]


def test_arguments_go_before_the_parameter_file(launch_file, tmp_path) -> None:
    (tmp_path / 'my.yaml').touch()
    given = {
        'camera_names': '[front, left]',
        'model': '/models/model.onnx',
        'backend': 'onnxruntime',
        'stale_engine': 'refuse',
        'process_all': 'true',
        'autostart': 'false',
        'use_sim_time': 'true',
    }
    node = start(launch_file, namespace='car', params_file=str(tmp_path / 'my.yaml'), **given)
    file, overrides = node.parameters
    assert (file, node.namespace) == (str(tmp_path / 'my.yaml'), 'car')
    read = {name: (value.value.name, value.value_type) for name, value in overrides.items()}
    strings = read.pop('camera_names')
    assert strings[0] == 'camera_names' and strings[1].__args__ == (str,)
    assert read == {
        'model_path': ('model', str),
        'backend': ('backend', str),
        'stale_engine': ('stale_engine', str),
        'process_all': ('process_all', bool),
        'autostart': ('autostart', bool),
        'use_sim_time': ('use_sim_time', bool),
    }


@pytest.mark.parametrize('none', ['none', ''])
def test_log_level_and_profile_are_handed_on(launch_file, none) -> None:
    node = start(launch_file, log_level='debug', fastdds_profile=none)
    assert node.ros_arguments == ['--log-level', 'debug']
    assert node.additional_env == {}


def test_the_node_is_started_again_unless_told_otherwise(launch_file) -> None:
    node = start(launch_file, respawn_delay='0.5')
    assert (node.respawn, node.respawn_delay) == (True, 0.5)
    assert not start(launch_file, respawn='false').respawn


@pytest.mark.parametrize('status', ExitStatus)
def test_an_end_for_good_is_told_to_launch(launch_file, status) -> None:
    node = start(launch_file)
    event = fake_launch.ProcessExited(int(status), [], action=node)
    actions = node.on_exit(event, fake_launch.LaunchContext())
    is_for_good = status in (ExitStatus.ASKED_TO_END, ExitStatus.BAD_PARAMETER)
    assert [action.event.process_matcher(node) for action in actions] == [True] * is_for_good
    assert not any(action.event.process_matcher('another node') for action in actions)
    assert node.on_exit(event, fake_launch.LaunchContext(is_shutdown=True)) == []


def test_a_parameter_given_as_an_argument_is_not_passed_over_in_silence(launch_file) -> None:
    *_, function = launch_file.generate_launch_description().entities
    values = {name: default for name, default, *_ in launch_file.ARGUMENTS}
    others = {'model_path': '/a.onnx', 'score_threshold': '0.9', 'of_another_launch_file': 'x'}
    notice, node = function.function(fake_launch.LaunchContext({**values, **others}))
    assert 'not heeded: model_path, score_threshold.' in notice.msg
    assert 'of_another' not in notice.msg and 'model, ' in notice.msg
    assert len(node.parameters) == 1


@pytest.mark.parametrize('text', ['[front]', '[front, rig_2/left]', '["a", \'b\']', '[' + 'x]'])
def test_lists_of_cameras_are_accepted(launch_file, text) -> None:
    assert start(launch_file, camera_names=text).parameters[1].keys() == {'camera_names'}


@pytest.mark.parametrize(
    ('given', 'texts'),
    [
        ({'camera_names': 'front'}, ['camera_names', "'front'", '[front, left]']),
        ({'camera_names': '[front, 2]'}, ['camera_names', '[front, 2]']),
        ({'camera_names': '[on, off]'}, ['YAML reads']),
        ({'camera_names': '[front'}, ['camera_names', '[front']),
        ({'camera_names': '[]'}, ['camera_names', 'empty']),
        ({'camera_names': '[a, a]'}, ['a', 'more than once']),
        ({'camera_names': '[front left]'}, ['front left', 'topic prefix']),
        ({'camera_names': '!!python/object/apply:os.getcwd []'}, ['camera_names']),
        ({'camera_names': '{front: left}'}, ['camera_names', 'list']),
        ({'namespace': 'my car'}, ['namespace', 'my car']),
        ({'namespace': 'car//front'}, ['namespace', 'car//front']),
        ({'params_file': '/nowhere/p.yaml'}, ['params_file', '/nowhere/p.yaml', 'no such file']),
        ({'fastdds_profile': '/nowhere/p.xml'}, ['fastdds_profile', '/nowhere/p.xml']),
        ({'respawn_delay': 'soon'}, ['respawn_delay', 'soon', '0.1 to 3600']),
        ({'respawn_delay': '0'}, ['respawn_delay', '0']),
        ({'respawn_delay': 'nan'}, ['respawn_delay', 'nan']),
    ],
)
def test_impossible_arguments_are_refused_before_anything_starts(
    launch_file, given, texts
) -> None:
    with pytest.raises(ParameterError) as caught:
        start(launch_file, **given)
    for text in texts:
        assert text in str(caught.value)


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
    assert list(start(fake_launch.load(LAUNCH_FILE)).additional_env) == [variable]


def test_every_override_is_a_parameter_of_its_type(launch_file) -> None:
    kinds = {name: type(value) for name, value in parameter_defaults().items()}
    for argument, (parameter, kind) in launch_file.OVERRIDES.items():
        if parameter == 'use_sim_time':  # every node has it
            continue
        assert getattr(kind, '__origin__', kind) is kinds[parameter], argument
    choices = {name: choices for name, _, _, choices in launch_file.ARGUMENTS}
    for name in ('backend', 'stale_engine'):
        assert choices[name] == ['', *parameter_rules()[name].choices]


def test_every_argument_is_described(launch_file) -> None:
    *declared, _ = launch_file.generate_launch_description().entities
    assert all(argument.description for argument in declared)
    assert all(a.default_value in a.choices for a in declared if a.choices is not None)


def test_nothing_is_evaluated_and_nothing_needs_a_network() -> None:
    imports, calls = set(), set()
    for path in LAUNCH_FILE.parent.glob('*.py'):
        for part in ast.walk(ast.parse(path.read_text())):
            if isinstance(part, ast.Import):
                imports |= {alias.name.split('.')[0] for alias in part.names}
            elif isinstance(part, ast.ImportFrom):
                imports.add(part.module.split('.')[0])
            elif isinstance(part, ast.Call):
                calls.add(ast.unparse(part.func))
    ours = {'upsnet_ros', 'launch', 'launch_ros', 'ament_index_python', 'yaml'}
    assert imports <= ours | {'os', 're', 'shlex', 'shutil', 'sys', 'pathlib', 'typing'}
    assert not calls & {'eval', 'exec', 'compile', '__import__', 'os.system', 'yaml.load'}


if REAL_LAUNCH:  # a test of its own where launch is installed, and none that skips elsewhere

    def test_the_real_launch_starts_the_node_with_its_arguments() -> None:
        output = run_real_launch(
            LAUNCH_FILE,
            'camera_names:=[a, b]',
            'namespace:=car',
            'model:=/nowhere/model.onnx',
            'respawn:=false',
        )
        assert "model file '/nowhere/model.onnx' cannot be read" in output
        assert 'car.perception_node' in output

    @pytest.mark.parametrize(
        ('argument', 'text'),
        [
            ('camera_names:=[2nd]', 'relative topic prefix'),
            ('camera_names:=[a, a]', 'more than once'),
            ('backend:=gpu', 'Valid options are'),
            ('respawn:=maybe', 'Valid options are'),
            ('fastdds_profile:=/nowhere.xml', 'no such file'),
        ],
    )
    def test_the_real_launch_refuses_impossible_arguments(argument, text) -> None:
        output = run_real_launch(LAUNCH_FILE, argument)
        assert text in output and 'process started' not in output

    def test_the_real_launch_warns_of_parameters_given_as_arguments() -> None:
        output = run_real_launch(
            LAUNCH_FILE, 'model:=/nowhere/model.onnx', 'max_rate:=5', 'respawn:=false'
        )
        assert 'WARNING: not heeded: max_rate.' in output

    def test_the_real_launch_starts_the_node_again() -> None:
        output = run_real_launch(
            LAUNCH_FILE,
            'model:=/nowhere/model.onnx',
            'respawn_delay:=0.1',
            limit_s=6.0,
        )
        assert output.count('process started') > 1

    def test_the_real_launch_leaves_a_node_alone_that_no_start_helps(tmp_path) -> None:
        file = tmp_path / 'bad.yaml'
        file.write_text('/**:\n  ros__parameters: {score_threshold: 7.0}\n')
        output = run_real_launch(LAUNCH_FILE, f'params_file:={file}', limit_s=6.0)
        assert output.count('process started') == 1 and 'score_threshold' in output
