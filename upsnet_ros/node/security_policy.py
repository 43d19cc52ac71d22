# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes the SROS2 policy of perception_node: exactly what it publishes, reads and answers.

    python -m upsnet_ros.node.security_policy --cameras front left --namespace /car > policy.xml

`deploy/sros2/policy.xml` is what this writes without arguments. A test compares the rules with
what the running node advertises.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from upsnet_ros.node.process import PULSE_TOPIC
from upsnet_ros.node.topics import CAMERA, DIAGNOSTICS, ENABLE, INPUTS, OUTPUTS

NODE = 'perception_node'
ENCLAVE = '/upsnet_ros/perception_node'
DEFAULT_CAMERAS = ('camera',)
OPTIONAL_PACKAGE = 'vision_msgs'
# Of rclpy itself, in every lifecycle node.
PUBLISHED = ('/parameter_events', '/rosout', '~/transition_event')
ANSWERED = (
    '~/change_state',
    '~/describe_parameters',
    '~/get_available_states',
    '~/get_available_transitions',
    '~/get_parameter_types',
    '~/get_parameters',
    '~/get_state',
    '~/get_transition_graph',
    '~/get_type_description',
    '~/list_parameters',
    '~/set_parameters',
    '~/set_parameters_atomically',
)
_HEADER = """\
<?xml version="1.0" encoding="UTF-8"?>
<!-- Copyright 2026 The upsnet_ros authors -->
<!-- SPDX-License-Identifier: Apache-2.0 -->
<!--
  SROS2 policy of perception_node: what it may publish, read and answer, and nothing else.
  Written by python -m upsnet_ros.node.security_policy; docs/deployment.md says how to use it.
-->
"""


def _section(
    kind: str, rule: str, names: Sequence[str], cameras: Sequence[str] = DEFAULT_CAMERAS
) -> list[str]:
    """The lines of one list of topics or services, those of cameras once for each of them."""
    entries = [
        f'            <{kind}>{escape(name.replace(CAMERA, camera))}</{kind}>'
        for name in sorted(names)
        for camera in (cameras if CAMERA in name else ('',))
    ]
    return [f'          <{kind}s {rule}="ALLOW">', *entries, f'          </{kind}s>']


def policy_text(
    *, cameras: Sequence[str] = DEFAULT_CAMERAS, namespace: str = '/', enclave: str = ENCLAVE
) -> str:
    """The policy as XML.

    Args:
        cameras: prefixes of the cameras' topics, as in the parameter camera_names.
        namespace: namespace of the node, from the root.
        enclave: path of the enclave that the node runs in.
    """
    optional = [output.name for output in OUTPUTS if output.package == OPTIONAL_PACKAGE]
    always = [output.name for output in OUTPUTS if output.package != OPTIONAL_PACKAGE]
    lines = [
        '<policy version="0.2.0">',
        '  <enclaves>',
        f'    <enclave path={quoteattr(enclave)}>',
        '      <profiles>',
        f'        <profile ns={quoteattr(namespace)} node={quoteattr(NODE)}>',
        *_section('topic', 'subscribe', [topic.name for topic in INPUTS], cameras),
        '          <!-- with use_sim_time -->',
        *_section('topic', 'subscribe', ['/clock']),
        *_section(
            'topic', 'publish', [DIAGNOSTICS.name, PULSE_TOPIC, *PUBLISHED, *always], cameras
        ),
        f'          <!-- where {OPTIONAL_PACKAGE} is installed -->',
        *_section('topic', 'publish', optional, cameras),
        *_section('service', 'reply', [ENABLE.name, *ANSWERED]),
        '        </profile>',
        '      </profiles>',
        '    </enclave>',
        '  </enclaves>',
        '</policy>',
    ]
    return _HEADER + '\n'.join(lines) + '\n'


def main(arguments: list[str] | None = None) -> int:
    """Prints a policy."""
    parser = argparse.ArgumentParser(
        prog='python -m upsnet_ros.node.security_policy',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--cameras', nargs='+', default=list(DEFAULT_CAMERAS), help='(default: camera)')
    add('--namespace', default='/', help='of the node (default: /)')
    add('--enclave', default=ENCLAVE, help=f'(default: {ENCLAVE})')
    options = parser.parse_args(arguments)
    namespace = '/' + options.namespace.strip('/')
    print(
        policy_text(cameras=options.cameras, namespace=namespace, enclave=options.enclave), end=''
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
