# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""JPEG and PNG files, sound and damaged; the guards in front of the decoder."""

import struct
import zlib

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.jpeg_guard import checked_jpeg
from upsnet_ros.images.png_guard import PNG_START, checked_png
from upsnet_ros.node.conversions import image_to_bgr
from upsnet_ros.node.messages import message_data

LIMIT = 10_000


def flat_picture(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), (10, 120, 240), np.uint8)


def random_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def compressed(data: bytes, image_format: str = 'jpeg') -> CompressedImage:
    return CompressedImage(format=image_format, data=message_data(np.frombuffer(data, np.uint8)))


def encoded(picture: np.ndarray, suffix: str) -> bytes:
    return cv2.imencode(suffix, picture)[1].tobytes()


def test_png_is_exact_and_jpeg_close() -> None:
    picture = cv2.GaussianBlur(random_picture(48, 64), (0, 0), 5)
    np.testing.assert_array_equal(image_to_bgr(compressed(encoded(picture, '.png'))), picture)
    result = image_to_bgr(compressed(encoded(picture, '.jpg')))
    assert np.abs(result.astype(int) - picture).mean() < 4


def test_zeros_behind_a_jpeg_are_allowed() -> None:
    data = encoded(flat_picture(16, 16), '.jpg')
    padded_result = image_to_bgr(compressed(data + bytes(5000)))
    np.testing.assert_array_equal(padded_result, image_to_bgr(compressed(data)))


@pytest.mark.parametrize('suffix', ['.jpg', '.png'])
@pytest.mark.parametrize('share', [0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(suffix: str, share: float) -> None:
    data = encoded(random_picture(64, 64), suffix)
    with pytest.raises(ImageError):
        image_to_bgr(compressed(data[: int(len(data) * share)], suffix[1:]))


@pytest.mark.parametrize('data', [b'', b'not an image', b'\xff\xd8\xff\xd9', bytes(100)])
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError):
        image_to_bgr(compressed(data))


@pytest.mark.parametrize('suffix', ['.webp', '.bmp', '.tiff', '.jp2', '.ppm', '.gif', '.avif'])
def test_other_formats_do_not_reach_opencv(suffix: str, monkeypatch) -> None:
    data = encoded(random_picture(64, 64), suffix)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ImageError, match='begins with bytes'):
        image_to_bgr(compressed(data, suffix[1:]))


def test_a_rotation_noted_in_the_file_is_not_applied() -> None:
    """Exif orientation 6 asks viewers to turn the picture; its pixels stay where they are."""
    data = encoded(flat_picture(16, 48), '.jpg')
    tiff = b'II*\0\x08\0\0\0' + b'\x01\0' + b'\x12\x01\x03\0\x01\0\0\0\x06\0\0\0' + b'\0\0\0\0'
    body = b'Exif\0\0' + tiff
    segment = b'\xff\xe1' + (len(body) + 2).to_bytes(2, 'big') + body
    turned = data[:2] + segment + data[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (48, 16, 3)
    assert image_to_bgr(compressed(turned)).shape == (16, 48, 3)


def test_the_limit_of_pixels_is_told_before_decoding(monkeypatch) -> None:
    files = [encoded(random_picture(20, 30), suffix) for suffix in ('.jpg', '.png')]
    for data in files:
        assert image_to_bgr(compressed(data), max_pixels=600).shape == (20, 30, 3)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    for data in files:
        with pytest.raises(ImageError, match='30x20, 600 pixels, limit 599.*max_image_pixels'):
            image_to_bgr(compressed(data), max_pixels=599)


def test_a_file_longer_than_any_allowed_picture_is_not_even_copied() -> None:
    sound = encoded(flat_picture(2, 2), '.png')
    limit = 8 * 4 + 2**20
    filled = compressed(sound + bytes(limit - len(sound)))
    assert image_to_bgr(filled, max_pixels=4).shape == (2, 2, 3)
    filled.data.append(0)
    with pytest.raises(ImageError, match=f'{limit + 1} bytes, limit {limit}.*max_image_pixels'):
        image_to_bgr(filled, max_pixels=4)


# --- PNG


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return len(content).to_bytes(4, 'big') + body + zlib.crc32(body).to_bytes(4, 'big')


def png(header: tuple, rows: bytes, *between: bytes) -> bytes:
    """A PNG by hand; header: width, height, depth, colour type."""
    first = chunk(b'IHDR', struct.pack('>2I5B', *header, 0, 0, 0))
    pixels = chunk(b'IDAT', zlib.compress(rows))
    return PNG_START + first + b''.join(between) + pixels + chunk(b'IEND', b'')


PALETTE = chunk(b'PLTE', bytes(range(12)))


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        (png((1, 1, 16, 2), b'\0\x12\x80\x80\xff\xff\x7f'), [[0xFF, 0x80, 0x12]]),
        (png((1, 1, 16, 0), b'\0\x12\xff'), [[0x12] * 3]),
        (png((1, 1, 16, 6), b'\0' + bytes([1, 9, 2, 9, 3, 9, 0, 0])), [[3, 2, 1]]),
        (png((2, 1, 8, 0), b'\0\x07\xf0'), [[7] * 3, [0xF0] * 3]),
        (png((2, 1, 1, 0), b'\0\x40'), [[0] * 3, [255] * 3]),
        (png((4, 1, 2, 0), b'\0\x1b'), [[0] * 3, [85] * 3, [170] * 3, [255] * 3]),
        (png((4, 1, 2, 3), b'\0\x1b', PALETTE), [[2, 1, 0], [5, 4, 3], [8, 7, 6], [11, 10, 9]]),
        (png((1, 1, 8, 3), b'\0\x01', PALETTE, chunk(b'tRNS', b'\0\0')), [[5, 4, 3]]),
        (png((1, 1, 8, 4), b'\0\x12\0'), [[0x12] * 3]),
        (png((1, 1, 8, 6), b'\0\x12\x34\x56\0'), [[0x56, 0x34, 0x12]]),
    ],
    ids=['rgb16', 'grey16', 'rgba16', 'grey', 'bit', 'two_bits', 'palette', 'trns', 'ga', 'rgba'],
)
def test_every_kind_of_png_gives_bgr(data: bytes, expected: list) -> None:
    np.testing.assert_array_equal(image_to_bgr(compressed(data, 'png')), [expected])


