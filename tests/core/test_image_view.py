# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Views of images against arrays turned and cut by NumPy."""

import numpy as np
import pytest

from upsnet_ros.core.errors import ImageError, ParameterError
from upsnet_ros.core.image_view import ROTATIONS, WHOLE_UPRIGHT, ImageView, camera_views
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.core.window import Window

SIZES = [(1, 1), (1, 6), (5, 1), (5, 7), (8, 6)]


def numbered(height: int, width: int) -> np.ndarray:
    """A label image whose pixels all differ."""
    return np.arange(height * width, dtype=np.uint16).reshape(height, width)


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)


def instance_around(mask: np.ndarray) -> Instance:
    """An object whose box touches the outermost pixels of a mask."""
    rows, columns = np.nonzero(mask)
    box = tuple(float(v) for v in (columns.min(), rows.min(), columns.max(), rows.max()))
    return Instance(3329, 13, 'car', 0.5, box, int(mask.sum()))


@pytest.mark.parametrize('size', SIZES)
@pytest.mark.parametrize('rotation', ROTATIONS)
def test_a_turned_image_is_turned_clockwise_and_back(rotation: int, size: tuple) -> None:
    view = ImageView(rotation=rotation)
    image, labels = picture(*size), numbered(*size)
    seen = view.look(image)
    np.testing.assert_array_equal(seen, np.rot90(image, -rotation // 90))
    assert seen.flags.c_contiguous
    result = PanopticResult(view.look(labels), (), 0.25)
    restored = view.restore(result, size)
    np.testing.assert_array_equal(restored.label_image, labels)
    assert restored.unknown_share == 0.25


@pytest.mark.parametrize('rotation', ROTATIONS)
@pytest.mark.parametrize(
    'region',
    [
        Window(0, 0, 1, 1),
        Window(6, 8, 7, 9),
        Window(2, 3, 3, 4),
        Window(1, 2, 6, 5),
        Window(0, 0, 7, 9),
        Window(0, 4, 7, 5),
    ],
)
def test_a_region_is_put_back_and_the_rest_is_unknown(region: Window, rotation: int) -> None:
    view = ImageView(region, rotation)
    image, labels = picture(7, 9), numbered(7, 9)
    seen = view.look(image)
    cut = image[region.top : region.bottom, region.left : region.right]
    np.testing.assert_array_equal(seen, np.rot90(cut, -rotation // 90))
    assert seen.flags.c_contiguous
    restored = view.restore(PanopticResult(view.look(labels), (), 0.0), (7, 9))
    inside = np.zeros((7, 9), bool)
    inside[region.top : region.bottom, region.left : region.right] = True
    assert restored.label_image.dtype == np.uint16
    np.testing.assert_array_equal(restored.label_image, np.where(inside, labels, 65535))
    assert restored.unknown_share == pytest.approx(1 - inside.mean())


@pytest.mark.parametrize('rotation', ROTATIONS)
@pytest.mark.parametrize('region', [None, Window(2, 1, 9, 12)])
def test_a_box_goes_back_with_the_pixels_it_surrounds(region, rotation: int) -> None:
    mask = np.zeros((11, 13), bool)
    mask[3:6, 2:9] = True
    mask[8, 4] = True
    view = ImageView(region, rotation)
    seen = view.look(mask.astype(np.uint8)) > 0
    label_image = np.where(seen, 3329, 0).astype(np.uint16)
    result = PanopticResult(label_image, (instance_around(seen),), 0.0)
    (restored,) = view.restore(result, mask.shape).instances
    assert restored == instance_around(mask)


def test_the_share_of_unknown_pixels_is_that_of_the_image_that_is_published() -> None:
    view = ImageView(Window(0, 0, 2, 5))
    labels = np.array([[65535, 0, 0, 0, 0], [0, 0, 0, 0, 65535]], np.uint16)
    restored = view.restore(PanopticResult(labels, (), 0.2), (4, 5))
    assert restored.unknown_share == pytest.approx((restored.label_image == 65535).mean())


def test_the_whole_upright_image_costs_nothing() -> None:
    image = picture(5, 7)
    result = PanopticResult(numbered(5, 7), (), 0.0)
    assert np.shares_memory(WHOLE_UPRIGHT.look(image), image)
    assert WHOLE_UPRIGHT.restore(result, (5, 7)) is result


def test_an_image_that_cannot_be_written_to_is_only_read() -> None:
    image = picture(5, 7)
    image.flags.writeable = False
    np.testing.assert_array_equal(ImageView(rotation=180).look(image), image[::-1, ::-1])


@pytest.mark.parametrize(
    ('region', 'size'),
    [
        (Window(0, 0, 6, 5), (5, 5)),
        (Window(0, 0, 5, 6), (5, 5)),
        (Window(5, 5, 6, 6), (5, 5)),
        (Window(200, 0, 1080, 1920), (480, 640)),
    ],
)
def test_a_region_outside_the_image_is_refused_with_both(region: Window, size: tuple) -> None:
    with pytest.raises(ImageError) as caught:
        ImageView(region).look(picture(*size))
    text = f'{region.left},{region.top},{region.right - region.left},{region.height}'
    assert text in str(caught.value)
    assert f'{size[1]}x{size[0]}' in str(caught.value)
    assert 'regions_of_interest' in str(caught.value)


@pytest.mark.parametrize('rotation', [1, -90, 360, 45])
def test_other_rotations_are_refused(rotation: int) -> None:
    with pytest.raises(ParameterError, match=f'{rotation} degrees'):
        ImageView(rotation=rotation)


@pytest.mark.parametrize(
    'region', [Window(0, 0, 0, 5), Window(0, 0, 5, 0), Window(-1, 0, 5, 5), Window(0, -1, 5, 5)]
)
def test_impossible_regions_are_refused(region: Window) -> None:
    with pytest.raises(ParameterError, match='region is'):
        ImageView(region)


@pytest.mark.parametrize(('reduction', 'region'), [(0, None), (-2, None), (2, Window(0, 0, 4, 4))])
def test_impossible_reductions_are_refused(reduction: int, region: Window | None) -> None:
    with pytest.raises(ParameterError, match=f'reduction is {reduction}'):
        ImageView(region, reduction=reduction)


def test_the_camera_sees_the_input_turned_and_its_region_at_no_size() -> None:
    shown = [ImageView(rotation=rotation).shown_in((2, 3)) for rotation in (0, 90, 180, 270)]
    assert shown == [(2, 3), (3, 2), (2, 3), (3, 2)]
    assert ImageView(Window(0, 0, 4, 4)).shown_in((2, 3)) is None


def test_each_camera_has_its_own_view() -> None:
    views = camera_views(['front', 'rear'], ['', ' 0, 200,1920,880 '], [0, 180])
    assert views == {
        'front': WHOLE_UPRIGHT,
        'rear': ImageView(Window(200, 0, 1080, 1920), 180),
    }


def test_a_single_value_holds_for_all_cameras() -> None:
    views = camera_views(['a', 'b', 'c'], ['5,6,7,8'], [90])
    assert set(views.values()) == {ImageView(Window(6, 5, 14, 12), 90)}
    assert list(views) == ['a', 'b', 'c']


@pytest.mark.parametrize(
    ('regions', 'rotations', 'texts'),
    [
        (['', '', ''], [0], ['regions_of_interest', '3 values', '2 cameras']),
        ([], [0], ['regions_of_interest', '0 values']),
        ([''], [0, 0, 0], ['rotations', '3 values', '2 cameras']),
        ([''], [], ['rotations', '0 values']),
        (['', '1,2,3'], [0], ['regions_of_interest', "'1,2,3'", "'rear'", 'x,y,width,height']),
        (['1,2,0,4', ''], [0], ['regions_of_interest', "'1,2,0,4'", "'front'"]),
        (['1,2,4,0'], [0], ["'1,2,4,0'"]),
        (['-1,2,3,4'], [0], ["'-1,2,3,4'"]),
        (['1.5,2,3,4'], [0], ["'1.5,2,3,4'"]),
        (['1,2,3,4,5'], [0], ["'1,2,3,4,5'"]),
        (['1,2,3,999999'], [0], ["'1,2,3,999999'"]),
        (['all'], [0], ["'all'"]),
        ([''], [0, 45], ['rotations', '45', "'rear'", '0, 90, 180, 270']),
        ([''], [-90], ['rotations', '-90']),
    ],
)
def test_impossible_views_are_refused_with_parameter_value_and_camera(
    regions, rotations, texts
) -> None:
    with pytest.raises(ParameterError) as caught:
        camera_views(['front', 'rear'], regions, rotations)
    for text in texts:
        assert text in str(caught.value)
