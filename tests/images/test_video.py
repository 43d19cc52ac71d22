# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Video by packets, whole and broken, against the pictures that were encoded."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import pytest

from tests.images.plain_messages import (
    ENCODERS,
    compressed,
    encoded,
    moving_square,
    raw,
)
from upsnet_ros.core.errors import ImageError
from upsnet_ros.images import video
from upsnet_ros.images.messages import decode_image
from upsnet_ros.images.video import VideoDecoder, video_codec

COUNT, EVERY = 20, 8
PICTURES = [moving_square(index) for index in range(COUNT)]
LIMIT = 10_000


@dataclass
class Packet:
    """Like ffmpeg_image_transport_msgs/FFMPEGPacket."""

    encoding: str
    pts: int = 0
    data: array[int] = field(default_factory=lambda: array('B'))


@pytest.fixture(scope='module')
def streams() -> dict[str, list[bytes]]:
    return {codec: encoded(PICTURES, codec, every=EVERY) for codec in ENCODERS}


def shown(packets: list[bytes | None], codec: str, decoder: VideoDecoder | None = None) -> list:
    """For each packet its picture or why there is none; a packet that is None was lost."""
    decoder = decoder or VideoDecoder()
    found = []
    for data in packets:
        if data is None:
            continue
        try:
            found.append(decode_image(compressed(data, codec), max_pixels=LIMIT, video=decoder)[0])
        except ImageError as error:
            found.append(str(error))
    return found


def is_like(picture: np.ndarray | str, index: int) -> bool:
    return (
        isinstance(picture, np.ndarray)
        and picture.shape == PICTURES[index].shape
        and np.abs(picture.astype(int) - PICTURES[index]).mean() < 4
    )


@pytest.mark.parametrize('codec', ENCODERS)
def test_each_packet_gives_its_own_picture_at_once(streams, codec: str) -> None:
    found = shown(streams[codec], codec)
    assert len(found) == COUNT
    for index, picture in enumerate(found):
        assert is_like(picture, index) and picture.flags.c_contiguous
        assert not is_like(picture, (index + 3) % COUNT)


@pytest.mark.parametrize('codec', ENCODERS)
def test_a_stream_that_is_joined_in_its_middle_begins_at_the_next_key_frame(
    streams, codec: str
) -> None:
    found = shown(streams[codec][3:], codec)
    for text in found[: EVERY - 3]:
        assert 'key frame' in text
    assert all(is_like(picture, EVERY + at) for at, picture in enumerate(found[EVERY - 3 :]))


def altered(data: bytes, kind: str) -> bytes | None:
    middle = len(data) // 2
    return {
        'lost': None,
        'cut': data[:middle],
        'flipped': data[:middle] + bytes([data[middle] ^ 0x5A]) + data[middle + 1 :],
        'rubbish': b'rubbish' * 9,
        'empty': b'',
    }[kind]


@pytest.mark.parametrize('kind', ['lost', 'cut', 'flipped', 'rubbish', 'empty'])
@pytest.mark.parametrize('codec', ENCODERS)
def test_nothing_is_shown_that_builds_on_what_was_lost_or_damaged(
    streams, codec: str, kind: str
) -> None:
    at = EVERY + 3
    packets = list(streams[codec])
    packets[at] = altered(packets[at], kind)
    found = shown(packets, codec)
    if kind == 'lost':
        found.insert(at, 'lost')
    for index, picture in enumerate(found):
        if at <= index < 2 * EVERY:
            assert isinstance(picture, str), index
        else:
            assert is_like(picture, index), index


@pytest.mark.parametrize(
    'parameters',
    [
        ':8x8dct=1:cabac=1',
        ':8x8dct=1:cqm=jvt',
        ':cqm=jvt:slices=3:aud=1',
        ':ref=4:nal-hrd=vbr:vbv-maxrate=900:vbv-bufsize=900',
    ],
)
def test_losses_are_found_whatever_the_parameter_sets_hold(parameters: str) -> None:
    """Profiles, scaling lists, slices, delimiters, more pictures to build on."""
    pictures = [moving_square(index) for index in range(50)]
    packets = encoded(pictures, every=40, parameters=parameters)
    found = shown(packets, 'h264')
    assert all(np.abs(p.astype(int) - q).mean() < 4 for p, q in zip(found, pictures, strict=True))
    for lost in (1, 7, 30):
        found = shown([*packets[:lost], *packets[lost + 1 :]], 'h264')
        whole = [isinstance(picture, np.ndarray) for picture in found]
        assert whole == [True] * lost + [False] * (39 - lost) + [True] * 10


