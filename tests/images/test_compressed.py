# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""JPEG, PNG, TIFF of every kind; files that are cut off, damaged or lie about themselves."""

from __future__ import annotations

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.images.plain_messages import compressed
from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.messages import decode_image, image_to_bgr

LIMIT = 10_000
SMOOTH = cv2.GaussianBlur(
    np.random.default_rng(5).integers(0, 256, (48, 64, 3), np.uint8), (0, 0), 2
)
NOISE = np.random.default_rng(5).integers(0, 256, (33, 65, 3), np.uint8)


def written(picture: np.ndarray, kind: str, mode: str = 'RGB', **options) -> bytes:
    """A file as Pillow writes it."""
    file = io.BytesIO()
    Image.fromarray(picture[..., ::-1]).convert(mode).save(file, kind, **options)
    return file.getvalue()


def jpeg(picture: np.ndarray, *options: int) -> bytes:
    return cv2.imencode('.jpg', picture, options)[1].tobytes()


def decoded(data: bytes) -> np.ndarray:
    return image_to_bgr(compressed(data), max_pixels=LIMIT)


def by_opencv(data: bytes) -> np.ndarray:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


def segment(marker: int, content: bytes) -> bytes:
    return struct.pack('>2BH', 0xFF, marker, len(content) + 2) + content


# --- sound files


