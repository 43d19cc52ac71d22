# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""One file per inference library, which alone imports it; `select` makes the one asked for."""

import sys

# Importing OpenVINO reports it to its makers over the network, each time and from a process that
# it forks. It does without where the package that reports cannot be imported.
sys.modules.setdefault('openvino_telemetry', None)  # type: ignore[arg-type]