@pytest.mark.parametrize('codec', ENCODERS)
def test_a_key_frame_that_was_lost_costs_its_group_alone(streams, codec: str) -> None:
    packets = [data for index, data in enumerate(streams[codec]) if index != EVERY]
    found = shown(packets, codec)
    assert all(isinstance(picture, str) for picture in found[EVERY : 2 * EVERY - 1])
    assert all(is_like(p, 2 * EVERY + at) for at, p in enumerate(found[2 * EVERY - 1 :]))


@pytest.mark.parametrize('codec', ENCODERS)
def test_after_a_loss_that_is_told_pictures_come_back_with_the_key_frame(
    streams, codec: str
) -> None:
    decoder = VideoDecoder()
    shown(streams[codec][:3], codec, decoder)
    decoder.lose('a queue was full')
    found = shown(streams[codec][5:], codec, decoder)
    assert 'a queue was full; it is shown from the next key frame on' in found[0]
    assert all(isinstance(picture, str) for picture in found[: EVERY - 5])
    assert all(is_like(picture, EVERY + at) for at, picture in enumerate(found[EVERY - 5 :]))


@pytest.mark.parametrize('codec', ENCODERS)
def test_packets_that_are_passed_by_keep_those_behind_them_whole(streams, codec: str) -> None:
    decoder = VideoDecoder()
    for data in streams[codec][:13]:
        decoder.pass_by(compressed(data, codec), max_pixels=LIMIT)
    (picture,) = shown(streams[codec][13:14], codec, decoder)
    assert is_like(picture, 13)


def test_a_stream_without_key_frames_is_shown_once_it_was_refreshed() -> None:
    """The encoder renews one column after the other; only the first picture is a key frame."""
    pictures = [moving_square(index) for index in range(60)]
    packets = encoded(pictures, every=12, parameters=':intra-refresh=1')
    found = shown(packets[5:], 'h264')
    assert isinstance(found[0], str)
    assert all(isinstance(picture, np.ndarray) for picture in found[20:])
    for at in range(30, 55):
        assert np.abs(found[at].astype(int) - pictures[at + 5]).mean() < 4


@pytest.mark.parametrize('codec', ENCODERS)
def test_the_size_may_change_at_a_key_frame(streams, codec: str) -> None:
    larger = encoded([moving_square(index, 64, 96) for index in range(3)], codec)
    found = shown([*streams[codec][:5], *larger, *streams[codec][:2]], codec)
    assert [picture.shape[:2] for picture in found] == [(48, 64)] * 5 + [(64, 96)] * 3 + [
        (48, 64)
    ] * 2


def test_the_codec_may_change(streams) -> None:
    decoder = VideoDecoder()
    for codec in (*ENCODERS, *ENCODERS):
        assert is_like(shown(streams[codec][:2], codec, decoder)[1], 1)


@pytest.mark.parametrize('codec', ENCODERS)
def test_b_frames_are_refused_with_what_to_set(codec: str) -> None:
    found = shown(encoded(PICTURES, codec, b_frames=2), codec)
    assert all(isinstance(picture, str) for picture in found)
    assert sum('bframes=0' in text for text in found) >= len(found) - 2


@pytest.mark.parametrize('codec', ENCODERS)
def test_too_many_pixels_are_refused_before_there_is_memory_for_them(streams, codec: str) -> None:
    with pytest.raises(ImageError, match='at most 3071 pixels'):
        VideoDecoder().decode(compressed(streams[codec][0], codec), max_pixels=3071)
    VideoDecoder().decode(compressed(streams[codec][0], codec), max_pixels=3072)


@pytest.mark.parametrize('codec', ENCODERS)
def test_random_damage_is_refused_or_shown_and_nothing_else(streams, codec: str) -> None:
    random = np.random.default_rng(3)
    decoder = VideoDecoder()
    whole = 0
    for _ in range(40):
        for data in streams[codec]:
            if random.random() < 0.3:
                changed = bytearray(data)
                for _ in range(random.integers(1, 6)):
                    changed[random.integers(len(changed))] = random.integers(256)
                data = bytes(changed[: random.integers(len(changed)) or None])
            (picture,) = shown([data], codec, decoder)
            if isinstance(picture, np.ndarray):
                assert picture.ndim == 3 and picture.dtype == np.uint8
                assert picture.shape[0] * picture.shape[1] <= LIMIT
                whole += 1
    assert whole > 40
    assert all(is_like(p, at) for at, p in enumerate(shown(streams[codec], codec, decoder)))


