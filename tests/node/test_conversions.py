# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every encoding against pictures built by hand, with and without padded rows."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CompressedImage, Image

from tests.node.node_harness import image_message
from upsnet_ros.core.errors import ImageError
from upsnet_ros.node.conversions import LAYOUTS, image_to_bgr
from upsnet_ros.node.image_messages import (
    label_message,
    message_data,
    overlay_message,
    semantic_message,
)

BLUE, GREEN, RED = 10, 120, 240


def flat_picture(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), (BLUE, GREEN, RED), np.uint8)


def random_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def padded(message: Image, padding: int) -> Image:
    """The same picture with bytes of rubbish at the end of each row."""
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    rubbish = np.full((message.height, padding), 77, np.uint8)
    message.data = message_data(np.hstack([rows, rubbish]))
    message.step += padding
    return message


PLAIN = {
    'bgr8': lambda bgr: bgr,
    '8UC3': lambda bgr: bgr,
    'rgb8': lambda bgr: bgr[..., ::-1],
    'bgra8': lambda bgr: np.dstack([bgr, np.full(bgr.shape[:2], 9, np.uint8)]),
    'rgba8': lambda bgr: np.dstack([bgr[..., ::-1], np.full(bgr.shape[:2], 9, np.uint8)]),
}


@pytest.mark.parametrize('padding', [0, 1, 64])
@pytest.mark.parametrize('size', [(1, 1), (5, 7), (48, 64)])
@pytest.mark.parametrize('encoding', PLAIN)
def test_colour_encodings_are_exact(encoding: str, size: tuple, padding: int) -> None:
    picture = random_picture(*size)
    message = padded(image_message(PLAIN[encoding](picture), encoding=encoding), padding)
    result = image_to_bgr(message)
    assert result.flags.c_contiguous and result.dtype == np.uint8
    np.testing.assert_array_equal(result, picture)


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_becomes_three_equal_channels(encoding: str) -> None:
    grey = random_picture(5, 7)[..., 0]
    result = image_to_bgr(padded(image_message(grey, encoding=encoding), 3))
    np.testing.assert_array_equal(result, np.dstack([grey] * 3))


@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('padding', [0, 4])
@pytest.mark.parametrize('encoding', ['mono16', 'bgr16', 'rgb16'])
def test_sixteen_bits_keep_the_significant_byte(
    encoding: str, big_endian: bool, padding: int
) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (4, 6, 3), np.uint16)
    if encoding == 'mono16':
        values = values[..., 0]
    message = padded(
        image_message(values.astype('>u2' if big_endian else '<u2'), encoding=encoding), padding
    )
    message.is_bigendian = big_endian
    expected = (values >> 8).astype(np.uint8)
    if encoding == 'mono16':
        expected = np.dstack([expected] * 3)
    elif encoding == 'rgb16':
        expected = expected[..., ::-1]
    np.testing.assert_array_equal(image_to_bgr(message), expected)


# The colours of the first two pixels of the first two rows, as the name of the encoding spells.
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_bayer_mosaic_of_a_flat_colour_gives_that_colour(pattern: str) -> None:
    value = {'r': RED, 'g': GREEN, 'b': BLUE}
    tile = np.array(
        [[value[pattern[0]], value[pattern[1]]], [value[pattern[2]], value[pattern[3]]]]
    )
    mosaic = np.tile(tile, (4, 5)).astype(np.uint8)
    result = image_to_bgr(padded(image_message(mosaic, encoding=f'bayer_{pattern}8'), 2))
    np.testing.assert_array_equal(result, flat_picture(8, 10))


@pytest.mark.parametrize(
    ('encoding', 'order'),
    [('uyvy', 'UYVY'), ('yuv422', 'UYVY'), ('yuyv', 'YUYV'), ('yuv422_yuy2', 'YUYV')],
)
def test_yuv_follows_the_video_range_equations(encoding: str, order: str) -> None:
    """Compared with the equations of ITU-R BT.601 for studio range, to two grey levels."""
    luma, blueness, redness = 100, 90, 180
    value = {'Y': luma, 'U': blueness, 'V': redness}
    row = np.array([value[letter] for letter in order] * 3, np.uint8)  # six pixels
    message = Image(
        height=2, width=6, encoding=encoding, step=12, data=message_data(np.stack([row, row]))
    )
    bright = 1.164 * (luma - 16)
    expected = [
        bright + 2.018 * (blueness - 128),
        bright - 0.813 * (redness - 128) - 0.391 * (blueness - 128),
        bright + 1.596 * (redness - 128),
    ]
    result = image_to_bgr(message)
    assert result.shape == (2, 6, 3)
    np.testing.assert_allclose(result, np.broadcast_to(expected, result.shape), atol=2)


