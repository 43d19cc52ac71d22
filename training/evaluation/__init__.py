# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Measuring a network on a data set: records of frames, average precision, submissions, report."""
