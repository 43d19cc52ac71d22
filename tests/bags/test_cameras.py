# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cameras, their ground truth and what is looked at, by names of topics and by options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bags.blue_drive import video_row
from tests.bags.small_drive import (
    FOXGLOVE_TYPE,
    Row,
    image_row,
    label_row,
    stamp_of,
    truth_of,
    write_rows,
)
from upsnet_ros.bags.cameras import camera_name, find_cameras, find_views
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import BagError, EvaluationError, ParameterError
from upsnet_ros.core.image_view import WHOLE_UPRIGHT, ImageView
from upsnet_ros.core.window import Window

REGION = Window(8, 16, 56, 80)  # 16,8,64,48


def image_on(topic: str) -> Row:
    return (topic, *image_row(0)[1:])


@pytest.mark.parametrize(
    ('topic', 'name'),
    [
        ('/front/image_raw', 'front'),
        ('/front/image_raw/compressed', 'front'),
        ('/rig/left/image_raw/compressed', 'rig/left'),
        ('/front/image_raw/ffmpeg', 'front'),
        ('/front/image_raw/foxglove', 'front'),
        ('/front/video', 'front/video'),
        ('/image_raw', 'image_raw'),
        ('/front/image_color/compressed', 'front/image_color'),
    ],
)
def test_names_of_cameras(topic: str, name: str) -> None:
    assert camera_name(topic) == name


def image16(topic: str, encoding: str = '16UC1') -> Row:
    row = label_row(topic, truth_of(0), stamp_ns=stamp_of(0), recorded_ns=stamp_of(0))
    row[3].encoding = encoding
    return row


def found_in(path: Path, topics: Sequence[str | Row]) -> tuple[dict[str, str], list[str]]:
    """Images by camera, and the notes, of a bag with some topics."""
    rows = [image_on(topic) if isinstance(topic, str) else topic for topic in topics]
    with BagReader(write_rows(path / 'bag', rows)) as bag:
        cameras = find_cameras(bag)
        find_cameras(bag)
        return {camera.name: camera.images for camera in cameras}, bag.notes


FRONT, REAR = '/front/image_raw/compressed', '/rear/image_rect_color/compressed'


@pytest.mark.parametrize(
    ('topics', 'cameras', 'left_out'),
    [
        # Topics of other kinds in other namespaces are other cameras.
        ([FRONT, REAR], {'front': FRONT, 'rear/image_rect_color': REAR}, ''),
        (['/cam0', '/cam1'], {'cam0': '/cam0', 'cam1': '/cam1'}, ''),
        # Of one camera the best images are taken, raw before compressed ones.
        (
            ['/a/image_rect', '/a/image_raw', '/a/image_raw/compressed', '/a/image_mono'],
            {'a': '/a/image_raw'},
            '/a/image_mono, /a/image_rect',
        ),
        (
            ['/a/image_rect/compressed', '/a/image_rect_color'],
            {'a/image_rect_color': '/a/image_rect_color'},
            '/a/image_rect/compressed',
        ),
        (
            [FRONT, '/front/panoptic/image', '/front/overlay/image/compressed'],
            {'front': FRONT},
            '/front/overlay/image/compressed, /front/panoptic/image',
        ),
        # Depth, by its name or by what its images say of themselves.
        (
            ['/oak/rgb/image_rect/compressed', '/oak/stereo/image_rect/compressedDepth'],
            {'oak/rgb/image_rect': '/oak/rgb/image_rect/compressed'},
            '/oak/stereo/image_rect/compressedDepth',
        ),
        (
            [FRONT, image16('/a/image_raw'), image16('/b/image', '32FC1')],
            {'front': FRONT},
            '/a/image_raw, /b/image',
        ),
        (
            [image16('/a/image_raw'), '/a/image_raw/compressed'],
            {'a': '/a/image_raw/compressed'},
            '',
        ),
    ],
)
def test_all_cameras_are_found_and_what_is_left_out_is_told(
    tmp_path: Path, topics: list[str | Row], cameras: dict[str, str], left_out: str
) -> None:
    text = f'image topics that were left out: {left_out}; --cameras may name them'
    assert found_in(tmp_path, topics) == (cameras, [text] if left_out else [])


def test_depth_in_a_compressed_topic_of_any_name_is_no_camera(tmp_path: Path) -> None:
    row = image_on('/a/image_raw/compressed')
    row[3].format = '16UC1; compressedDepth png'
    assert found_in(tmp_path, [row, FRONT])[0] == {'front': FRONT}


