# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What keeps the node from running well on this computer, one line for each thing looked at."""
