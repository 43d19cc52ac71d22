# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks of the node share: a pipeline without a network, processes, measures."""
