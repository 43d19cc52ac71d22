# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What people read of an evaluation: tables, a page, pictures of the worst frames."""
