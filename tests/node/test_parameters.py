# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.srv import DescribeParameters
from sensor_msgs.msg import Image

from tests.node.fake_pipeline import OWN_THRESHOLDS
from tests.node.node_harness import NodeHarness, status_values
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.node.parameter_server import misplaced_parameters
from upsnet_ros.node.parameters import NodeParameters, parameter_rules

CONFIG = Path(__file__).parents[2] / 'config' / 'perception.yaml'


@pytest.mark.parametrize(
    ('values', 'texts'),
    [
        ({'score_threshold': 2.0}, ['score_threshold', '2.0', '0.0 to 1.0', "model's own"]),
        ({'score_threshold': -0.5}, ['score_threshold', '-0.5']),
        ({'score_threshold': float('nan')}, ['score_threshold', 'nan']),
        ({'mask_overlap_threshold': 1.01}, ['mask_overlap_threshold', '1.01']),
        ({'stuff_area_limit': -2}, ['stuff_area_limit', '-2']),
        ({'overlay_alpha': -1.0}, ['overlay_alpha', '-1.0']),
        ({'num_threads': -1}, ['num_threads', '-1']),
        ({'backend': 'magic'}, ['backend', 'magic', 'onnxruntime']),
        ({'stale_engine': 'run'}, ['stale_engine', 'run', 'refuse', 'onnxruntime']),
        ({'image_transport': 'theora'}, ['image_transport', 'theora', 'compressed']),
        (
            {'image_transport': 'ffmpeg'},
            ['image_transport', 'ffmpeg_image_transport_msgs', 'not installed', 'apt install'],
        ),
        ({'image_transport': 'foxglove'}, ['foxglove_msgs', 'ros-$ROS_DISTRO-foxglove-msgs']),
        ({'input_qos': ''}, ['input_qos', 'sensor_data']),
        ({'camera_names': []}, ['camera_names', 'empty']),
        ({'camera_names': ['a', 'b', 'a']}, ['camera_names', 'a', 'more than once']),
        ({'camera_names': ['/front']}, ['camera_names', '/front']),
        ({'camera_names': ['front left']}, ['camera_names', 'front left']),
        ({'camera_names': ['2nd']}, ['camera_names', '2nd']),
        ({'camera_names': ['']}, ['camera_names']),
        ({'regions_of_interest': ['1,2,3']}, ['regions_of_interest', "'1,2,3'"]),
        ({'regions_of_interest': ['', '']}, ['regions_of_interest', '2 values']),
        ({'rotations': [45]}, ['rotations', '45']),
        ({'max_image_pixels': 2**27 + 1}, ['max_image_pixels', '134217729']),
        ({'process_all': True, 'input_qos': 'sensor_data'}, ['input_qos']),
        ({'process_all': True, 'max_rate': 5.0}, ['max_rate']),
        ({'max_consecutive_delays': 2}, ['max_processing_time']),
    ],
)
def test_impossible_values_are_refused_with_name_value_and_expectation(values, texts) -> None:
    with pytest.raises(ParameterError) as caught:
        NodeParameters(**values)
    for text in texts:
        assert text in str(caught.value)


@pytest.mark.parametrize(
    'values',
    [
        {'score_threshold': 0.0},
        {'score_threshold': 1.0},
        {'score_threshold': -1.0},
        {'stuff_area_limit': 0},
        {'camera_names': ['a']},
        {'camera_names': ['front', 'rig_2/left']},
    ],
)
def test_values_at_the_edge_are_accepted(values) -> None:
    assert asdict(NodeParameters(**values)).items() >= values.items()


