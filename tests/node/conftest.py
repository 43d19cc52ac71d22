# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Real DDS on this host only, in a domain of this test process's own."""

import os
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node

from tests.node.fault_rig import FaultRig, check_accounts
from tests.node.node_harness import NodeHarness, SpinThread, unique_namespace
from upsnet_ros.dds_domain import own_domain

os.environ['ROS_DOMAIN_ID'] = str(own_domain())
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'


@pytest.fixture
def start_node():
    """A function that starts a node with parameters; all are ended after the test."""
    running = []

    def start(**options) -> NodeHarness:
        harness = NodeHarness(**options)
        running.append(harness)
        return harness

    yield start
    for harness in running:
        harness.close()


@pytest.fixture
def namespace() -> str:
    """A namespace of this test alone."""
    return unique_namespace()


@pytest.fixture
def client(namespace: str) -> Iterator[Node]:
    """A node in this process with its own thread, beside a node in another process."""
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node('test_client', context=context, namespace=namespace)
    thread = SpinThread(context)
    thread.executor.add_node(node)
    yield node
    thread.close()
    node.destroy_node()
    rclpy.shutdown(context=context)


@pytest.fixture
def rig(start_node) -> Iterator[Callable[..., FaultRig]]:
    """A function that starts a node for faults, whose images are all counted in the end."""
    rigs = []

    def start(**options) -> FaultRig:
        rigs.append(FaultRig(start_node(diagnostics_period=0.05, **options)))
        return rigs[-1]

    yield start
    for started in rigs:
        check_accounts(started.harness)
