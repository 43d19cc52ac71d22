# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Files that Pillow writes pass the node's guards and keep their pixels."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.jpeg_guard import checked_jpeg
from upsnet_ros.images.png_guard import checked_png

LIMIT = 100_000
PIXELS = np.random.default_rng(8).integers(0, 256, (53, 71, 3), np.uint8)


def written(picture: Image.Image, image_format: str, **options) -> bytes:
    file = io.BytesIO()
    picture.save(file, image_format, **options)
    return file.getvalue()


def decoded(data: bytes) -> np.ndarray:
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(data, np.uint8), flags)


@pytest.mark.parametrize('mode', ['RGB', 'L'])
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
        {'exif': b'Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0'},
    ],
    ids=lambda options: next(iter(options), 'plain'),
)
def test_jpegs_of_pillow_keep_their_pixels(options: dict, mode: str) -> None:
    data = written(Image.fromarray(PIXELS).convert(mode), 'JPEG', **options)
    checked = checked_jpeg(data, max_pixels=LIMIT)
    assert len(checked) <= len(data)
    np.testing.assert_array_equal(decoded(checked), decoded(data))


@pytest.mark.parametrize('mode', ['RGB', 'L', 'P', '1', 'RGBA', 'LA'])
def test_pngs_of_pillow_keep_their_pixels(mode: str) -> None:
    data = written(Image.fromarray(PIXELS).convert(mode), 'PNG')
    checked = checked_png(data, max_pixels=LIMIT)
    np.testing.assert_array_equal(decoded(checked), decoded(data))
    expected = Image.open(io.BytesIO(data)).convert('RGBA').convert('RGB')
    np.testing.assert_array_equal(decoded(checked)[..., ::-1], expected)


def test_a_png_of_sixteen_bits_keeps_the_significant_ones() -> None:
    values = np.random.default_rng(2).integers(0, 65536, (9, 13), np.uint16)
    checked = checked_png(written(Image.fromarray(values), 'PNG'), max_pixels=LIMIT)
    np.testing.assert_array_equal(decoded(checked), np.dstack([values >> 8] * 3))


@pytest.mark.parametrize('image_format', ['JPEG', 'PNG'])
def test_every_shortened_file_is_refused(image_format: str) -> None:
    data = written(Image.fromarray(PIXELS[:16, :16]), image_format)
    guard = checked_jpeg if image_format == 'JPEG' else checked_png
    guard(data, max_pixels=LIMIT)
    start = 2 if image_format == 'JPEG' else 8
    for length in range(start, len(data)):
        with pytest.raises(ImageError, match='cut off|damaged'):
            guard(data[:length], max_pixels=LIMIT)