@pytest.mark.parametrize(
    ('values', 'texts'),
    [
        ({'score_threshold': 2.0}, ['score_threshold', '2.0', '0.0 to 1.0']),
        ({'camera_names': 'front'}, ['camera_names', 'front', 'list']),
        ({'camera_names': ['x', 'x']}, ['camera_names', 'more than once']),
        ({'camera_names': None}, ['camera_names', 'empty', 'list']),
        ({'regions_of_interest': None}, ['regions_of_interest', 'empty', 'list']),
        ({'overlay_alpha': None}, ['overlay_alpha', 'empty', 'float']),
        ({'rotations': ['right']}, ['rotations']),
        ({'num_threads': 2.5}, ['num_threads', '2.5', 'int']),
        ({'diagnostics_period': 0.0}, ['diagnostics_period', '0.0', '0.05']),
    ],
)
def test_an_impossible_start_value_stops_the_node_with_a_reason(start_node, values, texts) -> None:
    with pytest.raises(ParameterError) as caught:
        start_node(**values)
    for text in texts:
        assert text in str(caught.value)


def test_a_name_that_does_not_exist_is_told_with_the_nearest_and_is_no_parameter(
    start_node, capfd
) -> None:
    given = {'cameras': ['front'], 'score_treshold': 0.5, 'zzz': None, 'use_sim_time': True}
    harness = start_node(**given, overlay_alpha=0.25)
    log = capfd.readouterr().err
    assert "'cameras' does not exist and has no effect; the nearest name is 'camera_names'" in log
    assert "'score_treshold' does not exist" in log and "'score_threshold'" in log
    assert 'have no effect: zzz;' in log
    for known in ('use_sim_time', 'overlay_alpha', 'model_path'):
        assert known not in log
    node = harness.node
    assert not [name for name in ('cameras', 'score_treshold', 'zzz') if node.has_parameter(name)]
    assert node.get_parameter('use_sim_time').value is True
    assert node.parameters.overlay_alpha == 0.25
    said = harness.subscribe(DiagnosticArray, '/diagnostics')
    status = said.wait_for(lambda seen: find_own(seen, harness) is not None, 'diagnostics')
    assert 'cameras' in status_values(find_own(status, harness))['parameters_without_effect']


def find_own(messages, harness: NodeHarness):
    name = f'{harness.namespace}/perception_node: engine'
    return next((s for m in messages for s in m.status if s.name == name), None)


@pytest.mark.parametrize(
    ('content', 'told'),
    [
        ({'perception': {'ros__parameters': {'camera_names': ['a'], 'backend': 'auto'}}}, True),
        # rcl takes a name without namespace for a node of the root namespace.
        ({'perception_node': {'ros__parameters': {'camera_names': ['a']}}}, True),
        ({'car': {'perception': {'ros__parameters': {'camera_names': ['a']}}}}, True),
        ({'/car/perception_node': {'ros__parameters': {'camera_names': ['a']}}}, False),
        ({'car': {'perception_node': {'ros__parameters': {'camera_names': ['a']}}}}, False),
        ({'/**': {'ros__parameters': {'camera_names': ['a']}}}, False),
        ({'/*/perception_node': {'ros__parameters': {'camera_names': ['a']}}}, False),
        ({'/**/perception_node': {'ros__parameters': {'camera_names': ['a']}}}, False),
        (
            {
                '/**': {'ros__parameters': {'use_sim_time': True}},
                'perception': {'ros__parameters': {'camera_names': ['a']}},
            },
            True,
        ),
        (
            {'perception': {'ros__parameters': {'camera_names': ['a'], 'score_treshold': 0.5}}},
            True,
        ),
        # Another node, which has a parameter of the same name, among others of its own.
        ({'lidar': {'ros__parameters': {'backend': 'x', 'beams': 3, 'rings': 4}}}, False),
        ({'lidar': {'ros__parameters': {'use_sim_time': True}}}, False),
        (
            {
                'other': {'ros__parameters': {'camera_names': ['a']}},
                '/car/perception_node': {'ros__parameters': {'backend': 'auto'}},
            },
            False,
        ),
        ('no mapping', False),
    ],
)
def test_a_section_for_another_node_that_was_meant_for_this_one_is_told(
    tmp_path, content, told
) -> None:
    path = tmp_path / 'parameters.yaml'
    path.write_text(yaml.safe_dump(content))
    arguments = ['node', '--ros-args', '--params-file', str(path), '--', 'x']
    sentences = misplaced_parameters(arguments, '/car/perception_node')
    assert bool(sentences) == told
    for sentence in sentences:
        assert 'camera_names' in sentence and str(path) in sentence
        assert "'/car/perception_node' or '/**'" in sentence


