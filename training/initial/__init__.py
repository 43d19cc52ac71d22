# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights that training starts from: ImageNet backbones, and whole networks of ours."""