def flat_video(full_range: bool, matrix: str) -> bytes:
    """A key frame of one colour: brightness 143, blueness 80, redness 100."""
    context = av.CodecContext.create('libx264', 'w')
    context.pix_fmt, context.time_base = 'yuv420p', Fraction(1, 10)
    context.height = context.width = 16
    context.color_range = 2 if full_range else 1
    context.options = {'tune': 'zerolatency', 'crf': '1', 'x264-params': f'colormatrix={matrix}'}
    values = np.repeat(np.array([143, 80, 100], np.uint8), [256, 64, 64]).reshape(24, 16)
    frame = av.VideoFrame.from_ndarray(values, 'yuv420p')
    frame.pts, frame.color_range = 0, context.color_range
    return bytes(context.encode(frame)[0])


@pytest.mark.parametrize('full_range', [False, True])
@pytest.mark.parametrize(
    ('matrix', 'red_share', 'blue_share'),
    [
        ('undef', 0.299, 0.114),
        ('smpte170m', 0.299, 0.114),
        ('bt709', 0.2126, 0.0722),
        ('bt2020nc', 0.2627, 0.0593),
    ],
)
def test_colours_are_those_that_the_stream_tells(
    full_range: bool, matrix: str, red_share: float, blue_share: float
) -> None:
    """By the equations of ITU-R BT.601, BT.709 and BT.2020."""
    message = compressed(flat_video(full_range, matrix), 'h264')
    picture = VideoDecoder().decode(message, max_pixels=LIMIT).to_bgr()
    bright, colour = (1, 1) if full_range else (255 / 219, 255 / 224)
    luma = bright * (143 if full_range else 143 - 16)
    red = luma + 2 * (1 - red_share) * colour * (100 - 128)
    blue = luma + 2 * (1 - blue_share) * colour * (80 - 128)
    green = (luma - red_share * red - blue_share * blue) / (1 - red_share - blue_share)
    np.testing.assert_allclose(picture[4, 4], [blue, green, red], atol=3)


@pytest.mark.parametrize(
    ('message', 'codec'),
    [
        (compressed(b'', 'h264'), 'h264'),
        (compressed(b'', 'H265'), 'hevc'),
        (compressed(b'', 'hevc'), 'hevc'),
        (compressed(b'', 'video/x-h264'), 'h264'),
        (compressed(b'', 'av1'), 'av1'),
        (compressed(b'', 'jpeg'), None),
        (compressed(b'', 'bgr8; png compressed bgr8'), None),
        (compressed(b'', ''), None),
        (Packet('h264;yuv420p;bgr8;bgr8'), 'h264'),
        (Packet('libx264'), 'h264'),
        (Packet('hevc_nvenc'), 'hevc'),
        (Packet('libx265;nv12;bgr8;rgb8'), 'hevc'),
        (Packet('libvpx'), 'libvpx'),
        (raw(np.zeros((2, 2), np.uint8), 'mono8'), None),
    ],
    ids=str,
)
def test_codecs_are_known_by_their_many_names(message, codec: str | None) -> None:
    assert video_codec(message) == codec


def test_packets_of_ffmpeg_are_read(streams) -> None:
    decoder = VideoDecoder()
    for index, data in enumerate(streams['h264'][:4]):
        message = Packet('libx264', index, array('B', data))
        assert is_like(decoder.decode(message, max_pixels=LIMIT).to_bgr(), index)


def test_another_codec_is_named() -> None:
    with pytest.raises(ImageError, match="'vp9', expected H.264 or H.265"):
        decode_image(compressed(b'x', 'vp9'), video=VideoDecoder())


def test_an_ffmpeg_that_shows_broken_h265_is_not_asked_to(monkeypatch, streams) -> None:
    monkeypatch.setitem(av.library_versions, 'libavcodec', (61, 19, 101))
    with pytest.raises(ImageError, match='libavcodec 62.* PyAV has 61: pip install --upgrade av'):
        decode_image(compressed(streams['h265'][0], 'h265'), video=VideoDecoder())
    decode_image(compressed(streams['h264'][0], 'h264'), video=VideoDecoder())


def test_without_pyav_one_sentence_says_what_to_install(monkeypatch, streams) -> None:
    monkeypatch.setattr(video, 'pyav', lambda: None)
    with pytest.raises(ImageError, match='pip install av'):
        decode_image(compressed(streams['h264'][0], 'h264'), video=VideoDecoder())
