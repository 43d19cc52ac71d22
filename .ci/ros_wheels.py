# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Mends the CMake files of the ROS 2 wheels, which name folders of the machine that built them.

The exported targets of every message package list the Python and NumPy include folders of the
build machine. CMake refuses a target with an include folder that does not exist, so both are
rewritten to those of the interpreter the wheels are installed for.
"""

from __future__ import annotations

import re
from pathlib import Path

INCLUDE_PROPERTY = re.compile(r'(INTERFACE_INCLUDE_DIRECTORIES ")([^"]*)(")')
PYTHON_INCLUDE = re.compile(r'/include/python3\.\d+$')
NUMPY_INCLUDE = re.compile(r'/numpy/(_core|core)/include$')


def mend_folder(folder: str, *, python_include: str, numpy_include: str) -> str:
    """The include folder to use: the given one unless it is a Python or NumPy one of elsewhere."""
    if folder.startswith('/') and not Path(folder).is_dir():
        if PYTHON_INCLUDE.search(folder):
            return python_include
        if NUMPY_INCLUDE.search(folder):
            return numpy_include
    return folder


def mend_text(text: str, *, python_include: str, numpy_include: str) -> str:
    """The CMake text with every foreign Python or NumPy include folder replaced."""

    def mended(match: re.Match[str]) -> str:
        folders = [
            mend_folder(folder, python_include=python_include, numpy_include=numpy_include)
            for folder in match[2].split(';')
        ]
        return match[1] + ';'.join(folders) + match[3]

    return INCLUDE_PROPERTY.sub(mended, text)


def missing_folders(text: str) -> list[str]:
    """Absolute include folders in the CMake text that do not exist on this machine."""
    return [
        folder
        for match in INCLUDE_PROPERTY.finditer(text)
        for folder in match[2].split(';')
        if folder.startswith('/') and not Path(folder).is_dir()
    ]


def mend_wheels(prefix: Path, *, python_include: str, numpy_include: str) -> tuple[int, list[str]]:
    """Mends all CMake files under a prefix; running it again changes nothing.

    Args:
        prefix: folder the wheels are installed to, with `share/` and `lib/`.
        python_include: folder with Python.h.
        numpy_include: folder with numpy/arrayobject.h.

    Returns:
        The number of files changed, and the absolute include folders that still do not exist.
    """
    changed = 0
    missing: list[str] = []
    files = [*prefix.glob('share/*/cmake/*.cmake'), *prefix.glob('lib/cmake/*/*.cmake')]
    for path in sorted(files):
        text = path.read_text(errors='surrogateescape')
        mended = mend_text(text, python_include=python_include, numpy_include=numpy_include)
        if mended != text:
            path.write_text(mended, errors='surrogateescape')
            changed += 1
        missing += [f'{path.name}: {folder}' for folder in missing_folders(mended)]
    return changed, missing
