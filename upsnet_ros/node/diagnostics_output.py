# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The publisher of the node's state."""

from __future__ import annotations

import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.status_report import NodeParts, node_statuses


class DiagnosticsOutput:
    """Publishes what the node's parts say of themselves, whether or not frames arrive.

    Args:
        node: publishes on /diagnostics.
        parts: gives the parts as they are now.
        parameters: gives the values that hold now.
    """

    def __init__(
        self,
        node: Node,
        *,
        parts: Callable[[], NodeParts],
        parameters: Callable[[], NodeParameters],
    ) -> None:
        self._node = node
        self._parts = parts
        self._parameters = parameters
        self._publisher = node.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self._published_at = time.monotonic()

    def publish(self) -> None:
        """Publishes the state at this moment."""
        self._published_at = time.monotonic()
        message = DiagnosticArray()
        message.header.stamp = self._node.get_clock().now().to_msg()
        name = self._node.get_fully_qualified_name().lstrip('/')
        message.status = node_statuses(name, self._parts(), self._parameters())
        self._publisher.publish(message)

    def publish_when_due(self) -> None:
        """Publishes at the usual pace where no timer can: while the executor waits for a model."""
        if time.monotonic() - self._published_at < self._parameters().diagnostics_period:
            return
        try:
            self.publish()
        except Exception as error:  # the model is loaded whatever becomes of the diagnostics
            self._node.get_logger().error(f'the diagnostics could not be published: {error!r}')
