# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ROS and the messages, as a process of its own finds them."""

from __future__ import annotations

import pytest

from tests.doctor.expectations import levels, only
from upsnet_ros.doctor.ros import check_ros


def test_ros_and_the_messages_of_this_checkout_are_there(computer) -> None:
    findings = list(check_ros(computer(environment={'ROS_DISTRO': 'kilted'})))
    assert levels(findings) == ['ok', 'ok']
    assert 'kilted' in findings[0].found and findings[1].what == 'messages'


def test_without_ros_the_pipeline_still_runs(computer, libraries) -> None:
    (libraries / 'rclpy.py').write_text('raise ModuleNotFoundError("No module named \'rclpy\'")\n')
    finding = only(check_ros(computer()))
    assert finding.level == 'warning' and 'setup.bash' in finding.remedy


def test_a_broken_rclpy_is_an_error(computer, libraries) -> None:
    (libraries / 'rclpy.py').write_text('raise ImportError("librcl.so: cannot open")\n')
    finding = only(check_ros(computer()))
    assert finding.level == 'error' and 'librcl.so' in finding.found


@pytest.mark.parametrize(
    ('content', 'reason'),
    [
        ('', 'cannot import name'),
        (
            'class Kind(type):\n'
            '    _TYPE_SUPPORT = None\n'
            '    @classmethod\n'
            '    def __import_type_support__(cls): pass\n'
            'class PanopticInstanceArray(metaclass=Kind): pass\n',
            'type support library is missing',
        ),
    ],
)
def test_messages_that_cannot_be_sent_are_an_error(computer, libraries, content, reason) -> None:
    (libraries / 'upsnet_ros').mkdir()
    (libraries / 'upsnet_ros' / '__init__.py').write_text('')
    (libraries / 'upsnet_ros' / 'msg.py').write_text(content)
    rclpy, messages = check_ros(computer())
    assert levels([rclpy, messages]) == ['ok', 'error']
    assert reason in messages.found and 'colcon' in messages.remedy
