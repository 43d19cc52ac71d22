# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Replay of recorded drives through the node, measures over time and the report."""
