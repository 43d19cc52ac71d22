# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What benchmarks share: the file of results, and frames for an exported model."""
