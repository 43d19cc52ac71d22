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
    checkout = Path(__file__).resolve().parents[1]
    return list(dict.fromkeys([checkout, *installed]))


def find_installed(relative: str) -> Path | None:
    """A file or folder of the package, for example `config/fastdds.xml`; None where it lacks."""
    candidates = [folder / relative for folder in share_folders()]
    return next((candidate for candidate in candidates if candidate.exists()), None)


def default_model_path() -> Path:
    """The model that comes with the package.

    Raises:
        ModelError: it is in none of the places.
    """
    found = find_installed(DEFAULT_MODEL)
    if found is not None:
        return found
    places = ', '.join(str(folder / DEFAULT_MODEL) for folder in share_folders())
    raise ModelError(
        f'the model of the package was not found at: {places}; install the package completely, or '
        "name a model.onnx (parameter 'model_path' of the node)"
    )