@pytest.mark.parametrize(
    ('size', 'shown_in', 'reduction'),
    [
        ((48, 64), None, 1),
        ((48, 64), (48, 64), 1),
        ((48, 64), (25, 33), 1),
        ((48, 64), (24, 32), 2),
        ((48, 64), (24, 60), 2),  # one side fills what it is shown in: the other is padded
        ((48, 64), (13, 17), 2),
        ((48, 64), (12, 16), 4),
        ((48, 64), (6, 8), 8),
        ((48, 64), (1, 1), 8),
        ((46, 62), (1, 1), 2),  # a quarter would leave pixels over
        ((47, 64), (1, 1), 1),
    ],
)
def test_a_jpeg_is_decoded_no_larger_than_what_it_is_shown_in(size, shown_in, reduction) -> None:
    data = jpeg(cv2.resize(SMOOTH, size[::-1]))
    picture, found = decode_image(compressed(data), max_pixels=LIMIT, shown_in=shown_in)
    assert found == reduction
    assert picture.shape == (size[0] // reduction, size[1] // reduction, 3)
    averaged = cv2.resize(by_opencv(data), picture.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(picture.astype(int) - averaged).mean() < 4


def test_a_png_is_never_decoded_smaller() -> None:
    data = written(SMOOTH, 'PNG')
    picture, reduction = decode_image(compressed(data), max_pixels=LIMIT, shown_in=(1, 1))
    assert reduction == 1
    np.testing.assert_array_equal(picture, SMOOTH)


def test_a_jpeg_over_the_limit_is_refused_however_small_it_would_be_decoded() -> None:
    with pytest.raises(ImageError, match='64x48, 3072 pixels, limit 3071'):
        decode_image(compressed(jpeg(SMOOTH)), max_pixels=3071, shown_in=(1, 1))


@pytest.mark.parametrize(
    'options',
    [
        {},
        {'progressive': True},
        {'optimize': True},
        {'subsampling': 0},
        {'subsampling': 1},
        {'restart_marker_rows': 1},
        {'comment': b'front left'},
        {'icc_profile': bytes(200_000)},
    ],
    ids=lambda options: next(iter(options), 'plain'),
)
@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_every_kind_of_jpeg_gives_what_opencv_reads(options: dict, mode: str) -> None:
    for picture in (SMOOTH, NOISE, NOISE[:1, :1]):
        data = written(picture, 'JPEG', mode, **options)
        np.testing.assert_array_equal(decoded(data), by_opencv(data))
    assert np.abs(decoded(written(SMOOTH, 'JPEG')).astype(int) - SMOOTH).mean() < 4


def test_what_cameras_do_to_a_jpeg_costs_no_picture() -> None:
    """Stray bytes between segments, filling, zeros behind the end, the usual tables left out."""
    data = jpeg(SMOOTH)
    scan = data.index(b'\xff\xda')
    tables = data.index(b'\xff\xc4')
    without_tables = data[:tables] + data[scan:]
    assert without_tables.count(b'\xff\xc4') == 0
    for altered in (
        data[:scan] + b'\0\x12\x34' + data[scan:],
        data[:2] + b'\xff\xff\xff' + data[2:],
        data + bytes(5000),
        data + b'\0\0\xff\xd8 a second picture',
        without_tables,
    ):
        np.testing.assert_array_equal(decoded(altered), by_opencv(data))


def test_a_rotation_noted_in_the_file_is_not_applied() -> None:
    """Exif orientation 6 asks viewers to turn the picture; its pixels stay where they are."""
    data = jpeg(np.full((16, 48, 3), 120, np.uint8))
    tiff = b'II*\0\x08\0\0\0' + b'\x01\0' + b'\x12\x01\x03\0\x01\0\0\0\x06\0\0\0' + b'\0\0\0\0'
    turned = data[:2] + segment(0xE1, b'Exif\0\0' + tiff) + data[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (48, 16, 3)
    assert decoded(turned).shape == (16, 48, 3)


PNG_START = b'\x89PNG\r\n\x1a\n'


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return len(content).to_bytes(4, 'big') + body + zlib.crc32(body).to_bytes(4, 'big')


def png(header: tuple, rows: bytes, *between: bytes) -> bytes:
    """A PNG by hand; header: width, height, depth, colour type, packing, filtering, interlace."""
    first = chunk(b'IHDR', struct.pack('>2I5B', *(*header, 0, 0, 0)[:7]))
    pixels = chunk(b'IDAT', zlib.compress(rows))
    return PNG_START + first + b''.join(between) + pixels + chunk(b'IEND', b'')


PALETTE = chunk(b'PLTE', bytes(range(12)))


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        (png((1, 1, 16, 2), b'\0\x12\x80\x80\xff\xff\x7f'), [[0xFF, 0x80, 0x12]]),
        (png((1, 1, 16, 0), b'\0\x12\xff'), [[0x12] * 3]),
        (png((1, 1, 16, 4), b'\0\x12\xff\0\0'), [[0x12] * 3]),
        (png((1, 1, 16, 6), b'\0' + bytes([1, 9, 2, 9, 3, 9, 0, 0])), [[3, 2, 1]]),
        (png((2, 1, 8, 0), b'\0\x07\xf0'), [[7] * 3, [0xF0] * 3]),
        (png((2, 1, 8, 0), b'\0\x07\xf0', chunk(b'tRNS', b'\0\7')), [[7] * 3, [0xF0] * 3]),
        (png((2, 1, 1, 0), b'\0\x40'), [[0] * 3, [255] * 3]),
        (png((4, 1, 2, 0), b'\0\x1b'), [[0] * 3, [85] * 3, [170] * 3, [255] * 3]),
        (png((4, 1, 2, 3), b'\0\x1b', PALETTE), [[2, 1, 0], [5, 4, 3], [8, 7, 6], [11, 10, 9]]),
        (png((1, 1, 8, 3), b'\0\x01', PALETTE, chunk(b'tRNS', b'\0\0')), [[5, 4, 3]]),
        (png((1, 1, 8, 4), b'\0\x12\0'), [[0x12] * 3]),
        (png((1, 1, 8, 6), b'\0\x12\x34\x56\0'), [[0x56, 0x34, 0x12]]),
    ],
    ids=[
        *('rgb16', 'grey16', 'grey_alpha16', 'rgba16', 'grey', 'grey_trns', 'bit', 'two_bits'),
        *('palette', 'palette_trns', 'grey_alpha', 'rgba'),
    ],
)
def test_every_kind_of_png_gives_bgr(data: bytes, expected: list) -> None:
    np.testing.assert_array_equal(decoded(data), [expected])


@pytest.mark.parametrize('mode', ['RGB', 'L', 'P', '1', 'RGBA', 'LA'])
def test_pngs_keep_their_pixels(mode: str) -> None:
    data = written(NOISE, 'PNG', mode)
    np.testing.assert_array_equal(decoded(data), by_opencv(data))
    if mode.startswith('RGB'):
        np.testing.assert_array_equal(decoded(data), NOISE)


DEEP = (NOISE.astype(np.uint16) << 8) | 201


@pytest.mark.parametrize('compression', [1, 5, 8, 32773, 32946])
@pytest.mark.parametrize(
    ('values', 'expected'),
    [
        (NOISE, NOISE),
        (NOISE[:1, :1], NOISE[:1, :1]),
        (NOISE[..., 0], np.dstack([NOISE[..., 0]] * 3)),
        (DEEP, NOISE),
        (DEEP[..., 0], np.dstack([NOISE[..., 0]] * 3)),
        (np.dstack([NOISE, NOISE[..., :1]]), NOISE),
    ],
    ids=['rgb', 'one_pixel', 'grey', 'rgb16', 'grey16', 'rgba'],
)
def test_tiffs_as_image_transport_writes_them_keep_their_pixels(
    values, expected, compression: int
) -> None:
    options = (cv2.IMWRITE_TIFF_COMPRESSION, compression)
    data = cv2.imencode('.tiff', values, options)[1].tobytes()
    np.testing.assert_array_equal(decoded(data), expected)


@pytest.mark.parametrize('mode', ['RGB', 'L', 'P', '1', 'RGBA', 'LA'])
def test_tiffs_of_others_keep_their_pixels(mode: str) -> None:
    data = written(NOISE, 'TIFF', mode, compression='tiff_lzw')
    with Image.open(io.BytesIO(data)) as picture:
        expected = np.asarray(picture.convert('RGB'))[..., ::-1]
    np.testing.assert_array_equal(decoded(data), expected)


@pytest.mark.parametrize('orientation', range(2, 9))
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'TIFF'])
def test_no_orientation_moves_a_pixel_away_from_where_the_sensor_has_it(
    kind: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = written(SMOOTH, kind, exif=exif)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.getexif()[274] == orientation
    np.testing.assert_array_equal(decoded(data), decoded(written(SMOOTH, kind)))


# --- files that are refused


@pytest.mark.parametrize(
    ('kind', 'options'),
    [
        ('JPEG', {}),
        ('JPEG', {'progressive': True}),
        ('JPEG', {'exif': b'Exif\0\0\xff\xd9'}),
        ('PNG', {}),
        ('TIFF', {}),
        ('TIFF', {'compression': 'tiff_lzw'}),
    ],
)
def test_every_shortened_file_is_refused(kind: str, options: dict) -> None:
    data = written(NOISE[:16, :16], kind, **options)
    decoded(data)
    needed = len(data) - (4 if kind == 'PNG' else 0)  # the checksum of nothing ends a PNG
    for length in range(needed):
        with pytest.raises(ImageError):
            decoded(data[:length])


@pytest.mark.parametrize('data', [b'', b'not an image', b'\xff\xd8\xff\xd9', bytes(100)])
def test_rubbish_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match='expected a JPEG, PNG or TIFF|cut off'):
        decoded(data)


