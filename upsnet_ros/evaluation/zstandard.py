# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Zstandard from Python's own library, or before 3.14 from what `rosbags` brings along."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD_MAGIC = b'\x28\xb5\x2f\xfd'
_PIECE = 1 << 20


def decompress_zstd(data: bytes) -> bytes:
    """The content of a compressed message or chunk."""
    return zstd.decompress(data)


def unpack_zstd(packed: Path, unpacked: Path) -> str | None:
    """Write the content of a compressed file, as far as it can be read.

    Returns:
        What kept the rest from being read; None where all was.
    """
    with packed.open('rb') as raw, unpacked.open('wb') as output:
        try:
            with zstd.open(raw, 'rb') as content:
                while piece := content.read(_PIECE):
                    output.write(piece)
        except (EOFError, OSError, zstd.ZstdError) as error:
            return str(error)
    return None
