# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The eight losses of the paper, each with its own normalisation."""
