# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Paths made of names that come from files of others."""

from pathlib import Path, PurePosixPath

from training.data.errors import DataError


def path_inside(folder: Path, name: str) -> Path:
    """The path of a file below a folder.

    Args:
        folder: The folder.
        name: Relative path, with ``/`` between folders.

    Raises:
        DataError: If the name is empty or leads out of the folder.
    """
    parts = PurePosixPath(name).parts
    if not parts or name.startswith('/') or '..' in parts or '\0' in name:
        raise DataError(f'the file name {name!r} leads out of {folder}; expected one inside it')
    return folder.joinpath(*parts)
