# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Real DDS on this host only, in a domain of this test process's own."""

import os

import pytest

from tests.node.node_harness import NodeHarness

# Domains up to 101 keep clear of the ports that the system hands out.
os.environ['ROS_DOMAIN_ID'] = str(1 + os.getpid() % 100)
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
