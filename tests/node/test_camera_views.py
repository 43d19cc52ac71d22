# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import pytest

from upsnet_ros.core.camera_views import camera_views
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.image_view import WHOLE_UPRIGHT, ImageView
from upsnet_ros.core.window import Window


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
