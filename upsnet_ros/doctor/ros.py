# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether ROS and the messages of this package can be imported, found out in another process."""

from __future__ import annotations

from collections.abc import Iterator

from upsnet_ros.doctor.child_import import import_elsewhere, reason_of, run_python
from upsnet_ros.doctor.finding import Finding, doubtful, fine, wrong
from upsnet_ros.doctor.subject import Subject

SOURCE_ROS = "source ROS's setup.bash (Jazzy or Kilted)"
SOURCE_WORKSPACE = (
    'build the package with colcon, then source the install/setup.bash of its workspace'
)
# A message that cannot be sent has no type support; importing its class does not tell.
_LOAD_TYPE_SUPPORT = (
    'from upsnet_ros.msg import PanopticInstanceArray\n'
    'kind = type(PanopticInstanceArray)\n'
    'kind.__import_type_support__()\n'
    'if kind._TYPE_SUPPORT is None: raise ImportError("its type support library is missing")\n'
)


def check_ros(subject: Subject) -> Iterator[Finding]:
    """Python's ROS library; without it the pipeline runs, the node does not."""
    answer = import_elsewhere('rclpy')
    if answer.version:
        distribution = subject.variable('ROS_DISTRO') or 'no sourced distribution'
        yield fine('rclpy', f'can be imported ({distribution})')
    elif answer.is_missing:
        yield doubtful(
            'rclpy',
            'not found',
            expected='rclpy, if this computer is to run the node',
            remedy=SOURCE_ROS,
        )
        return
    else:
        yield wrong(
            'rclpy',
            f'cannot be imported: {answer.reason}',
            expected='the rclpy of a sourced ROS, for this Python',
            remedy=SOURCE_ROS,
        )
        return
    yield _check_messages()


def _check_messages() -> Finding:
    answer = run_python(_LOAD_TYPE_SUPPORT)
    if answer.returncode == 0:
        return fine('messages', 'upsnet_ros/msg can be imported')
    return wrong(
        'messages',
        f'upsnet_ros/msg cannot be imported: {reason_of(answer)}',
        expected='the messages that were generated for this Python',
        remedy=SOURCE_WORKSPACE,
    )
