# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Quality of service from parameters, in the form that all of ROS uses.

    qos_overrides.<topic>.<publisher or subscription>.<policy>

The topic is the full name, after namespace and remapping. Overrides are read at the start, as in
all of rclpy. Only what was given is declared: a policy that the node chooses itself may differ
from one activation to the next, and rclpy would keep the first choice as if it had been asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.qos import QoSPolicyKind, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

from upsnet_ros.core.errors import ParameterError

PREFIX = 'qos_overrides.'
PUBLISHER, SUBSCRIPTION = 'publisher', 'subscription'
MAX_DEPTH = 1000
# No keep_all: a reader that stands still would have image after image kept until memory ends.
CHOICES = {
    'reliability': ('reliable', 'best_effort'),
    'durability': ('volatile', 'transient_local'),
    'history': ('keep_last',),
}


def topic_overrides(node: Node, topic: str, entity: str) -> dict[str, str | int]:
    """What was asked for one publisher or subscription.

    Args:
        node: the node whose parameters are read.
        topic: its name, relative or full.
        entity: PUBLISHER or SUBSCRIPTION.

    Returns:
        Values by policy; empty where nothing was asked for.

    Raises:
        ParameterError: a policy cannot be overridden, or not by that value.
    """
    prefix = f'{PREFIX}{node.resolve_topic_name(topic)}.{entity}.'
    asked = {
        name.removeprefix(prefix): value
        for name, value in _given(node).items()
        if name.startswith(prefix)
    }
    for policy, value in asked.items():
        _check(prefix + policy, policy, value)
    return asked


def overriding_options(overrides: Iterable[str]) -> QoSOverridingOptions:
    """Has rclpy declare and apply the overrides of these policies."""
    return QoSOverridingOptions([QoSPolicyKind[policy.upper()] for policy in overrides])


def create_output(node: LifecycleNode, kind: type, topic: str, qos: QoSProfile) -> Any:
    """A lifecycle publisher with the quality of service given, but for what was asked otherwise.

    Raises:
        ParameterError: an override is impossible.
    """
    overrides = topic_overrides(node, topic, PUBLISHER)
    return node.create_lifecycle_publisher(
        kind,
        topic,
        copy(qos),  # rclpy writes the overrides into it
        qos_overriding_options=overriding_options(overrides),
    )


def unused_overrides(node: Node, inputs: Iterable[str]) -> list[str]:
    """Overrides that were given and have no effect, after the publishers were created.

    Args:
        node: the node whose parameters are read.
        inputs: the topics that it subscribes to while active.
    """
    prefixes = tuple(
        f'{PREFIX}{node.resolve_topic_name(topic)}.{SUBSCRIPTION}.' for topic in inputs
    )
    return sorted(
        name
        for name in _given(node)
        if not node.has_parameter(name) and not name.startswith(prefixes)
    )


def _given(node: Node) -> dict[str, Any]:
    """All overrides that were given at the start."""
    # rclpy keeps them here; it has no public way to list what was given and not declared.
    given = node._parameter_overrides
    return {name: entry.value for name, entry in given.items() if name.startswith(PREFIX)}


def _check(name: str, policy: str, value: Any) -> None:
    """Raises ParameterError when a policy cannot have this value."""
    if policy == 'depth':
        is_number = isinstance(value, int) and not isinstance(value, bool)
        if not is_number or not 1 <= value <= MAX_DEPTH:
            raise ParameterError(
                f"parameter '{name}' is {value!r}, expected a number of messages from 1 to "
                f'{MAX_DEPTH}'
            )
    elif policy not in CHOICES:
        raise ParameterError(
            f"parameter '{name}' names the policy '{policy}', expected one of: "
            f'depth, {", ".join(CHOICES)}; remove it'
        )
    elif value not in CHOICES[policy]:
        raise ParameterError(
            f"parameter '{name}' is {value!r}, expected: {' or '.join(CHOICES[policy])}"
        )
