# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of messages, raw and compressed, as arrays; no ROS is needed for it."""
