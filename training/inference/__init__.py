# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Trained networks on images of any size, in all the ways the paper tests them."""
