# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Fake CUDA and TensorRT libraries in place of the real ones."""

from tests.fakes.gpu_libraries import (  # noqa: F401
    child_libraries,
    cuda,
    engine_path,
    libraries,
    tensorrt,
)
