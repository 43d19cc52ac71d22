# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Declares the parameters on a ROS node, and checks changes as a whole before they are applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterException, ParameterException
from rclpy.node import Node
from rclpy.parameter import Parameter

from upsnet_ros.core.errors import ParameterError
from upsnet_ros.node.parameters import (
    MODEL_DEFAULT,
    NodeParameters,
    ParameterRule,
    parameter_defaults,
    parameter_rules,
)

CONSTRAINTS = {
    'live': '',
    'unconfigured': 'may change only while the node is unconfigured',
    'never': 'is read once at the start',
}


def descriptor(rule: ParameterRule, default: Any) -> ParameterDescriptor:
    """What tools such as `ros2 param describe` show of a parameter."""
    constraints = [CONSTRAINTS[rule.change]] if rule.change != 'live' else []
    if rule.choices:
        constraints.append('one of: ' + ', '.join(rule.choices))
    message = ParameterDescriptor(
        description=rule.description,
        additional_constraints='; '.join(constraints),
        read_only=rule.change == 'never',
    )
    if rule.minimum is not None and rule.maximum is not None:
        low = MODEL_DEFAULT if rule.may_be_model_default else rule.minimum
        if isinstance(default, float):
            message.floating_point_range = [
                FloatingPointRange(from_value=float(low), to_value=float(rule.maximum))
            ]
        else:
            message.integer_range = [
                IntegerRange(from_value=int(low), to_value=int(rule.maximum), step=1)
            ]
    return message


class ParameterServer:
    """The parameters of one node: declared, checked, and handed on when they change.

    Args:
        node: the node to declare them on.
        is_configured: tells whether structural parameters are in use.
        apply: called with all values after an accepted change.

    Raises:
        ParameterError: a value from the command line or a parameter file is impossible.
    """

    def __init__(
        self,
        node: Node,
        *,
        is_configured: Callable[[], bool],
        apply: Callable[[NodeParameters], None],
    ) -> None:
        self._node = node
        self._is_configured = is_configured
        self._apply = apply
        self._rules = parameter_rules()
        self.values = NodeParameters(**self._declare())
        node.add_on_set_parameters_callback(self._check_change)
        node.add_post_set_parameters_callback(self._apply_change)

    def _declare(self) -> dict[str, Any]:
        values = {}
        for name, default in parameter_defaults().items():
            rule = self._rules[name]
            try:
                values[name] = self._node.declare_parameter(
                    name, default, descriptor(rule, default)
                ).value
            except (ParameterException, InvalidParameterException) as error:
                raise self._explained(name, default, error) from error
        return values

    def _explained(self, name: str, default: Any, error: Exception) -> ParameterError:
        """The error for a start value that the declaration refused."""
        # rclpy keeps the values given from outside here; it has no public way to read one that
        # was refused.
        given = getattr(self._node, '_parameter_overrides', {}).get(name)
        value = given.value if given is not None else None
        wanted = type(default).__name__
        if type(value) is not type(default):
            return ParameterError(
                f"parameter '{name}' is {value!r} of type {type(value).__name__}, expected a "
                f'{wanted}'
            )
        try:
            self._rules[name].check(name, value)
        except ParameterError as explained:
            return explained
        return ParameterError(f"parameter '{name}' is {value!r}: {error}")

    def _check_change(self, changes: list[Parameter]) -> SetParametersResult:
        """Accepts a set of changes only when all of them together are possible."""
        ours = {change.name: change.value for change in changes if change.name in self._rules}
        try:
            self._refuse_structural(ours)
            NodeParameters(**{**asdict(self.values), **ours})
        except ParameterError as error:
            return SetParametersResult(successful=False, reason=str(error))
        return SetParametersResult(successful=True)

    def _refuse_structural(self, changes: dict[str, Any]) -> None:
        """Raises ParameterError when a change needs the node to be unconfigured and it is not."""
        for name, value in changes.items():
            in_use = self._rules[name].change == 'unconfigured' and self._is_configured()
            if in_use and value != getattr(self.values, name):
                raise ParameterError(
                    f"parameter '{name}' may change only while the node is unconfigured; first "
                    f'run: ros2 lifecycle set {self._node.get_fully_qualified_name()} cleanup'
                )

    def _apply_change(self, changes: list[Parameter]) -> None:
        ours = {change.name: change.value for change in changes if change.name in self._rules}
        if ours:
            self.values = NodeParameters(**{**asdict(self.values), **ours})
            self._apply(self.values)
