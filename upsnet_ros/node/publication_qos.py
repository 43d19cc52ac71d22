# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The quality of service that the node offers.

Reliable and volatile fits every subscriber; a depth of two lets the next result be published while
a slow subscriber still takes the last. Where every frame counts, results are kept until they were
received.
"""

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

OUTPUT_QOS = QoSProfile(depth=2, reliability=ReliabilityPolicy.RELIABLE)
COMPLETE_OUTPUT_QOS = QoSProfile(depth=256, reliability=ReliabilityPolicy.RELIABLE)
LATCHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
