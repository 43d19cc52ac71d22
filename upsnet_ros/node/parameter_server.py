# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Declares the parameters on a ROS node, and checks changes as a whole before they are applied.

rclpy passes over what it was given and nobody declares, a misspelt name as well as a section of a
parameter file for another node. Both are told of here, with what was probably meant.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
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

# Declared by rclpy itself; and what `qos` looks after.
OF_ROS = ('use_sim_time', 'start_type_description_service')
QOS_OVERRIDES = 'qos_overrides'
# How alike two names have to be for one to stand for the other, from 0 to 1.
LIKENESS, MISSPELT = 0.5, 0.85
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


def nearest_name(name: str, known: Collection[str], *, likeness: float = LIKENESS) -> str:
    """The known name that another one was probably meant to be; empty where none is like it."""
    return next(iter(difflib.get_close_matches(name, known, 1, likeness)), '')


def misplaced_parameters(arguments: Sequence[str], node_name: str) -> list[str]:
    """What is given under the name of another node and was probably meant for this one.

    That is a section with more names of this node's, or nearly so, than others, in a file, or on a
    command line, that has none for this node: a file for all nodes of a vehicle may have others.

    Args:
        arguments: the command line.
        node_name: the full name of this node, after namespace and remapping.

    Returns:
        A sentence for each section.
    """
    told = []
    known = parameter_rules().keys()
    for source, sections in _sections_given(arguments):
        # A section for all nodes that has nothing for this one says nothing, such as use_sim_time.
        if any(
            _is_for(section, node_name) and names & known for section, names in sections.items()
        ):
            continue
        for section, names in sections.items():
            others = names - {*OF_ROS, QOS_OVERRIDES}
            ours = sorted(n for n in others if nearest_name(n, known, likeness=MISSPELT))
            if 2 * len(ours) > len(others):
                told.append(
                    f"{source} gives {', '.join(ours)} to '{section}', and this node is "
                    f"'{node_name}': they have no effect; give them to '{node_name}' or '/**'"
                )
    return told


def _sections_given(arguments: Sequence[str]) -> Iterator[tuple[str, dict[str, set[str]]]]:
    """Files and command line of a node, with the names of parameters by whom they are for."""
    on_command_line: dict[str, set[str]] = {}
    is_ros = False
    for word, value in pairwise([*arguments, '']):
        is_ros = word == '--ros-args' or (is_ros and word != '--')
        if is_ros and word == '--params-file':
            sections: dict[str, set[str]] = {}
            try:
                _add_sections(yaml.safe_load(Path(value).read_text()), '', sections)
            except (OSError, ValueError, yaml.YAMLError):
                continue  # ROS has read it, and says what is wrong
            yield value, sections
        elif is_ros and word in ('-p', '--param'):
            section, colon, name = value.partition(':=')[0].rpartition(':')
            on_command_line.setdefault(section if colon else '/**', set()).add(name.split('.')[0])
    yield 'the command line', on_command_line


def _add_sections(content: Any, path: str, sections: dict[str, set[str]]) -> None:
    """Adds what a part of a parameter file has, which lies under the names of a path."""
    for key, inside in content.items() if isinstance(content, dict) else ():
        if key == 'ros__parameters':
            names = inside if isinstance(inside, dict) else {}
            sections.setdefault(path, set()).update(str(name).split('.')[0] for name in names)
        else:
            _add_sections(inside, f'{path.rstrip("/")}/{str(key).lstrip("/")}', sections)


def _is_for(section: str, node_name: str) -> bool:
    """Whether a section's name, in which stars stand for any names, is that of a node."""
    pattern = re.escape('/' + section.lstrip('/')).replace(r'/\*\*', '(/.*)?')
    return re.fullmatch(pattern.replace(r'\*', '[^/]+'), node_name) is not None


class ParameterServer:
    """The parameters of one node: declared, checked, and handed on when they change.

    Attributes:
        values: those that hold now.
        without_effect: what was given at the start and is no parameter of this node, in words.

    Args:
        node: the node to declare them on.
        given: the values that the node was given at its start, by name.
        arguments: the command line, see `misplaced_parameters`.
        is_configured: tells whether structural parameters are in use.
        apply: called with all values after an accepted change.

    Raises:
        ParameterError: a value from the command line or a parameter file is impossible.
    """

    def __init__(
        self,
        node: Node,
        *,
        given: Mapping[str, Any],
        arguments: Sequence[str],
        is_configured: Callable[[], bool],
        apply: Callable[[NodeParameters], None],
    ) -> None:
        self._node = node
        self._node_name = node.get_fully_qualified_name()
        self._given = given
        self._is_configured = is_configured
        self._apply = apply
        self._rules = parameter_rules()
        told = [*self._unknown_names(), *misplaced_parameters(arguments, self._node_name)]
        for text in told:
            node.get_logger().warning(text)
        self.without_effect = '; '.join(told)
        self.values = NodeParameters(**self._declare())
        node.add_on_set_parameters_callback(self._check_change)
        node.add_post_set_parameters_callback(self._apply_change)

    def _unknown_names(self) -> Iterator[str]:
        """A sentence for each name that has no effect; parameters that all nodes get, in one."""
        others = []
        for name in sorted(self._given):
            if name in (*self._rules, *OF_ROS) or name.startswith(f'{QOS_OVERRIDES}.'):
                continue
            nearest = nearest_name(name, self._rules)
            if nearest:
                yield (
                    f"parameter '{name}' does not exist and has no effect; the nearest name is "
                    f"'{nearest}'"
                )
            else:
                others.append(name)
        if others:
            yield (
                f'parameters that do not exist and have no effect: {", ".join(others)}; this '
                'node has those of config/perception.yaml'
            )

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
            if values[name] is None:  # an empty list, of which ROS does not know the type
                wanted = type(default).__name__
                raise ParameterError(
                    f"parameter '{name}' is empty, expected a {wanted} that is not"
                )
        return values

    def _explained(self, name: str, default: Any, error: Exception) -> ParameterError:
        """The error for a start value that the declaration refused."""
        value = self._given.get(name)
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
                    f'run: ros2 lifecycle set {self._node_name} cleanup'
                )

    def _apply_change(self, changes: list[Parameter]) -> None:
        ours = {change.name: change.value for change in changes if change.name in self._rules}
        if ours:
            self.values = NodeParameters(**{**asdict(self.values), **ours})
            self._apply(self.values)