def test_every_encoding_of_the_table_is_tested_above() -> None:
    bayer = {f'bayer_{pattern}8' for pattern in ('rggb', 'bggr', 'gbrg', 'grbg')}
    others = {'mono8', '8UC1', 'mono16', 'bgr16', 'rgb16', 'uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2'}
    assert set(LAYOUTS) == set(PLAIN) | bayer | others


def test_bgr_without_padding_is_not_copied() -> None:
    message = image_message(random_picture(4, 6))
    result = image_to_bgr(message)
    assert np.shares_memory(result, np.frombuffer(message.data, np.uint8))


def broken(**fields) -> Image:
    message = image_message(random_picture(4, 6))
    for name, value in fields.items():
        setattr(message, name, value)
    return message


@pytest.mark.parametrize(
    ('message', 'texts'),
    [
        (broken(encoding='32FC1'), ['encoding', "'32FC1'", 'bgr8']),
        (broken(encoding=''), ['encoding', "''"]),
        (broken(step=17), ['step', '17', '18']),
        (broken(step=0), ['step', '0', '18']),
        (broken(step=19), ['data', '72', '76']),
        (broken(height=5), ['data', '72', '90']),
        (broken(height=3), ['data', '72', '54']),
        (broken(width=0), ['size', '0x4']),
        (broken(height=0), ['size', '6x0']),
        (broken(width=5, encoding='yuyv', step=18), ['width', '5', 'even']),
        (Image(), ['encoding']),
    ],
    ids=lambda value: '' if isinstance(value, list) else f'{value.encoding}-{value.step}',
)
def test_an_impossible_raw_image_is_refused_with_field_and_values(message, texts) -> None:
    with pytest.raises(ImageError) as caught:
        image_to_bgr(message)
    for text in texts:
        assert text in str(caught.value)


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


def test_a_rotation_noted_in_the_file_is_not_applied() -> None:
    """Exif orientation 6 asks viewers to turn the picture; its pixels stay where they are."""
    data = encoded(flat_picture(16, 48), '.jpg')
    tiff = b'II*\0\x08\0\0\0' + b'\x01\0' + b'\x12\x01\x03\0\x01\0\0\0\x06\0\0\0' + b'\0\0\0\0'
    body = b'Exif\0\0' + tiff
    segment = b'\xff\xe1' + (len(body) + 2).to_bytes(2, 'big') + body
    turned = data[:2] + segment + data[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (48, 16, 3)
    assert image_to_bgr(compressed(turned)).shape == (16, 48, 3)


def test_label_and_semantic_messages_hold_the_values_little_endian() -> None:
    labels = np.array([[0, 3329, 65535], [256, 2560, 1]], np.uint16)
    header = image_message(flat_picture(1, 1)).header
    message = label_message(labels, header)
    assert (message.encoding, message.is_bigendian) == ('16UC1', 0)
    assert (message.height, message.width, message.step) == (2, 3, 6)
    assert message.header == header
    assert list(message.data[:6]) == [0, 0, 1, 13, 255, 255]
    np.testing.assert_array_equal(np.frombuffer(message.data, '<u2').reshape(2, 3), labels)
    semantic = semantic_message(labels, header)
    assert (semantic.encoding, semantic.step) == ('mono8', 3)
    assert list(semantic.data) == [0, 13, 255, 1, 10, 0]


def test_a_label_image_that_is_a_view_is_copied_right() -> None:
    labels = np.arange(24, dtype=np.uint16).reshape(4, 6)[::2, 1:4]
    message = label_message(labels, image_message(flat_picture(1, 1)).header)
    assert message.step == 6
    np.testing.assert_array_equal(np.frombuffer(message.data, '<u2').reshape(2, 3), labels)


def test_overlay_is_rgb() -> None:
    message = overlay_message(flat_picture(1, 2), image_message(flat_picture(1, 1)).header)
    assert message.encoding == 'rgb8'
    assert list(message.data) == [RED, GREEN, BLUE] * 2
