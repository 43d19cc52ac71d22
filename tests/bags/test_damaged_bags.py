# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags cut and altered at random places: what is left is given, what is lost is told."""

from __future__ import annotations

import resource
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import zstandard

from tests.bags.blue_drive import blue_image, blue_rows
from tests.bags.small_drive import storage_file, truth_row, write_rows
from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.joining import BagPart, ReplayStream
from upsnet_ros.bags.mcap_file import McapFile
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.storage import unpack, unpack_file
from upsnet_ros.core.errors import ImageError, UpsnetError
from upsnet_ros.images.messages import image_to_bgr

FRAMES = 8
PLACES = 50
MOST_BYTES = 1_500_000_000
KINDS = [
    ('mcap', 'none'),
    ('mcap', 'storage'),
    ('mcap', 'message'),
    ('sqlite3', 'none'),
    ('sqlite3', 'file'),
]


@pytest.fixture
def bounded_memory() -> Iterator[None]:
    """What is read from damaged bytes must not become the size of an allocation."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path('/proc/self/statm').read_text().split()[0])
    resource.setrlimit(
        resource.RLIMIT_AS, (pages * resource.getpagesize() + MOST_BYTES, before[1])
    )
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def outcome(bag: Path) -> str:
    """What became of a bag: images lost without a word, or another error than ours, are raised."""
    good = unreadable = 0
    try:
        with BagReader(bag) as opened:
            cameras = find_cameras(opened)
            stream = ReplayStream(opened, cameras, part=BagPart())
            for frame in stream:
                try:
                    image = image_to_bgr(opened.decode(cameras[0].images, frame.data))
                except ImageError:
                    unreadable += 1
                    continue
                is_right = frame.truth is not None and frame.problem is None
                good += is_right and image.shape == blue_image(0).shape
            problems = opened.facts().problems
            assert good == FRAMES or problems or unreadable or stream.truth_unmatched('camera')
    except UpsnetError as error:
        assert len(str(error)) > 20
        return 'error'
    return 'whole' if good == FRAMES and not problems else 'part'


@pytest.mark.heavy
@pytest.mark.usefixtures('bounded_memory')
@pytest.mark.parametrize(('storage', 'compression'), KINDS)
@pytest.mark.parametrize('damage', ['cut', 'flipped', 'overwritten'])
def test_a_damaged_bag_gives_what_is_left_or_a_reason(
    tmp_path: Path, storage: str, compression: str, damage: str
) -> None:
    rows = [*blue_rows(FRAMES), *map(truth_row, range(FRAMES))]
    rows.sort(key=lambda row: row[2])
    bag = write_rows(tmp_path / 'bag', rows, storage=storage, compression=compression)
    file = storage_file(bag)
    whole = file.read_bytes()
    random = np.random.default_rng(len(damage) + len(storage) + len(compression))
    outcomes = []
    for _ in range(PLACES):
        place = int(random.integers(1, len(whole)))
        content = bytearray(whole)
        if damage == 'cut':
            del content[place:]
        elif damage == 'flipped':
            content[place] ^= 1 << int(random.integers(8))
        else:
            content[place : place + 16] = random.bytes(min(16, len(whole) - place))
        file.write_bytes(content)
        outcomes.append(outcome(bag))
    if damage == 'cut':
        assert 'error' in outcomes and 'whole' not in outcomes
    else:
        assert {'whole', 'part'} & set(outcomes)


TEXT = bytes(range(256)) * 100


@pytest.mark.parametrize('has_size', [True, False])
def test_packed_content_is_bounded_and_whole_or_refused(has_size: bool) -> None:
    pack = zstandard.ZstdCompressor(write_content_size=has_size).compress
    for content in (TEXT, b''):
        assert unpack(pack(content), largest=max(len(content), 1)) == content
    with pytest.raises((ValueError, zstandard.ZstdError)):
        unpack(pack(TEXT)[:-5])
    bomb = pack(bytes(200_000_000))
    tracemalloc.start()
    with pytest.raises((ValueError, zstandard.ZstdError)):
        unpack(bomb, largest=1_000_000)
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_a_packed_file_of_several_frames_is_unpacked_whole(tmp_path: Path) -> None:
    packed, unpacked = tmp_path / 'a.zstd', tmp_path / 'a'
    packed.write_bytes(zstandard.compress(TEXT) + zstandard.compress(b'more'))
    assert unpack_file(packed, unpacked) is None
    assert unpacked.read_bytes() == TEXT + b'more'


@pytest.mark.parametrize('opcode', [0x05, 0x06])
def test_a_record_that_claims_more_than_the_file_has_takes_no_memory(
    tmp_path: Path, opcode: int
) -> None:
    path = tmp_path / 'cut.mcap'
    path.write_bytes(b'\x89MCAP0\r\n' + struct.pack('<BQ', opcode, 3 << 30) + bytes(100))
    tracemalloc.start()
    file = McapFile(path)
    assert file.topics == {} and 'has no end' in file.problems[0]
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()
    file.close()