@pytest.mark.parametrize('suffix', ['.webp', '.bmp', '.jp2', '.ppm', '.gif', '.avif'])
def test_other_formats_are_not_decoded(suffix: str) -> None:
    with pytest.raises(ImageError, match='begins with bytes.*image transport'):
        decoded(cv2.imencode(suffix, NOISE)[1].tobytes())


@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'TIFF'])
def test_the_limit_of_pixels_is_told_before_decoding(kind: str, monkeypatch) -> None:
    message = compressed(written(NOISE[:20, :30], kind))
    assert image_to_bgr(message, max_pixels=600).shape == (20, 30, 3)
    monkeypatch.setattr(cv2, 'imdecode', lambda *_: pytest.fail('decoded'))
    monkeypatch.setattr(Image.Image, 'load', lambda *_: pytest.fail('decoded'))
    with pytest.raises(ImageError, match='30x20, 600 pixels, limit 599.*max_image_pixels'):
        image_to_bgr(message, max_pixels=599)


def test_a_file_longer_than_any_allowed_picture_is_not_even_copied() -> None:
    sound = written(NOISE[:2, :2], 'PNG')
    limit = 8 * 4 + 2**20
    filled = compressed(sound + bytes(limit - len(sound)))
    assert image_to_bgr(filled, max_pixels=4).shape == (2, 2, 3)
    filled.data.append(0)
    with pytest.raises(ImageError, match=f'{limit + 1} bytes, limit {limit}.*max_image_pixels'):
        image_to_bgr(filled, max_pixels=4)


ROWS = (b'\0' + bytes(12)) * 4
SOUND = png((4, 4, 8, 2), ROWS)
BOMB = chunk(b'zTXt', b'note\0\0' + zlib.compress(bytes(2_000_000)))


@pytest.mark.parametrize(
    ('data', 'text'),
    [
        (png((0, 4, 8, 2), ROWS), 'cannot be read'),
        (png((2**31 - 1, 2**31 - 1, 8, 2), ROWS), 'limit 10000'),
        (png((101, 100, 8, 2), ROWS), '10100 pixels, limit 10000'),
        (png((100, 100, 8, 2), ROWS), 'cut off or damaged'),
        (png((4, 4, 3, 2), ROWS), 'damaged'),
        (png((4, 4, 8, 5), ROWS), 'damaged'),
        (png((4, 4, 8, 2, 0, 1), ROWS), 'damaged'),
        (PNG_START, 'cut off'),
        (PNG_START + chunk(b'IDAT', b''), 'damaged'),
        (SOUND[:33] + b'\x7f\xff\xff\xff' + SOUND[37:], 'damaged'),
        (SOUND[:44] + b'\x99' + SOUND[45:], 'checksum'),
        (SOUND[:19] + b'\x05' + SOUND[20:], 'checksum'),
        (SOUND[:33] + BOMB + SOUND[33:], 'too large'),
    ],
)
def test_a_png_that_is_damaged_or_lies_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(ImageError, match=text):
        decoded(data)


