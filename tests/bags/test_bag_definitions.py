# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bags of every distribution, storage and packing give the same labels; other images are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from tests.evaluation.blue_drive import SIZE, blue_image, png_row, raw_row
from tests.evaluation.replay_bags import write_rows
from tests.evaluation.small_drive import stamp_of
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.label_files import label_path
from upsnet_ros.evaluation.offline import OfflineOptions, evaluate_offline
from upsnet_ros.pipeline import PanopticPipeline

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


@pytest.fixture(scope='module')
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PanopticPipeline]:
    path = write_tiny_model(tmp_path_factory.mktemp('model'))
    with PanopticPipeline.load(path, num_threads=1) as loaded:
        yield loaded


def labels_of(bag: Path, output: Path, pipeline: PanopticPipeline, camera: str) -> np.ndarray:
    """The labels of all frames, uint16 [N, H, W]."""
    asked = OfflineOptions(bag=bag, model=Path('m.onnx'), output=output, write_png=True)
    report = evaluate_offline(asked, pipeline, lambda done, total: None)
    assert report.total.decoded == FRAMES and report.bag.problems == ()
    paths = [label_path(output, camera, stamp_of(index)) for index in range(FRAMES)]
    return np.stack([cv2.imread(str(path), cv2.IMREAD_UNCHANGED) for path in paths])


@pytest.mark.parametrize('distribution', DISTRIBUTIONS)
@pytest.mark.parametrize('row', [png_row, raw_row], ids=['compressed images', 'raw images'])
@pytest.mark.parametrize(
    ('storage', 'compression'),
    [
        ('mcap', 'none'),
        ('mcap', 'message'),
        ('mcap', 'file'),
        ('sqlite3', 'none'),
        ('sqlite3', 'message'),
        ('sqlite3', 'file'),
    ],
)
def test_bags_of_every_distribution_give_the_same_labels(
    tmp_path: Path,
    pipeline: PanopticPipeline,
    distribution: Stores,
    row,
    storage: str,
    compression: str,
) -> None:
    bag = write_rows(
        tmp_path / 'bag',
        [row(index) for index in range(FRAMES)],
        storage=storage,
        compression=compression,
        distribution=distribution,
    )
    labels = labels_of(bag, tmp_path / 'out', pipeline, 'camera')
    expected = [pipeline.process(blue_image(i)).panoptic.label_image for i in range(FRAMES)]
    np.testing.assert_array_equal(labels, expected)


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


def test_further_fields_of_images_are_read_past(
    tmp_path: Path, pipeline: PanopticPipeline
) -> None:
    definition = f'{FIELDS}float64 exposure\nuint32 step\nuint8[] data\nstring note\n'
    bag = write_own_images(tmp_path / 'bag', definition, exposure=0.01, note='mine')
    labels = labels_of(bag, tmp_path / 'out', pipeline, 'camera')
    expected = [pipeline.process(blue_image(i)).panoptic.label_image for i in range(FRAMES)]
    np.testing.assert_array_equal(labels, expected)


def test_fields_of_other_names_in_the_same_places_are_those_of_ros(
    tmp_path: Path, pipeline: PanopticPipeline
) -> None:
    definition = f'{FIELDS}uint32 row_bytes\nuint8[] data\n'
    bag = write_own_images(tmp_path / 'bag', definition, row_bytes=3 * SIZE[1])
    labels = labels_of(bag, tmp_path / 'out', pipeline, 'camera')
    assert len(np.unique(labels)) > 2


@pytest.mark.parametrize(
    ('rest', 'told'),
    [('uint8[] data\n', r'\(step missing'), ('float32 step\nuint8[] data\n', r'\(step missing')],
)
def test_images_without_the_usual_fields_are_refused_by_name(
    tmp_path: Path, pipeline: PanopticPipeline, rest: str, told: str
) -> None:
    bag = write_own_images(tmp_path / 'bag', FIELDS + rest, step=3.0 * SIZE[1])
    with pytest.raises(EvaluationError, match=f'none of 2 images .*{TYPE}.*{told}'):
        labels_of(bag, tmp_path / 'out', pipeline, 'camera')
