# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reports as plain data, and pages, charts and text made of them; knows nothing of perception."""