def with_header(**changes: int) -> bytes:
    fields = {'width': 4, 'height': 4, 'depth': 8, 'colour': 2, 'packing': 0, 'filtering': 0}
    fields = {**fields, 'interlace': 0, **changes}
    first = chunk(b'IHDR', struct.pack('>2I5B', *fields.values()))
    pixels = chunk(b'IDAT', zlib.compress((b'\0' + bytes(12)) * 4))
    return PNG_START + first + pixels + chunk(b'IEND', b'')


SOUND = with_header()


@pytest.mark.parametrize(
    ('data', 'text'),
    [
        (with_header(width=0), 'size is 0x4'),
        (with_header(height=0), 'size is 4x0'),
        (with_header(width=2**31 - 1, height=2**31 - 1), 'limit 10000'),
        (with_header(width=101, height=100), '10100 pixels, limit 10000'),
        (with_header(width=100, height=100), 'too few for the 30000'),
        (with_header(depth=3), 'depth 3'),
        (with_header(depth=4), 'depth 4'),
        (with_header(colour=5), 'colour type 5'),
        (with_header(packing=1), 'packing 1'),
        (with_header(filtering=1), 'filtering 1'),
        (with_header(interlace=2), 'interlace 2'),
        (PNG_START, 'cut off after 8 bytes'),
        (SOUND[:-1], 'cut off'),
        (SOUND[:-12], 'cut off'),
        (PNG_START + chunk(b'IDAT', b''), "begins with chunk b'IDAT'"),
        (PNG_START + chunk(b'IHDR', bytes(12)), 'of 12 bytes'),
        (SOUND[:33] + SOUND[8:33] + SOUND[33:], 'second header'),
        (SOUND[:33] + b'\x7f\xff\xff\xff' + SOUND[37:], "b'IDAT' at byte 33 claims 2147483647"),
        (SOUND[:33] + b'\xff\xff\xff\xff' + SOUND[37:], 'claims 4294967295'),
        (SOUND[:44] + b'\x99' + SOUND[45:], "b'IDAT' at byte 33 has a wrong checksum"),
        (SOUND[:19] + b'\x05' + SOUND[20:], "b'IHDR' at byte 8 has a wrong checksum"),
    ],
)
def test_a_png_that_lies_is_refused_with_what_it_claims(data: bytes, text: str) -> None:
    with pytest.raises(ImageError) as caught:
        checked_png(data, max_pixels=LIMIT)
    assert text in str(caught.value)


def test_only_what_makes_the_picture_of_a_png_is_handed_on() -> None:
    bomb = chunk(b'zTXt', b'note\0\0' + zlib.compress(bytes(1_000_000)))
    others = [bomb, chunk(b'acTL', bytes(8)), chunk(b'eXIf', b'II*\0')]
    data = SOUND[:33] + b''.join(others) + SOUND[33:] + b'rubbish behind the end'
    assert checked_png(data, max_pixels=LIMIT) == SOUND


# --- JPEG


def jpeg(picture: np.ndarray, *options: int) -> bytes:
    return cv2.imencode('.jpg', picture, options)[1].tobytes()


