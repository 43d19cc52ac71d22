# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Targets: which anchor, region or pixel should learn what."""