def tiff(*entries: tuple[int, int, int, int], pixels: bytes = bytes(48)) -> bytes:
    """A TIFF by hand of 4x4 RGB pixels, with other entries of its directory in their place."""
    usual = {256: (3, 1, 4), 257: (3, 1, 4), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 2)}
    usual |= {273: (4, 1, 0), 277: (3, 1, 3), 278: (3, 1, 4), 279: (4, 1, len(pixels))}
    usual |= {tag: rest for tag, *rest in entries}
    usual[273] = (4, 1, 8 + 2 + 12 * len(usual) + 4)
    listed = b''.join(struct.pack('<HHII', tag, *usual[tag]) for tag in sorted(usual))
    head = struct.pack('<2sHIH', b'II', 42, 8, len(usual))
    return head + listed + bytes(4) + pixels


@pytest.mark.parametrize(
    ('data', 'text'),
    [
        (tiff((256, 3, 1, 0)), 'cannot be read'),
        (tiff((256, 4, 1, 101), (257, 4, 1, 100)), '10100 pixels, limit 10000'),
        (tiff((256, 4, 1, 2**31), (257, 4, 1, 2**31)), 'limit 10000'),
        (tiff((259, 3, 1, 7)), 'compression 7, expected none, LZW'),
        (tiff((320, 3, 2**31, 8)), 'claims more values'),
        (
            tiff((258, 3, 1, 32), (262, 3, 1, 1), (277, 3, 1, 1), (339, 3, 1, 3)),
            'mode F, expected grey',
        ),
        (tiff((262, 3, 1, 77)), 'cannot be read'),
        (tiff(pixels=bytes(40)), 'cut off or damaged'),
        (tiff()[:20], 'cut off or damaged'),
        (b'II*\0\xff\xff\xff\x7f', 'cut off or damaged'),
        (b'MM\0*', 'cut off or damaged'),
    ],
)
def test_a_tiff_that_is_damaged_or_lies_is_refused(data: bytes, text: str) -> None:
    assert decoded(tiff()).shape == (4, 4, 3)
    with pytest.raises(ImageError, match=text):
        decoded(data)


FILE = jpeg(NOISE[:16, :16])
FRAME, SCAN = FILE.index(b'\xff\xc0'), FILE.index(b'\xff\xda')


def altered(position: int, data: bytes) -> bytes:
    """The file with other bytes at a position."""
    return FILE[:position] + data + FILE[position + len(data) :]


@pytest.mark.parametrize(
    ('data', 'text'),
    [
        (altered(FRAME + 5, b'\x7d\0\x7d\0'), '32000x32000, 1024000000 pixels, limit 10000'),
        (altered(FRAME + 5, b'\0\0'), 'damaged'),
        (altered(FRAME + 4, b'\x0c'), '12-bit'),
        (altered(FRAME + 9, b'\xff'), '255-layer'),
        (altered(FRAME + 11, b'\x05'), 'cannot be decoded'),
        (altered(FRAME + 1, b'\xc7'), 'baseline JPEG'),
        (altered(FRAME + 1, b'\xfe'), 'damaged'),
        (altered(FRAME + 2, b'\xff\xff'), 'cut off'),
        (FILE[:FRAME] + FILE[FRAME : FRAME + 19] + FILE[FRAME:], 'cannot be decoded'),
        (FILE[:SCAN] + FILE[SCAN:-2] * 33 + b'\xff\xd9', '33 scans'),
        (FILE[:FRAME] + b'\xff\xd9', 'cut off'),
        (FILE[:SCAN] + b'\xff\xd9', 'cut off'),
        (FILE[: SCAN + 100] + FILE, 'cut off'),
    ],
)
def test_a_jpeg_that_is_damaged_or_lies_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(ImageError, match=text):
        decoded(data)


def test_a_jpeg_that_claims_more_pixels_than_it_has_bits_is_refused() -> None:
    """8K from a few hundred bytes: OpenCV would answer with 100 MB of grey."""
    data = altered(FRAME + 5, struct.pack('>2H', 4320, 7680))
    with pytest.raises(ImageError, match='7680x4320 pixels, too many for its'):
        image_to_bgr(compressed(data))


def test_the_name_of_the_format_is_cut_in_messages() -> None:
    with pytest.raises(ImageError) as caught:
        image_to_bgr(compressed(b'nothing', 'x' * 100_000))
    assert len(str(caught.value)) < 300
