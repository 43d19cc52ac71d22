# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The offline evaluation gives the label images that the node publishes for the same bag."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import CompressedImage, Image

from tests.bags.blue_drive import IMAGE_TYPE, png_row, raw_row
from tests.bags.small_drive import Row, T, header, stamp_of, write_rows
from tests.fakes.tiny_model import write_tiny_model
from tests.node.node_harness import NodeHarness, message_data
from upsnet_ros.evaluation.replay import main
from upsnet_ros.msg import PanopticInstanceArray
from upsnet_ros.pipeline import PanopticPipeline

CAMERAS = ('front', 'rear')
FRAMES = 3


def send(harness: NodeHarness, row: Row) -> None:
    """Publish the image of a row as the node's own message."""
    topic, kind, _, message = row
    fields = {
        name: getattr(message, name)
        for name in ('height', 'width', 'encoding', 'step', 'format')
        if hasattr(message, name)
    }
    sent_type = CompressedImage if kind.endswith('CompressedImage') else Image
    sent = sent_type(**fields, data=message_data(message.data))
    sent.header.stamp.sec = message.header.stamp.sec
    sent.header.stamp.nanosec = message.header.stamp.nanosec
    harness.publisher(sent_type, topic.strip('/')).publish(sent)


def stamp_of_header(header) -> int:
    return header.stamp.sec * 10**9 + header.stamp.nanosec


def boxes_of(message) -> list[tuple[float, ...]]:
    return [
        (i.label, i.area, i.x_min, i.y_min, i.x_max, i.y_max, i.score) for i in message.instances
    ]


def labels_of_node(
    start_node, model: Path, rows: list[Row], **parameters
) -> dict[tuple[str, int], tuple[np.ndarray, list]]:
    """(label image, boxes) by camera and stamp, over DDS."""
    harness = start_node(
        loader=PanopticPipeline.load,
        model_path=str(model),
        camera_names=list(CAMERAS),
        process_all=True,
        **parameters,
    ).activate()
    images = {c: harness.subscribe(Image, f'{c}/panoptic/image') for c in CAMERAS}
    lists = {
        c: harness.subscribe(PanopticInstanceArray, f'{c}/panoptic/instances') for c in CAMERAS
    }
    for row in rows:
        send(harness, row)
    found = {}
    for camera in CAMERAS:
        pairs = zip(images[camera].wait(FRAMES), lists[camera].wait(FRAMES), strict=True)
        for image, instances in pairs:
            labels = np.frombuffer(image.data, '<u2').reshape(image.height, image.width)
            found[camera, stamp_of_header(image.header)] = labels, boxes_of(instances)
    return found


def labels_of_bag(path: Path) -> dict[tuple[str, int], tuple[np.ndarray, list]]:
    """The same of the bag that an evaluation wrote."""
    labels, boxes = {}, {}
    with AnyReader([path]) as reader:
        for connection, _, data in reader.messages():
            camera, _, output = connection.topic.strip('/').split('/')
            message = reader.deserialize(data, connection.msgtype)
            name = camera, stamp_of_header(message.header)
            if output == 'image':
                flat = np.frombuffer(message.data, '<u2')
                labels[name] = flat.reshape(message.height, message.width)
            elif output == 'instances':
                boxes[name] = boxes_of(message)
    return {name: (labels[name], boxes[name]) for name in labels}


@pytest.mark.parametrize(
    ('regions', 'rotations', 'arguments'),
    [
        ([''], [0], []),
        (['4,4,90,58'], [0], ['--regions-of-interest', '4,4,90,58']),
        (['0,8,96,40'], [180], ['--regions-of-interest', '0,8,96,40', '--rotations', '180']),
        (
            ['', '16,4,60,50'],
            [90, 270],
            ['--regions-of-interest', 'rear=16,4,60,50', '--rotations', '90']
            + ['--rotations', 'rear=270'],
        ),
    ],
)
def test_the_evaluation_gives_the_labels_of_the_node(
    start_node, tmp_path: Path, regions, rotations, arguments
) -> None:
    model = write_tiny_model(tmp_path)
    rows = [
        row(index, camera=camera)
        for index in range(FRAMES)
        for camera, row in zip(CAMERAS, (png_row, raw_row), strict=True)
    ]
    bag = write_rows(tmp_path / 'bag', rows)
    words = [str(bag), '--model', str(model), '--output', str(tmp_path / 'out'), '--threads', '1']
    assert main([*words, '--write-bag', str(tmp_path / 'labels'), *arguments]) == 0
    offline = labels_of_bag(tmp_path / 'labels')
    assert set(offline) == {(c, stamp_of(i)) for c in CAMERAS for i in range(FRAMES)}
    online = labels_of_node(
        start_node, model, rows, regions_of_interest=regions, rotations=rotations
    )
    assert set(online) == set(offline)
    for name, (labels, boxes) in online.items():
        np.testing.assert_array_equal(labels, offline[name][0])
        assert len(np.unique(labels)) > 2
        assert boxes == offline[name][1]
    has_instances = any(boxes for _, boxes in online.values())
    assert has_instances == (180 not in rotations)  # the car hangs where the model sees none


def large_jpeg_row(index: int, *, camera: str) -> Row:
    """A JPEG of four times the model's input, so fine that each way to shrink it is another."""
    image = np.random.default_rng(index).integers(0, 19, (256, 384, 3), dtype=np.uint8)
    data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].ravel()
    message = T[IMAGE_TYPE](header(stamp_of(index)), 'jpeg', data)
    return f'/{camera}/image_raw/compressed', IMAGE_TYPE, stamp_of(index), message


def test_both_decode_a_jpeg_no_larger_than_the_network_needs(start_node, tmp_path: Path) -> None:
    model = write_tiny_model(tmp_path)
    rows = [large_jpeg_row(index, camera=camera) for index in range(FRAMES) for camera in CAMERAS]
    bag = write_rows(tmp_path / 'bag', rows)
    offline = {}
    for name, arguments in {'all': [], 'reduced': ['--reduce-jpeg']}.items():
        words = [str(bag), '--model', str(model), '--output', str(tmp_path / name)]
        words += ['--rotations', 'rear=90', '--write-bag', str(tmp_path / name / 'labels')]
        assert main([*words, *arguments]) == 0
        offline[name] = labels_of_bag(tmp_path / name / 'labels')
    online = labels_of_node(start_node, model, rows, rotations=[0, 90], reduce_jpeg=True)
    assert set(online) == set(offline['reduced']) == set(offline['all'])
    for name, (labels, boxes) in online.items():
        assert labels.shape == (256, 384)
        np.testing.assert_array_equal(labels, offline['reduced'][name][0])
        assert (labels != offline['all'][name][0]).mean() > 0.1
        assert boxes == offline['reduced'][name][1]
