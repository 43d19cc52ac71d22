# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every encoding against pictures built by hand, with and without padded rows."""

import sys
from array import array
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

from tests.images.plain_messages import Raw, raw
from upsnet_ros.core.errors import ImageError
from upsnet_ros.images import raw as raw_images
from upsnet_ros.images.messages import image_to_bgr
from upsnet_ros.images.raw import LAYOUTS, MAX_IMAGE_PIXELS

BLUE, GREEN, RED = 10, 120, 240


def random_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3), np.uint8)


def with_alpha(bgr: np.ndarray) -> np.ndarray:
    return np.dstack([bgr, np.full(bgr.shape[:2], 9, np.uint8)])


PLAIN = {
    'bgr8': lambda bgr: bgr,
    '8UC3': lambda bgr: bgr,
    'rgb8': lambda bgr: bgr[..., ::-1],
    'bgra8': with_alpha,
    '8UC4': with_alpha,
    'rgba8': lambda bgr: with_alpha(bgr[..., ::-1]),
}


@pytest.mark.parametrize('padding', [0, 1, 64])
@pytest.mark.parametrize('size', [(1, 1), (5, 7), (48, 64)])
@pytest.mark.parametrize('encoding', PLAIN)
def test_colour_encodings_are_exact(encoding: str, size: tuple, padding: int) -> None:
    picture = random_picture(*size)
    result = image_to_bgr(raw(PLAIN[encoding](picture), encoding, padding=padding))
    assert result.flags.c_contiguous and result.dtype == np.uint8
    np.testing.assert_array_equal(result, picture)


@pytest.mark.parametrize('encoding', ['mono8', '8UC1'])
def test_grey_becomes_three_equal_channels(encoding: str) -> None:
    grey = random_picture(5, 7)[..., 0]
    result = image_to_bgr(raw(grey, encoding, padding=3))
    np.testing.assert_array_equal(result, np.dstack([grey] * 3))


# With their channels.
DEEP = {'mono16': 1, 'bgr16': 3, 'rgb16': 3, '16UC3': 3, 'bgra16': 4, 'rgba16': 4, '16UC4': 4}


@pytest.mark.parametrize('big_endian', [False, True])
@pytest.mark.parametrize('padding', [0, 4])
@pytest.mark.parametrize('encoding', [*DEEP])
def test_sixteen_bits_keep_the_significant_byte(encoding, big_endian, padding) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (3, 5, 4), np.uint16)
    values = values[..., 0] if encoding == 'mono16' else values[..., : DEEP[encoding]]
    message = raw(values, encoding, padding=padding, big_endian=big_endian)
    expected = (values >> 8).astype(np.uint8)
    if encoding == 'mono16':
        expected = np.dstack([expected] * 3)
    expected = expected[..., :3]
    if encoding.startswith('rgb'):
        expected = expected[..., ::-1]
    np.testing.assert_array_equal(image_to_bgr(message), expected)


