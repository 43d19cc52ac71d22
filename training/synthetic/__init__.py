# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic drives: a procedural street with exact panoptic ground truth, from NumPy and OpenCV."""
