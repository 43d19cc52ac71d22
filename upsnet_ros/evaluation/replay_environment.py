# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Environment of the processes of a live replay, and where the package keeps its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from upsnet_ros.evaluation.errors import ReplayError

# Fast DDS derives its ports from the domain; above 101 they fall among Linux's ephemeral ones.
LARGEST_DOMAIN = 101
PROFILE_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'
DEPRECATED_PROFILE_VARIABLE = 'FASTRTPS_DEFAULT_PROFILES_FILE'


def share_folders() -> list[Path]:
    """Where `config/` may lie: the source tree first, then every sourced ROS workspace."""
    folders = [Path(__file__).resolve().parents[2]]
    prefixes = os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    return folders + [Path(prefix) / 'share' / 'upsnet_ros' for prefix in prefixes if prefix]


def package_file(relative: str) -> Path:
    """A file the package brings along, such as config/fastdds.xml.

    Raises:
        ReplayError: it lies in none of the folders where it may be.
    """
    candidates = [folder / relative for folder in share_folders()]
    for path in candidates:
        if path.is_file():
            return path
    raise ReplayError(
        f'{relative} was found in none of {", ".join(str(p.parent) for p in candidates)}. '
        'Source the workspace in which the package was built, or run from its source tree.'
    )


def replay_environment(base: Mapping[str, str]) -> dict[str, str]:
    """The given variables, completed for large images and a DDS domain of its own.

    What the user has set stays. A domain of its own keeps other ROS programs on the machine or the
    network from feeding images to the node, and this replay's topics from reaching them.
    """
    variables = dict(base)
    if PROFILE_VARIABLE not in variables and DEPRECATED_PROFILE_VARIABLE not in variables:
        variables[PROFILE_VARIABLE] = str(package_file('config/fastdds.xml'))
    variables.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % LARGEST_DOMAIN))
    variables['PYTHONUNBUFFERED'] = '1'
    return variables
