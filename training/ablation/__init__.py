# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The paper's ablation study on synthetic drives: does each idea help here as it did there?"""
