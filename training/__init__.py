# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Training, evaluation and export of UPSNet models (PyTorch)."""
