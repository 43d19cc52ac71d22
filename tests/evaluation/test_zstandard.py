# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Compressed content against the library that packed it, and content of any size refused."""

import struct
import tracemalloc
from pathlib import Path

import pytest

from upsnet_ros.bags import zstandard
from upsnet_ros.bags.mcap_recovery import MAGIC, MESSAGE, CutMcap
from upsnet_ros.bags.zstandard import decompress_zstd

TEXT = bytes(range(256)) * 100
packed = zstandard.zstd.compress


@pytest.mark.parametrize(
    ('data', 'content'),
    [
        (packed(TEXT), TEXT),
        (packed(TEXT) + packed(b'more'), TEXT + b'more'),
        (packed(b''), b''),
        (b'', b''),
    ],
)
def test_whole_frames_give_their_content(data, content) -> None:
    assert decompress_zstd(data) == content
    assert decompress_zstd(data, largest=len(content)) == content


@pytest.mark.parametrize('data', [packed(TEXT)[:-5], packed(TEXT) + packed(TEXT)[:20]])
def test_frames_that_are_cut_off_are_refused(data) -> None:
    with pytest.raises(ValueError, match='cut off'):
        decompress_zstd(data)


def test_content_beyond_the_limit_is_refused_before_it_takes_memory() -> None:
    bomb = packed(bytes(200_000_000))
    assert len(bomb) < 100_000
    tracemalloc.start()
    with pytest.raises(ValueError, match='larger than 1000000 bytes'):
        decompress_zstd(bomb, largest=1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_record_that_claims_more_than_the_file_has_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / 'cut.mcap'
    path.write_bytes(MAGIC + struct.pack('<BQ', MESSAGE, 3 << 30) + bytes(100))
    tracemalloc.start()
    assert CutMcap(path).topics == {}
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