def mosaic(pattern: str, height: int, width: int) -> np.ndarray:
    """A flat colour through the filters of a sensor.

    The letters are the colours of the first two pixels of the first two rows.
    """
    value = {'r': RED, 'g': GREEN, 'b': BLUE}
    tile = np.array([value[letter] for letter in pattern], np.uint8).reshape(2, 2)
    return np.tile(tile, (height // 2 + 1, width // 2 + 1))[:height, :width]


@pytest.mark.parametrize('size', [(8, 10), (3, 3), (5, 7), (6, 9)])
@pytest.mark.parametrize('pattern', ['rggb', 'bggr', 'gbrg', 'grbg'])
def test_a_mosaic_of_a_flat_colour_gives_that_colour(pattern: str, size: tuple) -> None:
    values = mosaic(pattern, *size)
    deep = values.astype(np.uint16) * 256 + 201
    for message in (
        raw(values, f'bayer_{pattern}8', padding=2),
        raw(deep, f'bayer_{pattern}16', padding=6),
        raw(deep, f'bayer_{pattern}16', big_endian=True),
    ):
        expected = np.full((*size, 3), (BLUE, GREEN, RED), np.uint8)
        np.testing.assert_array_equal(image_to_bgr(message), expected)


@pytest.mark.parametrize('size', [(1, 8), (2, 8), (8, 2), (1, 1)])
def test_a_mosaic_too_small_for_its_colours_is_refused_rather_than_black(size: tuple) -> None:
    with pytest.raises(ImageError, match='at least 3 pixels'):
        image_to_bgr(raw(mosaic('rggb', *size), 'bayer_rggb8'))


def video_range_bgr(luma: float, blueness: int, redness: int) -> list[float]:
    """ITU-R BT.601 for studio range."""
    bright, blueness, redness = 1.164 * (luma - 16), blueness - 128, redness - 128
    return [
        bright + 2.018 * blueness,
        bright - 0.813 * redness - 0.391 * blueness,
        bright + 1.596 * redness,
    ]


@pytest.mark.parametrize(
    ('encoding', 'order'),
    [
        ('uyvy', 'UYVY'),
        ('yuv422', 'UYVY'),
        ('yuyv', 'YUYV'),
        ('yuv422_yuy2', 'YUYV'),
        ('yvyu', 'YVYU'),
    ],
)
def test_yuv_follows_the_video_range_equations(encoding: str, order: str) -> None:
    value = {'Y': 100, 'U': 90, 'V': 180}
    row = np.array([value[letter] for letter in order] * 3, np.uint8)  # six pixels
    message = replace(raw(np.stack([row, row]), encoding), width=6)
    result = image_to_bgr(message)
    assert result.shape == (2, 6, 3)
    expected = np.broadcast_to(video_range_bgr(100, 90, 180), result.shape)
    np.testing.assert_allclose(result, expected, atol=2)


@pytest.mark.parametrize('padding', [0, 2, 61])
@pytest.mark.parametrize(('encoding', 'order'), [('nv12', 'UV'), ('nv21', 'VU')])
def test_a_colour_plane_follows_the_brightness(encoding: str, order: str, padding: int) -> None:
    """Two rows of four pixels, then four more; each 2x2 pixels share a colour."""
    value = {'U': (90, 128), 'V': (180, 128)}
    luma = np.array([[50] * 4, [60] * 4, [200] * 4, [210] * 4], np.uint8)
    colour = [[value[letter][row] for letter in order] * 2 for row in range(2)]
    planes = np.vstack([luma, np.array(colour, np.uint8)])
    result = image_to_bgr(replace(raw(planes, encoding, padding=padding), height=4))
    assert result.flags.c_contiguous
    for row in range(4):
        colours = (value[letter][row // 2] for letter in 'UV')
        expected = np.clip([video_range_bgr(float(luma[row, 0]), *colours)] * 4, 0, 255)
        np.testing.assert_allclose(result[row], expected, atol=2)


PLANES = {'yuv420': 'UV', 'yuv420p': 'UV', 'i420': 'UV', 'yu12': 'UV', 'yv12': 'VU'}


@pytest.mark.parametrize('padding', [0, 2, 60])
@pytest.mark.parametrize('encoding', PLANES)
def test_two_colour_planes_follow_the_brightness(encoding: str, padding: int) -> None:
    """Six rows of four pixels; then three rows of each colour, half as long and half as padded."""
    value = {'U': (90, 128, 160), 'V': (180, 128, 60)}
    luma = np.array([[50 + 20 * row] * 4 for row in range(6)], np.uint8)
    rows = [np.pad(luma, ((0, 0), (0, padding)), constant_values=77)]
    for letter in PLANES[encoding]:
        plane = np.repeat(np.array(value[letter], np.uint8)[:, None], 2, axis=1)
        rows.append(np.pad(plane, ((0, 0), (0, padding // 2)), constant_values=77))
    data = array('B', b''.join(plane.tobytes() for plane in rows))
    for name in (encoding, encoding.upper()):
        result = image_to_bgr(Raw(6, 4, name, 0, 4 + padding, data))
        assert result.shape == (6, 4, 3) and result.flags.c_contiguous
        for row in range(6):
            colours = (value[letter][row // 2] for letter in 'UV')
            expected = np.clip([video_range_bgr(float(luma[row, 0]), *colours)] * 4, 0, 255)
            np.testing.assert_allclose(result[row], expected, atol=2)


def test_every_encoding_of_the_table_is_tested_above() -> None:
    bayer = {f'bayer_{p}{bits}' for p in ('rggb', 'bggr', 'gbrg', 'grbg') for bits in (8, 16)}
    grey = {'mono8', '8UC1'}
    yuv = {'uyvy', 'yuv422', 'yuyv', 'yuv422_yuy2', 'yvyu', 'nv12', 'nv21'}
    assert set(LAYOUTS) == set(PLAIN) | bayer | grey | set(DEEP) | yuv | set(PLANES)


class Bridge:
    """Stands in for cv_bridge: right, wrong, failing or of another shape, and counted."""

    def __init__(self, change) -> None:
        self.change, self.calls = change, 0

    def imgmsg_to_cv2(self, message: Raw, desired: str) -> np.ndarray:
        self.calls += 1
        assert desired == 'bgr8'
        picture = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)
        return self.change(picture[..., ::-1] if message.encoding == 'rgb8' else picture)


def failing(picture: np.ndarray) -> np.ndarray:
    raise RuntimeError('unsound')


@pytest.fixture
def use_bridge(monkeypatch):
    """Has a converter in place of cv_bridge's, or the one that is installed."""

    def use(change=None) -> Bridge | None:
        bridge = Bridge(change) if change else raw_images.cv_bridge()
        monkeypatch.setattr(raw_images, 'cv_bridge', lambda: bridge)
        raw_images._bridge_is_sound.cache_clear()
        return bridge

    yield use
    raw_images._bridge_is_sound.cache_clear()


@pytest.mark.parametrize(
    ('change', 'uses_it'),
    [
        (np.copy, True),
        (lambda picture: picture[..., ::-1], False),
        (lambda picture: picture ^ 1, False),
        (failing, False),
        (lambda picture: picture[:, :-1], False),
        (lambda picture: picture.astype(np.float32), False),
    ],
    ids=['right', 'colours', 'values', 'error', 'shape', 'dtype'],
)
def test_cv_bridge_is_used_where_it_gives_what_the_table_gives(
    use_bridge, change, uses_it: bool
) -> None:
    bridge = use_bridge(change)
    picture = random_picture(5, 7)
    for encoding in ('bgr8', 'rgb8'):
        before = bridge.calls
        first = image_to_bgr(raw(PLAIN[encoding](picture), encoding))
        np.testing.assert_array_equal(first, picture)
        assert bridge.calls - before == (2 if uses_it else 1)  # one is the trial
        np.testing.assert_array_equal(image_to_bgr(raw(PLAIN[encoding](picture), encoding)), first)
        assert bridge.calls - before == (3 if uses_it else 1)
        padded = raw(PLAIN[encoding](picture), encoding, padding=1)
        np.testing.assert_array_equal(image_to_bgr(padded), picture)
        assert bridge.calls - before == (3 if uses_it else 1)


def test_a_picture_that_cv_bridge_fails_at_is_read_by_the_table(use_bridge) -> None:
    bridge = use_bridge(np.copy)
    picture = random_picture(5, 7)
    image_to_bgr(raw(picture, 'bgr8'))
    bridge.change = failing
    np.testing.assert_array_equal(image_to_bgr(raw(picture, 'bgr8')), picture)


@pytest.mark.parametrize('encoding', LAYOUTS)
def test_pictures_are_the_same_with_cv_bridge_and_without(use_bridge, encoding: str) -> None:
    """With the one that is installed, where one is that is sound (ROS 2 Jazzy with NumPy 1)."""
    layout = LAYOUTS[encoding]
    step = layout.row_bytes(12)
    data = np.random.default_rng(2).integers(0, 256, layout.rows(10) * step, np.uint8)
    message = Raw(10, 12, encoding, 0, step, array('B', data.tobytes()))
    expected = raw_images._converted(
        message, layout, raw_images.pixel_rows(message, layout, max_pixels=120)
    )
    use_bridge()
    np.testing.assert_array_equal(image_to_bgr(message), expected)


def test_cv_bridge_is_not_imported_under_numpy_2(monkeypatch) -> None:
    module = ModuleType('cv_bridge')
    module.CvBridge = list
    monkeypatch.setitem(sys.modules, 'cv_bridge', module)
    for version, found in (('2.0.0', False), ('2.4.6', False), ('1.26.4', True)):
        monkeypatch.setattr(np, '__version__', version)
        raw_images.cv_bridge.cache_clear()
        assert (raw_images.cv_bridge() is not None) == found
    monkeypatch.setitem(sys.modules, 'cv_bridge', None)
    raw_images.cv_bridge.cache_clear()
    assert raw_images.cv_bridge() is None
    raw_images.cv_bridge.cache_clear()


def test_bgr_without_padding_is_not_copied() -> None:
    message = raw(random_picture(4, 6), 'bgr8')
    assert np.shares_memory(image_to_bgr(message), np.frombuffer(message.data, np.uint8))


def broken(**fields) -> Raw:
    return replace(raw(random_picture(4, 6), 'bgr8'), **fields)


@pytest.mark.parametrize(
    ('message', 'texts'),
    [
        (broken(encoding='32FC1'), ['encoding', "'32FC1'", 'bgr8']),
        (broken(encoding=''), ['encoding', "''"]),
        (broken(encoding='16UC1'), ['encoding', "'16UC1'"]),
        (broken(step=17), ['step', '17', '18']),
        (broken(step=0), ['step', '0', '18']),
        (broken(step=19), ['data', '72', '76']),
        (broken(height=5), ['data', '72', '90']),
        (broken(height=3), ['data', '72', '54']),
        (broken(width=0), ['size', '0x4']),
        (broken(height=0), ['size', '6x0']),
        (broken(width=5, encoding='yuyv', step=18), ['width', '5', 'even']),
        (broken(height=3, encoding='nv21', step=16), ['height', '3', 'even']),
        (broken(encoding='i420', step=13), ['step', '13', 'even']),
        (broken(encoding='I420', step=18), ['data', '72', '108', 'half']),
        (broken(encoding='nv12', step=18), ['data', '72', '108', 'half']),
        (broken(width=2**32 - 1, height=2**32 - 1), ['size', '4294967295', 'max_image_pixels']),
        (broken(width=7680, height=4321), ['7680x4321', str(MAX_IMAGE_PIXELS)]),
        (broken(step=2**32 - 1), ['data', '72', '17179869180']),
        (Raw(), ['encoding']),
    ],
    ids=lambda value: '' if isinstance(value, list) else f'{value.encoding}-{value.step}',
)
def test_an_impossible_raw_image_is_refused_with_field_and_values(message, texts) -> None:
    with pytest.raises(ImageError) as caught:
        image_to_bgr(message)
    for text in texts:
        assert text in str(caught.value)


def test_the_greatest_number_of_pixels_is_the_callers() -> None:
    message = raw(random_picture(4, 6), 'bgr8')
    assert image_to_bgr(message, max_pixels=24).shape == (4, 6, 3)
    with pytest.raises(ImageError, match='6x4, 24 pixels, limit 23'):
        image_to_bgr(message, max_pixels=23)
