# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes arrays as an .npz file."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np


def write_archive(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays so that ``numpy.load(path)`` reads them by name.

    Masks and label maps are compressed, float arrays are not: features hardly shrink, and a large
    image has hundreds of megabytes of them. An older file is replaced only by a complete one.

    Args:
        path: File to write.
        arrays: Arrays by name; no objects.

    Raises:
        OSError: If the file cannot be written.
    """
    temporary = path.with_name(f'{path.name}.partial')
    try:
        with zipfile.ZipFile(temporary, 'w', compresslevel=1) as archive:
            for name, array in arrays.items():
                member = zipfile.ZipInfo(f'{name}.npy')
                shrinks = array.dtype.kind in 'biu'
                member.compress_type = zipfile.ZIP_DEFLATED if shrinks else zipfile.ZIP_STORED
                with archive.open(member, 'w', force_zip64=True) as file:
                    np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
