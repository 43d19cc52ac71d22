# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From an exported network to a TensorRT engine; nothing here needs PyTorch or Triton."""
