# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Finds the files of the package in a checkout, a ROS workspace or a plain installation."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from upsnet_ros.core.errors import ModelError

PACKAGE = 'upsnet_ros'
DEFAULT_MODEL = 'config/models/upsnet_tiny_synthetic/model.onnx'


def share_folders() -> list[Path]:
    """Folders that may hold `config/`, in the order they are asked."""
    prefixes = [part for part in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if part]
    installed = [Path(prefix) / 'share' / PACKAGE for prefix in [*prefixes, sys.prefix]]
    checkout = Path(__file__).resolve().parents[2]
    return list(dict.fromkeys([checkout, *installed]))


def default_model_path() -> Path:
    """The model that comes with the package.

    Raises:
        ModelError: it is in none of the places.
    """
    candidates = [folder / DEFAULT_MODEL for folder in share_folders()]
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    places = ', '.join(str(candidate) for candidate in candidates)
    raise ModelError(
        f'the model of the package was not found at: {places}; install the package completely, or '
        "set the parameter 'model_path' to a model.onnx"
    )
