# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pure NumPy and OpenCV: label sets, geometry, the panoptic head, its metric and its pictures."""
