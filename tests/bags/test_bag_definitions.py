# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of bags of every distribution, storage and packing are read alike; others are told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from tests.bags.blue_drive import SIZE, blue_image, png_row, raw_row
from tests.bags.small_drive import stamp_of, write_rows
from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import ImageError
from upsnet_ros.images.messages import image_to_bgr

DISTRIBUTIONS = (
    Stores.ROS2_FOXY,
    Stores.ROS2_GALACTIC,
    Stores.ROS2_HUMBLE,
    Stores.ROS2_IRON,
    Stores.ROS2_JAZZY,
    Stores.ROS2_KILTED,
)
FRAMES = 2
TYPE = 'sensor_msgs/msg/Image'
FIELDS = (
    'std_msgs/Header header\nuint32 height\nuint32 width\nstring encoding\nuint8 is_bigendian\n'
)


def images_of(bag: Path) -> np.ndarray:
    """The images of a bag's only camera, BGR uint8 [N, H, W, 3]."""
    with BagReader(bag) as opened:
        (camera,) = find_cameras(opened)
        images = [
            image_to_bgr(opened.decode(message.topic, message.data))
            for message in opened.messages([camera.images])
        ]
        assert opened.facts().problems == ()
    return np.stack(images)


EXPECTED = np.stack([blue_image(index) for index in range(FRAMES)])


@pytest.mark.parametrize('distribution', DISTRIBUTIONS)
@pytest.mark.parametrize('row', [png_row, raw_row], ids=['compressed images', 'raw images'])
@pytest.mark.parametrize('storage', ['mcap', 'sqlite3'])
@pytest.mark.parametrize('compression', ['none', 'message', 'file'])
def test_bags_of_every_distribution_give_the_same_images(
    tmp_path: Path, distribution: Stores, row, storage: str, compression: str
) -> None:
    bag = write_rows(
        tmp_path / 'bag',
        [row(index) for index in range(FRAMES)],
        storage=storage,
        compression=compression,
        distribution=distribution,
    )
    np.testing.assert_array_equal(images_of(bag), EXPECTED)


def write_own_images(path: Path, definition: str, **others: object) -> Path:
    """A bag of images whose type is defined by a text, with the values of its further fields."""
    store = get_typestore(Stores.ROS2_JAZZY)
    del store.fielddefs[TYPE], store.types[TYPE]
    store.register(get_types_from_msg(definition, TYPE))
    height, width = SIZE
    with Writer(path, version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection('/camera/image_raw', TYPE, typestore=store)
        for index in range(FRAMES):
            kinds = store.types
            time = kinds['builtin_interfaces/msg/Time'](*divmod(stamp_of(index), 10**9))
            values = {
                'header': kinds['std_msgs/msg/Header'](stamp=time, frame_id='camera'),
                'height': height,
                'width': width,
                'encoding': 'bgr8',
                'is_bigendian': 0,
                'step': 3 * width,
                'data': blue_image(index).reshape(-1),
                **others,
            }
            kind = kinds[TYPE]
            message = kind(
                **{name: values[name] for name in kind.__dataclass_fields__ if name in values}
            )
            writer.write(connection, stamp_of(index), store.serialize_cdr(message, TYPE))
    return path


def test_further_fields_of_images_are_read_past(tmp_path: Path) -> None:
    definition = f'{FIELDS}float64 exposure\nuint32 step\nuint8[] data\nstring note\n'
    bag = write_own_images(tmp_path / 'bag', definition, exposure=0.01, note='mine')
    np.testing.assert_array_equal(images_of(bag), EXPECTED)


def test_fields_of_other_names_in_the_same_places_are_those_of_ros(tmp_path: Path) -> None:
    definition = f'{FIELDS}uint32 row_bytes\nuint8[] data\n'
    bag = write_own_images(tmp_path / 'bag', definition, row_bytes=3 * SIZE[1])
    np.testing.assert_array_equal(images_of(bag), EXPECTED)


@pytest.mark.parametrize('rest', ['uint8[] data\n', 'float32 step\nuint8[] data\n'])
def test_images_without_the_usual_fields_are_refused_by_name(tmp_path: Path, rest: str) -> None:
    bag = write_own_images(tmp_path / 'bag', FIELDS + rest, step=3.0 * SIZE[1])
    with pytest.raises(ImageError, match=rf'{TYPE}.*\(step missing or of another type\)'):
        images_of(bag)
