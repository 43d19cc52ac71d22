# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One image through a network, every stage kept under a documented name and drawn."""
