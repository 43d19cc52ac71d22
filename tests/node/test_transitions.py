# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import pytest
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.logging import get_logger

from upsnet_ros.core.errors import ModelError
from upsnet_ros.node.perception_node import Lifecycle


@pytest.mark.parametrize(
    ('error', 'reason'),
    [
        (ModelError('no model\nat all'), 'no model'),
        (ModelError('\n  \nno model'), 'no model'),
        (ModelError(), 'ModelError: '),
        (ModelError(' \n'), 'ModelError:  '),
        (RuntimeError(), 'RuntimeError: '),
        (RuntimeError('\nlost'), 'RuntimeError: '),
        (MemoryError(), 'MemoryError: '),
    ],
)
def test_a_transition_that_fails_is_undone_and_says_why_in_a_line(error, reason) -> None:
    lifecycle, undone = Lifecycle(get_logger('test')), []

    def fail() -> None:
        raise error

    result = lifecycle.run('configure', fail, undo=lambda: undone.append(True))
    assert result == TransitionCallbackReturn.FAILURE
    assert (lifecycle.failure, undone) == (f'configure failed: {reason}', [True])
    assert lifecycle.state == 'unconfigured'