def test_cameras_and_ground_truth_may_be_named(tmp_path: Path) -> None:
    rows = [
        image_on('/a/image_raw/compressed'),
        image_on('/b/image_raw/compressed'),
        image_on('/c/image_rect/compressed'),
        image16('/b/ground_truth/panoptic/image'),
        image16('/c/ground_truth/panoptic/image'),
        image16('/a/panoptic/image'),
    ]
    with BagReader(write_rows(tmp_path / 'bag', rows)) as bag:
        found = find_cameras(bag)
        usual = [f'/{name}/ground_truth/panoptic/image' for name in 'bc']
        assert [c.truth for c in found] == [None, *usual]
        for name in ('c', 'c/image_rect', '/c/image_rect/compressed'):
            (only,) = find_cameras(bag, names=[name])
            assert only.images == '/c/image_rect/compressed' and only.truth == usual[1]
        (only,) = find_cameras(
            bag, names=['/a/image_raw/compressed'], truths=['/a/panoptic/image']
        )
        assert (only.name, only.truth) == ('a', '/a/panoptic/image')
        found = find_cameras(bag, truths=['a=/a/panoptic/image'])
        assert [c.truth for c in found] == ['/a/panoptic/image', None, None]
        assert [c.truth for c in find_cameras(bag, truths=['none'])] == [None, None, None]


@pytest.mark.parametrize(
    ('names', 'truths', 'message'),
    [
        (['rear'], [], "no images of camera 'rear'.*/b/image_raw/compressed"),
        (['/odom'], [], '/odom of .* has messages of std_msgs/msg/Header'),
        (['a', '/a/image_raw/compressed'], [], 'topics of the same camera'),
        ([], ['/truth'], 'does not fit the cameras a, b'),
        ([], ['x=/truth'], 'does not fit the cameras a, b'),
        (['a'], ['/truth'], 'ground truth /truth of .* is not there'),
        (['a'], ['/odom'], 'ground truth /odom of .* has messages of std_msgs/msg/Header'),
        (['a'], ['/film'], 'ground truth /film of .* has messages of foxglove_msgs'),
    ],
)
def test_wrong_topics_are_refused_with_what_is_there(
    tmp_path: Path, names: list[str], truths: list[str], message: str
) -> None:
    stamp = image_row(0)[3].header
    rows = [
        image_on('/a/image_raw/compressed'),
        image_on('/b/image_raw/compressed'),
        ('/odom', 'std_msgs/msg/Header', 5, stamp),
        ('/film', *video_row(0, b'x', FOXGLOVE_TYPE)[1:]),
    ]
    with BagReader(write_rows(tmp_path / 'bag', rows)) as bag:
        with pytest.raises(BagError, match=message):
            find_cameras(bag, names=names, truths=truths)


def test_a_bag_without_images_is_refused(tmp_path: Path) -> None:
    row = ('/odom', 'std_msgs/msg/Header', 5, image_row(0)[3].header)
    with BagReader(write_rows(tmp_path / 'bag', [row])) as bag:
        with pytest.raises(BagError, match=r'no camera images .*/odom \(std_msgs/msg/Header\)'):
            find_cameras(bag)


@pytest.mark.parametrize(
    ('regions', 'rotations', 'front', 'rear'),
    [
        ([], [], WHOLE_UPRIGHT, WHOLE_UPRIGHT),
        (['16,8,64,48'], ['90'], ImageView(REGION, 90), ImageView(REGION, 90)),
        (['rear=16,8,64,48'], ['front=180'], ImageView(rotation=180), ImageView(REGION)),
        (['16,8,64,48', 'front='], [' 270 ', 'front=0'], WHOLE_UPRIGHT, ImageView(REGION, 270)),
    ],
)
def test_one_value_holds_for_all_cameras_or_for_the_one_it_names(
    regions: list[str], rotations: list[str], front: ImageView, rear: ImageView
) -> None:
    views = find_views(['front', 'rear'], regions=regions, rotations=rotations)
    assert views == {'front': front, 'rear': rear}


@pytest.mark.parametrize(
    ('regions', 'rotations', 'kind', 'told'),
    [
        (['side=1,2,3,4'], [], EvaluationError, 'side=1,2,3,4 does not fit the cameras front, a'),
        (['1,2,3,4', '5,6,7,8'], [], EvaluationError, 'does not fit the cameras'),
        ([], ['front=90', 'front=0'], EvaluationError, '--rotations front=90 front=0'),
        ([], ['=90'], EvaluationError, 'does not fit'),
        ([], ['left'], EvaluationError, "--rotations has 'left'"),
        ([], ['a/b=45'], ParameterError, "45 for camera 'a/b'"),
        (['a/b=1,2,3'], [], ParameterError, "'1,2,3' for camera 'a/b'"),
    ],
)
def test_views_of_no_camera_and_impossible_ones_are_refused(
    regions: list[str], rotations: list[str], kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind) as caught:
        find_views(['front', 'a/b'], regions=regions, rotations=rotations)
    assert told in str(caught.value)
