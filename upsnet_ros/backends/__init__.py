# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One file per inference library, which alone imports it; `select` makes the one asked for."""
