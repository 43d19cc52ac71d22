# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network: small modules that take explicit values, never a configuration object."""
