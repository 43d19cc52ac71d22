# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panoptic head and the placing of images, as kernels for GPUs."""
