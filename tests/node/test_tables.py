# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that repeat the code are what it writes, and the policy is what a running node does."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from tests.node.node_harness import NodeHarness
from upsnet_ros.node.parameters import parameter_defaults
from upsnet_ros.node.security_policy import main, policy_text
from upsnet_ros.node.tables import generated_files, parameter_file, with_tables
from upsnet_ros.node.topics import OUTPUTS, TRANSPORTS, VIDEO_TRANSPORTS

ROOT = Path(__file__).parents[2]
POLICY = ROOT / 'deploy' / 'sros2' / 'policy.xml'
NODE = 'perception_node'


@pytest.mark.parametrize('path', generated_files(), ids=lambda path: path.name)
def test_the_committed_file_is_what_the_code_writes(path) -> None:
    """After a change of topics, parameters or exit statuses: `make tables`."""
    assert path.read_text() == generated_files()[path]


def test_the_parameter_file_states_the_defaults_and_nothing_else() -> None:
    values = yaml.safe_load(parameter_file())['/**']['ros__parameters']
    assert values == parameter_defaults()
    for name, default in parameter_defaults().items():
        assert type(values[name]) is type(default), name


def test_a_page_without_a_place_for_a_table_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match='inputs'):
        with_tables('# The node\n', {'inputs': []})


def full_name(name: str, namespace: str) -> str:
    """A name of a policy as ROS resolves it."""
    if name.startswith('~/'):
        name = f'{NODE}/{name[2:]}'
    return name if name.startswith('/') else f'{namespace.rstrip("/")}/{name}'


def allowed(text: str, kind: str, rule: str) -> set[str]:
    """All names of one kind that a policy allows."""
    (profile,) = ElementTree.fromstring(text.encode()).iter('profile')
    assert profile.get('node') == NODE
    found = [
        full_name(entry.text, profile.get('ns'))
        for section in profile.iter(f'{kind}s')
        if section.get(rule) == 'ALLOW'
        for entry in section.iter(kind)
    ]
    assert len(found) == len(set(found))
    return set(found)


def advertised(harness: NodeHarness, what: str) -> set[str]:
    """Names of the running node, as another node sees them."""
    ask = getattr(harness.client, f'get_{what}_names_and_types_by_node')
    return {name for name, _ in ask(NODE, f'/{harness.namespace}')}


@pytest.mark.parametrize('cameras', [['camera'], ['front', 'rig/left']])
def test_the_policy_is_what_the_running_node_does(start_node, cameras) -> None:
    harness = start_node(camera_names=cameras).activate()
    text = policy_text(cameras=cameras, namespace=f'/{harness.namespace}')
    published = allowed(text, 'topic', 'publish')
    missing = {
        f'/{harness.namespace}/{output.of(camera)}'
        for output in OUTPUTS
        for camera in cameras
        if not output.is_available
    }
    assert missing <= published
    published -= missing
    assert published == advertised(harness, 'publisher')
    # Read where `image_transport` asks for them.
    video = {
        f'/{harness.namespace}/{topic.of(camera)}'
        for name in VIDEO_TRANSPORTS
        for topic in TRANSPORTS[name]
        for camera in cameras
    }
    subscribed = allowed(text, 'topic', 'subscribe')
    assert video <= subscribed
    assert subscribed - video - {'/clock'} == advertised(harness, 'subscriber')
    assert allowed(text, 'service', 'reply') == advertised(harness, 'service')
    assert allowed(text, 'service', 'request') == advertised(harness, 'client') == set()


def test_the_clock_is_read_in_simulation_only(start_node) -> None:
    harness = start_node(use_sim_time=True)
    assert advertised(harness, 'subscriber') == {'/clock'}


def test_cameras_namespace_and_enclave_may_be_given(capsys) -> None:
    assert main(['--cameras', 'a', 'b', '--namespace', 'car', '--enclave', '/e"<&']) == 0
    text = capsys.readouterr().out
    (enclave,) = ElementTree.fromstring(text.encode()).iter('enclave')
    assert enclave.get('path') == '/e"<&'
    assert allowed(text, 'topic', 'subscribe') >= {'/car/a/image_raw', '/car/b/image_raw'}


def test_the_elements_are_those_of_the_policy_format() -> None:
    """Version 0.2.0 of SROS2's policy: what may lie in what, and with which attributes."""
    children = {
        'policy': ({'version'}, {'enclaves'}),
        'enclaves': (set(), {'enclave'}),
        'enclave': ({'path'}, {'profiles'}),
        'profiles': (set(), {'profile'}),
        'profile': ({'ns', 'node'}, {'topics', 'services'}),
        'topics': ({'publish', 'subscribe'}, {'topic'}),
        'services': ({'reply', 'request'}, {'service'}),
        'topic': (set(), set()),
        'service': (set(), set()),
    }
    root = ElementTree.fromstring(POLICY.read_bytes())
    assert (root.tag, root.get('version')) == ('policy', '0.2.0')
    for element in root.iter():
        attributes, inside = children[element.tag]
        assert element.attrib.keys() <= attributes
        assert {child.tag for child in element} <= inside
        assert inside == set() or len(element) > 0