def test_a_parameter_of_another_node_on_the_command_line_is_told() -> None:
    simulated = ['-p', 'use_sim_time:=true', '--log-level', 'info']
    arguments = ['--ros-args', '-p', 'perception:camera_names:=[a]', *simulated]
    (sentence,) = misplaced_parameters(arguments, '/perception_node')
    assert "the command line gives camera_names to 'perception'" in sentence
    assert not misplaced_parameters(['--ros-args', '-p', 'camera_names:=[a]'], '/perception_node')
    assert not misplaced_parameters(['-p', 'perception:camera_names:=[a]'], '/perception_node')


def test_thresholds_come_from_the_model_until_set(start_node) -> None:
    harness = start_node(score_threshold=0.25)
    assert harness.change_state('configure')
    pipeline = harness.loader.pipeline
    assert pipeline.thresholds[-1] == {**OWN_THRESHOLDS, 'score_threshold': 0.25}
    assert harness.set_parameters(score_threshold=-1.0, stuff_area_limit=7).successful
    assert pipeline.thresholds[-1] == {**OWN_THRESHOLDS, 'stuff_area_limit': 7}


def test_an_impossible_change_changes_nothing_at_all(start_node) -> None:
    harness = start_node().activate()
    before = harness.node.parameters
    result = harness.set_parameters(overlay_alpha=0.9, score_threshold=0.4, stuff_area_limit=-7)
    assert not result.successful
    assert 'stuff_area_limit' in result.reason
    assert harness.node.parameters == before
    assert harness.node.get_parameter('overlay_alpha').value == before.overlay_alpha
    assert harness.loader.pipeline.thresholds == [OWN_THRESHOLDS]


def test_structural_parameters_change_only_while_unconfigured(start_node) -> None:
    harness = start_node()
    assert harness.set_parameters(camera_names=['front']).successful
    assert harness.change_state('configure')
    result = harness.set_parameters(camera_names=['back'])
    assert not result.successful
    assert 'camera_names' in result.reason and 'cleanup' in result.reason
    assert harness.set_parameters(camera_names=['front']).successful  # no change
    assert harness.change_state('cleanup')
    assert harness.set_parameters(camera_names=['back', 'side']).successful
    harness.activate()
    harness.publisher(Image, 'back/image_raw')
    harness.publisher(Image, 'side/image_raw')
    assert harness.node.count_subscribers('front/image_raw') == 0


def test_parameters_read_at_the_start_are_read_only(start_node) -> None:
    harness = start_node()
    assert not harness.set_parameters(autostart=False).successful
    assert not harness.set_parameters(diagnostics_period=5.0).successful


def describe(harness: NodeHarness, *names: str) -> dict:
    service = 'perception_node/describe_parameters'
    request = DescribeParameters.Request(names=names)
    answer = harness.call(DescribeParameters, service, request)
    return {descriptor.name: descriptor for descriptor in answer.descriptors}


def test_every_parameter_is_described_with_its_range(start_node) -> None:
    described = describe(start_node(), *parameter_rules())
    assert all(descriptor.description for descriptor in described.values())
    (score,) = described['score_threshold'].floating_point_range
    assert (score.from_value, score.to_value) == (-1.0, 1.0)
    (threads,) = described['num_threads'].integer_range
    assert (threads.from_value, threads.to_value) == (0, 256)
    assert 'tensorrt' in described['backend'].additional_constraints
    assert described['autostart'].read_only and not described['model_path'].read_only
