# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The quality of service that the node offers, and what parameters say otherwise.

    qos_overrides.<topic>.<publisher or subscription>.<policy>

The topic is the full name, after namespace and remapping. Overrides are read at the start, as in
all of rclpy. Only what was given is declared: a policy that the node chooses itself may differ
from one activation to the next, and rclpy would keep the first choice as if it had been asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any

from rclpy.event_handler import PublisherEventCallbacks
from rclpy.lifecycle import LifecycleNode
from rclpy.node import Node
from rclpy.qos import (
    DurabilityPolicy,
    QoSPolicyKind,
    QoSProfile,
    ReliabilityPolicy,
    qos_policy_name_from_kind,
)
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription

from upsnet_ros.core.errors import ParameterError

# Reliable and volatile fits every subscriber; a depth of two lets the next result be published
# while a slow subscriber still takes the last. Where every frame counts, results are kept until
# they were received.
OUTPUT_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
COMPLETE_OUTPUT_QOS = QoSProfile(depth=256, reliability=ReliabilityPolicy.RELIABLE)
LATCHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


PREFIX = 'qos_overrides.'
PUBLISHER, SUBSCRIPTION = 'publisher', 'subscription'
MAX_DEPTH = 1000
# No keep_all: a reader that stands still would have image after image kept until memory ends.
CHOICES = {
    'reliability': ('reliable', 'best_effort'),
    'durability': ('volatile', 'transient_local'),
    'history': ('keep_last',),
}


def parameter_name(node: Node, topic: str, entity: str, policy: str = '') -> str:
    """Name of the parameter that overrides a policy, or of what they all begin with."""
    return f'{PREFIX}{node.resolve_topic_name(topic)}.{entity}.{policy.lower()}'


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
    prefix = parameter_name(node, topic, entity)
    asked = {
        name.removeprefix(prefix): value
        for name, value in _given(node).items()
        if name.startswith(prefix)
    }
    for policy, value in asked.items():
        _check(prefix + policy, policy, value)
    return asked


def create_output(node: LifecycleNode, kind: type, topic: str, qos: QoSProfile) -> Any:
    """A lifecycle publisher with the quality of service given, but for what was asked otherwise.

    Raises:
        ParameterError: an override is impossible.
    """
    overrides = topic_overrides(node, topic, PUBLISHER)
    if qos.durability == DurabilityPolicy.TRANSIENT_LOCAL:
        _warn_of_weaker(node, topic, overrides)

    def refused(event: Any) -> None:
        policy = qos_policy_name_from_kind(event.last_policy_kind)
        node.get_logger().warning(
            f"topic '{topic}': a subscriber asks for another {policy} than this node offers and "
            'receives nothing; let it ask for less, or override it here (qos_overrides)'
        )

    # Every event that is listened to is waited for anew with each image, so only this one is.
    callbacks = PublisherEventCallbacks(incompatible_qos=refused, use_default_callbacks=False)
    return node.create_lifecycle_publisher(
        kind,
        topic,
        copy(qos),
        event_callbacks=callbacks,
        qos_overriding_options=_options(overrides),
    )


def create_input(
    node: Node,
    kind: type,
    topic: str,
    callback: Callable[[Any], None],
    qos: QoSProfile,
    **options: Any,
) -> Subscription:
    """A subscription with the quality of service given, but for what was asked otherwise.

    Raises:
        ParameterError: an override is impossible.
    """
    overrides = topic_overrides(node, topic, SUBSCRIPTION)
    return node.create_subscription(
        kind, topic, callback, copy(qos), qos_overriding_options=_options(overrides), **options
    )


def _options(overrides: Iterable[str]) -> QoSOverridingOptions:
    """Has rclpy declare the overrides of these policies and write them into the profile."""
    return QoSOverridingOptions([QoSPolicyKind[policy.upper()] for policy in overrides])


def unused_overrides(node: Node, inputs: Iterable[str]) -> list[str]:
    """Overrides that were given and have no effect, after the publishers were created.

    Args:
        node: the node whose parameters are read.
        inputs: the topics that it subscribes to while active.
    """
    prefixes = tuple(parameter_name(node, topic, SUBSCRIPTION) for topic in inputs)
    return sorted(
        name
        for name in _given(node)
        if not node.has_parameter(name) and not name.startswith(prefixes)
    )


def _warn_of_weaker(node: Node, topic: str, overrides: Mapping[str, str | int]) -> None:
    """Says what an override takes from a topic whose message is published only once."""
    for policy, value in overrides.items():
        if value in ('volatile', 'best_effort'):
            node.get_logger().warning(
                f"parameter '{parameter_name(node, topic, PUBLISHER, policy)}' is '{value}': "
                'this message is published once on activation, and readers that come later or '
                'ask for more may never receive it'
            )


def _given(node: Node) -> dict[str, Any]:
    """The overrides that a node was given at its start; only a `PerceptionNode` takes any."""
    given = getattr(node, 'given_parameters', {})
    return {name: value for name, value in given.items() if name.startswith(PREFIX)}


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
