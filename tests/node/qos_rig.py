# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Offers of publishers, and the names of overrides for a node that has yet to start."""

import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from tests.node import node_harness

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, KEPT = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL
OFFERS = {
    'reliable': QoSProfile(depth=3, reliability=RELIABLE, durability=VOLATILE),
    'best_effort': QoSProfile(depth=3, reliability=BEST_EFFORT, durability=VOLATILE),
    'reliable_kept': QoSProfile(depth=3, reliability=RELIABLE, durability=KEPT),
    'best_effort_kept': QoSProfile(depth=3, reliability=BEST_EFFORT, durability=KEPT),
}


def known_namespace(monkeypatch: pytest.MonkeyPatch) -> str:
    """The namespace of the next node, known before it starts."""
    name = node_harness.unique_namespace()
    monkeypatch.setattr(node_harness, 'unique_namespace', lambda: name)
    return name


def override(namespace: str, topic: str, entity: str, policy: str) -> str:
    return f'qos_overrides./{namespace}/{topic}.{entity}.{policy}'


def image_override(namespace: str, policy: str, camera: str = 'camera') -> str:
    return override(namespace, f'{camera}/image_raw', 'subscription', policy)
