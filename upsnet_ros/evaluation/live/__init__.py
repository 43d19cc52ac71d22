# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Live replay: a bag is played into the running node over DDS, and its answers are judged."""
