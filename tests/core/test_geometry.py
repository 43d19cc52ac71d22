# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How images lie in the network's input."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from upsnet_ros.core.errors import ImageError, ParameterError
from upsnet_ros.core.geometry import PAD_VALUE, InputGeometry, place_image
from upsnet_ros.core.labelling import label_frame, nearest_source

SIZES = [(1, 1), (1, 5000), (512, 1024), (375, 1242), (1080, 1920), (33, 17), (320, 640)]


@pytest.mark.parametrize('image_size', SIZES)
@pytest.mark.parametrize('input_size', [(320, 640), (640, 320), (32, 32)])
def test_the_image_fits_with_the_largest_scale(
    image_size: tuple[int, int], input_size: tuple[int, int]
) -> None:
    geometry = InputGeometry.fit(image_size=image_size, input_size=input_size)
    content = (geometry.content_height, geometry.content_width)
    for have, side, room in zip(content, image_size, input_size, strict=True):
        assert 1 <= have <= room
        assert abs(have - side * geometry.scale) <= max(0.5, 1 - side * geometry.scale)
    assert content[0] == input_size[0] or content[1] == input_size[1]


def test_known_geometries() -> None:
    geometry = InputGeometry.fit(image_size=(512, 1024), input_size=(320, 640))
    assert (geometry.scale, geometry.content_height, geometry.content_width) == (0.625, 320, 640)
    geometry = InputGeometry.fit(image_size=(480, 640), input_size=(320, 640))
    assert geometry.scale == pytest.approx(2 / 3)
    assert (geometry.content_height, geometry.content_width) == (320, 427)


@pytest.mark.parametrize('image_size, input_size', [((0, 5), (32, 32)), ((5, 5), (32, 0))])
def test_sizes_without_pixels_are_refused(image_size: tuple, input_size: tuple) -> None:
    with pytest.raises(ParameterError, match='at least one pixel'):
        InputGeometry.fit(image_size=image_size, input_size=input_size)


@pytest.mark.parametrize(
    'image_size, limits, scale, content, padded',
    [
        pytest.param((1024, 2048), (1024, 2048), 1.0, (1024, 2048), (1024, 2048), id='Cityscapes'),
        # 800 / 480 * 640 is 1066.67; both sides are padded to the next multiple of 32.
        pytest.param((480, 640), (800, 1333), 5 / 3, (800, 1067), (800, 1088), id='COCO'),
        pytest.param((640, 480), (800, 1333), 5 / 3, (1067, 800), (1088, 800), id='upright'),
        # 800 / 300 * 600 is 1600, longer than allowed: the long side rules.
        pytest.param((300, 600), (800, 1333), 1333 / 600, (666, 1333), (672, 1344), id='long'),
        # The long side rounds to exactly 1333 and stays.
        pytest.param((300, 500), (800, 1333), 8 / 3, (800, 1333), (800, 1344), id='just fits'),
        # 4 * 0.625 is 2.5, and half goes to the even number.
        pytest.param((4, 8), (3, 5), 0.625, (2, 5), (32, 32), id='half to even'),
        pytest.param((1, 5000), (800, 1333), 0.2666, (1, 1333), (32, 1344), id='one row'),
        pytest.param((1, 1), (800, 1333), 800.0, (800, 800), (800, 800), id='one pixel'),
    ],
)
def test_known_geometries_of_the_published_test(
    image_size: tuple, limits: tuple, scale: float, content: tuple, padded: tuple
) -> None:
    geometry = InputGeometry.for_short_side(
        image_size, short_side=limits[0], max_long_side=limits[1]
    )
    assert (geometry.image_height, geometry.image_width) == image_size
    assert geometry.scale == scale
    assert (geometry.content_height, geometry.content_width) == content
    assert (geometry.input_height, geometry.input_width) == padded


@pytest.mark.parametrize('values', [((0, 5), 32, 64), ((5, 5), 0, 64), ((5, 5), 32, 0)])
def test_short_sides_without_pixels_are_refused(values: tuple) -> None:
    size, short_side, max_long_side = values
    with pytest.raises(ParameterError, match='at least one pixel'):
        InputGeometry.for_short_side(size, short_side=short_side, max_long_side=max_long_side)


@pytest.mark.parametrize(
    'change', [{'scale': 0.0}, {'scale': math.nan}, {'content_height': 33}, {'image_width': 0}]
)
def test_impossible_geometries_are_refused(change: dict) -> None:
    values = {
        'image_height': 64, 'image_width': 64, 'input_height': 32, 'input_width': 32,
        'scale': 0.5, 'content_height': 32, 'content_width': 32,
    }  # fmt: skip
    with pytest.raises(ParameterError):
        InputGeometry(**values | change)


@pytest.mark.parametrize('image_size', SIZES)
def test_content_is_at_the_top_left_and_the_rest_is_padding(image_size: tuple[int, int]) -> None:
    geometry = InputGeometry.fit(image_size=image_size, input_size=(320, 640))
    placed = place_image(np.full((*image_size, 3), 250, np.uint8), geometry)
    assert placed.shape == (320, 640, 3) and placed.flags.c_contiguous
    content = np.zeros((320, 640), bool)
    content[: geometry.content_height, : geometry.content_width] = True
    assert (placed[content] == 250).all()
    assert (placed[~content] == PAD_VALUE).all()


