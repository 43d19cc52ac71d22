# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Messages are made only for somebody.

A volatile publisher gives a late reader nothing that was published before it was there, so what is
not made for nobody is not missed either. A publisher that was told to keep messages for late
readers (`qos_overrides`, durability transient_local) has every one made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.qos import DurabilityPolicy


def is_wanted(publisher: Any) -> bool:
    """Whether a message would reach a reader that is there, or be kept for a later one."""
    keeps = publisher.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL
    return keeps or publisher.get_subscription_count() > 0


def publish_wanted(publisher: Any, is_on: bool, make: Callable[[], Any]) -> None:
    """Makes and publishes a message if this output is switched on and wanted."""
    if is_on and is_wanted(publisher):
        publisher.publish(make())
