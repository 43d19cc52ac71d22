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
# No message and no chunk is larger; damaged or ill-meant bytes may unpack to any size.
LARGEST_CONTENT = 1 << 30


def decompress_zstd(data: bytes, *, largest: int = LARGEST_CONTENT) -> bytes:
    """The content of a compressed message or chunk: one frame or several, one behind another.

    Raises:
        ValueError: the content is larger than allowed, or cut off.
        ZstdError: the data are damaged.
    """
    content = b''
    while data:
        frame = zstd.ZstdDecompressor()
        content += frame.decompress(data, max_length=largest - len(content) + 1)
        if len(content) > largest:
            raise ValueError(f'the content is larger than {largest} bytes')
        if not frame.eof:
            raise ValueError('the compressed data are cut off')
        data = frame.unused_data
    return content


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