def bilinear_by_factor(image: np.ndarray, geometry: InputGeometry) -> np.ndarray:
    """Return the scaled image by the definition: sample at (pixel + 0.5) / scale - 0.5."""
    result = image.astype(float)
    for axis, size in enumerate((geometry.content_height, geometry.content_width)):
        position = (np.arange(size) + 0.5) / geometry.scale - 0.5
        low = np.floor(position).astype(int)
        part = (position - low).reshape([-1, 1, 1] if axis == 0 else [1, -1, 1])
        last = image.shape[axis] - 1
        before = np.take(result, np.clip(low, 0, last), axis=axis)
        after = np.take(result, np.clip(low + 1, 0, last), axis=axis)
        result = before * (1 - part) + after * part
    return result


@pytest.mark.parametrize('image_size', [(512, 1024), (480, 641), (37, 53), (375, 1242)])
def test_sampling_steps_by_the_scale_not_by_the_ratio_of_sizes(
    image_size: tuple[int, int],
) -> None:
    # A steep ramp: an error of 0.1 pixels in position is an error of several grey values.
    height, width = image_size
    ramp = (np.arange(width)[None, :] * 37 + np.arange(height)[:, None] * 23) % 256
    image = np.repeat(ramp[..., None], 3, axis=2).astype(np.uint8)
    geometry = InputGeometry.fit(image_size=image_size, input_size=(320, 640))
    placed = place_image(image, geometry)[: geometry.content_height, : geometry.content_width]
    error = np.abs(placed - bilinear_by_factor(image, geometry))
    # OpenCV rounds the weights of 8-bit images to 1/2048.
    assert error.max() <= 1.0


def test_an_image_of_the_inputs_size_is_not_copied() -> None:
    image = np.zeros((32, 64, 3), np.uint8)
    geometry = InputGeometry.fit(image_size=(32, 64), input_size=(32, 64))
    assert place_image(image, geometry) is image


def test_padding_takes_the_given_colour() -> None:
    geometry = InputGeometry.fit(image_size=(32, 32), input_size=(32, 64))
    placed = place_image(np.zeros((32, 32, 3), np.uint8), geometry, pad_value=(1, 2, 3))
    assert (placed[:, 32:] == (1, 2, 3)).all()


@pytest.mark.parametrize(
    'image', [np.zeros((31, 64, 3), np.uint8), np.zeros((32, 64, 3), np.float32)]
)
def test_images_of_another_geometry_are_refused(image: np.ndarray) -> None:
    geometry = InputGeometry.fit(image_size=(32, 64), input_size=(32, 64))
    with pytest.raises(ImageError, match='expected'):
        place_image(image, geometry)


def test_nearest_source_is_the_floor_of_a_32_bit_scale() -> None:
    assert nearest_source(8, 0.625, 5).tolist() == [0, 0, 1, 1, 2, 3, 3, 4]
    assert nearest_source(5, 2.0, 10).tolist() == [0, 2, 4, 6, 8]
    # In 32 bits 0.7 is a little less, and exact multiples fall one pixel short.
    assert nearest_source(11, 0.7, 8)[10] == 6
    assert nearest_source(10, 0.5, 4).max() == 3


@pytest.mark.parametrize('short_side, max_long_side', [(800, 1333), (1024, 2048), (96, 160)])
@pytest.mark.parametrize('image_size', [*SIZES, (480, 640), (427, 640), (640, 428), (375, 500)])
def test_labels_reach_the_image_as_opencv_resizes_by_the_32_bit_scale(
    image_size: tuple[int, int], short_side: int, max_long_side: int
) -> None:
    geometry = InputGeometry.for_short_side(
        image_size, short_side=short_side, max_long_side=max_long_side
    )
    frame = label_frame(geometry, 'input_frame')
    # Steps of 1 / factor are OpenCV's own rule; the published code divides by its 32-bit scale.
    factor = 1 / float(np.float32(geometry.scale))
    for content, size, have in (
        (geometry.content_height, image_size[0], frame.image_rows),
        (geometry.content_width, image_size[1], frame.image_columns),
    ):
        line = np.arange(content, dtype=np.float32)[None]
        want = cv2.resize(line, None, fx=factor, fy=1, interpolation=cv2.INTER_NEAREST)[0]
        shared = min(len(want), size)  # the published size may miss the image's by some pixels
        assert shared > 0.9 * size
        np.testing.assert_array_equal(have[:shared], want[:shared])


def test_a_third_of_the_rows_of_coco_images_goes_by_the_rounding() -> None:
    geometry = InputGeometry.for_short_side((480, 640), short_side=800, max_long_side=1333)
    exact = np.arange(480) * 800 // 480
    rows = label_frame(geometry, 'input_frame').image_rows
    differ = np.flatnonzero(rows != exact)
    np.testing.assert_array_equal(differ, np.arange(3, 480, 3))
    np.testing.assert_array_equal(rows[differ], exact[differ] - 1)


@pytest.mark.parametrize('image_size', SIZES)
@pytest.mark.parametrize('resolution', ['input_frame', 'image'])
def test_frames_count_every_image_pixel_once(image_size: tuple[int, int], resolution: str) -> None:
    geometry = InputGeometry.fit(image_size=image_size, input_size=(320, 640))
    frame = label_frame(geometry, resolution)
    pixel_counts = np.outer(frame.row_counts, frame.column_counts)
    assert pixel_counts.shape == (frame.labels.height, frame.labels.width)
    assert pixel_counts.sum() == image_size[0] * image_size[1]
    numbered = np.arange(pixel_counts.size).reshape(pixel_counts.shape)
    shown = np.bincount(frame.to_image(numbered).ravel(), minlength=numbered.size)
    np.testing.assert_array_equal(shown.reshape(numbered.shape), pixel_counts)
