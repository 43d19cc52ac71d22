# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""NumPy, OpenCV and numba: label sets, geometry, panoptic head, its metric and its pictures."""
