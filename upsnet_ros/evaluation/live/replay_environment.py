# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Environment of the processes of a live replay, and where the package keeps its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.installed_files import share_folders

# Fast DDS derives its ports from the domain; above 101 they fall among Linux's ephemeral ones.
LARGEST_DOMAIN = 101
PROFILE_VARIABLE = 'FASTDDS_DEFAULT_PROFILES_FILE'
DEPRECATED_PROFILE_VARIABLE = 'FASTRTPS_DEFAULT_PROFILES_FILE'


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


def can_make_folder(path: Path) -> bool:
    """True when a folder can be written to; it is made when missing, as ROS would."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(path, os.W_OK | os.X_OK)


def has_log_folder(variables: Mapping[str, str]) -> bool:
    """True when ROS finds a folder for its logs; without one no node starts."""
    if variables.get('ROS_LOG_DIR') or variables.get('ROS_HOME'):
        return True  # the user's own choice, right or wrong
    home = variables.get('HOME', '')
    return Path(home).is_absolute() and can_make_folder(Path(home) / '.ros' / 'log')


def replay_environment(
    base: Mapping[str, str], *, log_folder: Path, has_own_domain: bool = True
) -> dict[str, str]:
    """The given variables, completed for large images and a DDS domain of its own.

    Args:
        base: Variables to start from.
        log_folder: Where ROS writes its logs when it could make no folder below HOME.
        has_own_domain: False to stay in the domain of a node that runs already.

    What the user has set stays. A domain of its own keeps other ROS programs on the machine or the
    network from feeding images to the node, and this replay's topics from reaching them.
    """
    variables = dict(base)
    if PROFILE_VARIABLE not in variables and DEPRECATED_PROFILE_VARIABLE not in variables:
        variables[PROFILE_VARIABLE] = str(package_file('config/fastdds.xml'))
    if not has_log_folder(variables):
        variables['ROS_LOG_DIR'] = str(log_folder.absolute())
    if has_own_domain:
        variables.setdefault('ROS_DOMAIN_ID', str(1 + os.getpid() % LARGEST_DOMAIN))
    variables['PYTHONUNBUFFERED'] = '1'
    return variables
