# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The ROS 2 node: the only part of the project that imports rclpy or a message type."""