KINDS = {
    'baseline': (),
    'progressive': (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    'restarts': (cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    'full_colour': (cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444),
    'optimised': (cv2.IMWRITE_JPEG_OPTIMIZE, 1),
}


@pytest.mark.parametrize('size', [(1, 1), (7, 9), (33, 65)])
@pytest.mark.parametrize('options', KINDS.values(), ids=KINDS)
def test_every_kind_of_jpeg_passes_the_guard_unchanged(options: tuple, size: tuple) -> None:
    for picture in (random_picture(*size), flat_picture(*size), random_picture(*size)[..., 0]):
        data = jpeg(picture, *options)
        assert checked_jpeg(data, max_pixels=LIMIT) == data
        expected = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        np.testing.assert_array_equal(image_to_bgr(compressed(data)), expected)


def test_only_what_makes_the_picture_of_a_jpeg_is_handed_on() -> None:
    data = jpeg(random_picture(16, 16))
    notes = b''.join(b'\xff' + bytes([kind]) + b'\0\x06note' for kind in (0xE1, 0xE2, 0xFE))
    filled = data[:2] + notes + b'\xff\xff' + data[2:] + b'\0\0\xff\xd8 a second picture'
    assert checked_jpeg(filled, max_pixels=LIMIT) == data


FILE = jpeg(random_picture(16, 16))
FRAME, SCAN = FILE.index(b'\xff\xc0'), FILE.index(b'\xff\xda')
FRAME_SEGMENT = FILE[FRAME : FRAME + 19]


def altered(position: int, data: bytes) -> bytes:
    """The file with other bytes at a position."""
    return FILE[:position] + data + FILE[position + len(data) :]


@pytest.mark.parametrize(
    ('data', 'text'),
    [
        (altered(FRAME + 5, b'\x7d\0\x7d\0'), '32000x32000, 1024000000 pixels, limit 10000'),
        (altered(FRAME + 5, b'\0\0'), 'size is 16x0'),
        (altered(FRAME + 7, b'\0\0'), 'size is 0x16'),
        (altered(FRAME + 4, b'\x0c'), '12 bits'),
        (altered(FRAME + 9, b'\x04'), '4 components'),
        (altered(FRAME + 9, b'\xff'), '255 components'),
        (altered(FRAME + 11, b'\x05'), 'sampling factors'),
        (altered(FRAME + 11, b'\x20'), 'sampling factors'),
        (altered(FRAME + 1, b'\xc3'), 'SOF3'),
        (altered(FRAME + 1, b'\xc9'), 'SOF9'),
        (altered(FRAME + 1, b'\xfe'), 'before its frame header'),
        (altered(FRAME + 2, b'\xff\xff'), 'cut off'),
        (altered(FRAME + 2, b'\0\x01'), 'claims 1 bytes'),
        (altered(FRAME, b'\x12'), '0x12'),
        (altered(FRAME + 1, b'\x01'), '0x01 at byte'),
        (altered(FRAME + 1, b'\xd0'), '0xd0 at byte'),
        (altered(SCAN + 40, b'\xff\x3a'), '0x3a at byte'),
        (altered(SCAN + 40, b'\xff\xdc'), '0xdc at byte'),
        (FILE[:FRAME] + FRAME_SEGMENT + FILE[FRAME:], 'second frame header'),
        (FILE[:SCAN] + FILE[SCAN:-2] * 33 + b'\xff\xd9', 'scan 33'),
        (FILE[:-2], 'cut off'),
        (FILE[:2], 'cut off after 2 bytes'),
        (FILE[: FRAME + 3], 'cut off'),
        (FILE[:FRAME] + b'\xff\xd9', '0 bytes of pixels'),
        (FILE[:SCAN] + b'\xff\xd9', '0 bytes of pixels'),
    ],
)
def test_a_jpeg_that_lies_is_refused_with_what_it_claims(data: bytes, text: str) -> None:
    with pytest.raises(ImageError) as caught:
        checked_jpeg(data, max_pixels=LIMIT)
    assert text in str(caught.value)


def test_a_jpeg_that_claims_more_pixels_than_it_has_bits_is_refused() -> None:
    """8K from a few hundred bytes: OpenCV would answer with 100 MB of grey."""
    data = altered(FRAME + 5, struct.pack('>2H', 4320, 7680))
    with pytest.raises(ImageError, match='too few'):
        image_to_bgr(compressed(data))


def test_the_name_of_the_format_is_cut_in_messages() -> None:
    with pytest.raises(ImageError) as caught:
        image_to_bgr(compressed(b'nothing', 'x' * 100_000))
    assert len(str(caught.value)) < 300
