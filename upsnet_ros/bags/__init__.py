# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading and writing of rosbag2: what lies in a bag, cameras, ground truth, labels."""
