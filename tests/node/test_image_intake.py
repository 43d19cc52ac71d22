# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images of changing kinds, sizes and views through the node over DDS."""

import sys
import threading
from array import array
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType

import cv2
import numpy as np
import pytest
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from tests.images.plain_messages import encoded, moving_square
from tests.node.fake_pipeline import CAR_LABEL, expected_labels
from tests.node.node_harness import (
    Collector,
    half_blue_image,
    image_message,
    labels_of,
    message_data,
    wait_until,
)
from tests.node.qos_rig import OFFERS
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.msg import PanopticInstanceArray
from upsnet_ros.node import parameters
from upsnet_ros.node.topics import TRANSPORTS


def as_encoding(image: np.ndarray, encoding: str, stamp: int) -> Image | CompressedImage:
    """A message of a picture; its rows are padded where the encoding is raw."""
    if encoding in ('jpeg', 'png'):
        data = cv2.imencode(f'.{encoding}', image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1]
        message = CompressedImage(format=encoding, data=message_data(data))
        message.header.stamp.sec = stamp
        return message
    values = {
        'bgr8': lambda: image,
        'rgb8': lambda: image[..., ::-1],
        'bgra8': lambda: cv2.cvtColor(image, cv2.COLOR_BGR2BGRA),
        'mono8': lambda: image[..., 0],
        'rgb16': lambda: image[..., ::-1].astype('<u2') * 257,
    }[encoding]()
    rows = np.ascontiguousarray(values).view(np.uint8).reshape(image.shape[0], -1)
    padded = np.pad(rows, ((0, 0), (0, 5 if encoding != 'rgb16' else 6)), constant_values=255)
    message = image_message(padded, encoding=encoding, stamp=stamp)
    message.width = image.shape[1]
    return message


def with_stray_bytes(message: CompressedImage) -> CompressedImage:
    """A JPEG with bytes of no segment between its first one and the next."""
    data = bytes(message.data)
    end = 4 + int.from_bytes(data[4:6], 'big')
    message.data = array('B', data[:end] + bytes(7) + data[end:])
    return message


def answer_to(publisher, labels: Collector, message) -> np.ndarray:
    """The label image of a message."""
    publisher.publish(message)
    stamp = message.header.stamp.sec
    seen = labels.wait_for(
        lambda seen: seen and seen[-1].header.stamp.sec == stamp, f'labels of frame {stamp}'
    )
    return labels_of(seen[-1])


def test_size_and_encoding_may_change_with_every_frame(start_node) -> None:
    harness = start_node(image_transport='raw', diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    publisher = harness.publisher(Image, 'camera/image_raw')
    kinds = [
        ('bgr8', (6, 8)),
        ('bgr8', (7, 5)),
        ('rgb8', (7, 5)),
        ('mono8', (1, 1)),
        ('rgb16', (31, 17)),
        ('bgra8', (31, 17)),
        ('bgr8', (6, 8)),
    ]
    for stamp, (encoding, size) in enumerate(kinds, start=1):
        image = half_blue_image(*size, columns=1)
        answer = answer_to(publisher, labels, as_encoding(image, encoding, stamp))
        np.testing.assert_array_equal(answer, expected_labels(image))
    known = {'encoding': 'bgr8', 'image_size': '8x6', 'rejected': '0'}
    diagnostics.status('camera camera', processed='7', **known)


def test_cameras_of_different_sizes_and_kinds_share_the_node(start_node) -> None:
    harness = start_node(camera_names=['wide', 'small', 'packed']).activate()
    sources = {
        'wide': ('bgr8', (9, 40), Image, 'image_raw'),
        'small': ('mono8', (3, 2), Image, 'image_raw'),
        'packed': ('png', (12, 11), CompressedImage, 'image_raw/compressed'),
    }
    labels = {name: harness.subscribe(Image, f'{name}/panoptic/image') for name in sources}
    publishers = {
        name: harness.publisher(kind, f'{name}/{topic}')
        for name, (_, _, kind, topic) in sources.items()
    }
    for stamp in (1, 2, 3):
        for name, (encoding, size, *_) in sources.items():
            image = half_blue_image(*size, columns=stamp)
            message = as_encoding(image, encoding, stamp)
            answer = answer_to(publishers[name], labels[name], message)
            np.testing.assert_array_equal(answer, expected_labels(image))


def test_a_jpeg_with_stray_bytes_between_its_segments_is_labelled(start_node) -> None:
    harness = start_node(diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    publisher = harness.publisher(CompressedImage, 'camera/image_raw/compressed')
    image = half_blue_image(32, 48)
    sound = answer_to(publisher, labels, as_encoding(image, 'jpeg', 1))
    assert len(np.unique(sound)) > 1
    stray = answer_to(publisher, labels, with_stray_bytes(as_encoding(image, 'jpeg', 2)))
    np.testing.assert_array_equal(stray, sound)
    diagnostics.status('camera camera', processed='2', rejected='0')


def test_an_image_above_the_limit_is_refused_until_the_limit_is_raised(start_node) -> None:
    harness = start_node(max_image_pixels=48, diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    raw = harness.publisher(Image, 'camera/image_raw')
    packed = harness.publisher(CompressedImage, 'camera/image_raw/compressed')
    large = half_blue_image(7, 7)
    for stamp, (publisher, encoding) in enumerate(((raw, 'bgr8'), (packed, 'png')), start=1):
        publisher.publish(as_encoding(large, encoding, stamp))
        message = diagnostics.status('camera camera', rejected=str(stamp)).message
        for text in ('7x7', '49 pixels', 'limit 48', 'max_image_pixels'):
            assert text in message
    assert harness.set_parameters(max_image_pixels=49).successful
    answer = answer_to(raw, labels, as_encoding(large, 'bgr8', 3))
    np.testing.assert_array_equal(answer, expected_labels(large))
    refused = harness.set_parameters(max_image_pixels=0)
    assert not refused.successful and 'max_image_pixels' in refused.reason


@pytest.mark.parametrize('offer', OFFERS)
def test_a_calibration_arrives_latched_or_not_without_a_word_about_quality_of_service(
    start_node, capfd, offer
) -> None:
    """A latched one also when it was published once, before the node was there."""
    harness = start_node()
    sender = harness.client.create_publisher(CameraInfo, 'camera/camera_info', OFFERS[offer])
    is_latched = offer == 'reliable_kept'
    if is_latched:
        sender.publish(CameraInfo(width=8, height=6))
    harness.activate()
    infos = harness.subscribe(CameraInfo, 'camera/panoptic/camera_info')
    if not is_latched:
        wait_until(lambda: sender.get_subscription_count() > 0, 'the subscription')
    known = harness.node.parts.processor.camera_infos

    def is_known() -> bool:
        if not is_latched:
            sender.publish(CameraInfo(width=8, height=6))
        return 'camera' in known

    wait_until(is_known, 'the calibration')
    raw = harness.publisher(Image, 'camera/image_raw')
    raw.publish(image_message(half_blue_image(), stamp=1))
    assert (infos.wait()[0].width, infos.wait()[0].height) == (8, 6)
    assert 'incompatible' not in capfd.readouterr().err.lower()


def video_packets(count: int, *, every: int = 8) -> list[CompressedImage]:
    """Packets of the moving square, with a key frame every so many; stamps from 1 on."""
    packets = []
    for index, data in enumerate(encoded([moving_square(i) for i in range(count)], every=every)):
        packets.append(CompressedImage(format='h264', data=array('B', data)))
        packets[-1].header.stamp.sec = index + 1
    return packets


def is_labelled(answer: np.ndarray, index: int) -> bool:
    return (answer == expected_labels(moving_square(index))).mean() > 0.97


def begin_video(harness, publisher, packet: CompressedImage) -> None:
    """Sends the first packet, for which the node subscribes anew, and waits until it has."""

    def subscription() -> list:
        told = harness.client.get_subscriptions_info_by_topic(publisher.topic_name)
        return [info.endpoint_gid for info in told]

    before = subscription()
    assert len(before) == 1
    publisher.publish(packet)
    wait_until(lambda: len(subscription()) == 1 and subscription() != before, 'a queue')
    wait_until(lambda: publisher.get_subscription_count() == 1, 'its connection')


def test_video_is_labelled_at_its_newest_packet_with_all_before_it_decoded(start_node) -> None:
    """Six packets come while the first is in work: one is labelled, and is not broken by that."""
    harness = start_node(diagnostics_period=0.05).activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    pipeline = harness.loader.pipeline
    pipeline.gate.clear()
    publisher = harness.publisher(CompressedImage, 'camera/image_raw/compressed')
    packets = video_packets(8)
    camera = harness.node.parts.cameras[0]
    begin_video(harness, publisher, packets[0])
    for number, packet in enumerate(packets[1:7], start=2):
        publisher.publish(packet)
        wait_until(lambda n=number: camera.snapshot().received == n, f'packet {number}')
    pipeline.gate.set()
    seen = labels.wait_for(lambda seen: seen and seen[-1].header.stamp.sec == 7, 'the newest')
    assert [message.header.stamp.sec for message in seen] == [1, 7]
    assert is_labelled(labels_of(seen[0]), 0) and is_labelled(labels_of(seen[1]), 6)
    assert not is_labelled(labels_of(seen[1]), 0)
    snapshot = camera.snapshot()
    assert (snapshot.processed, snapshot.dropped, snapshot.rejected) == (2, 5, 0)


def test_broken_video_is_counted_and_costs_no_other_camera(start_node) -> None:
    harness = start_node(camera_names=['film', 'other'], diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    labels = harness.subscribe(Image, 'film/panoptic/image')
    others = harness.subscribe(Image, 'other/panoptic/image')
    sender = harness.publisher(CompressedImage, 'film/image_raw/compressed')
    raw = harness.publisher(Image, 'other/image_raw')
    camera = harness.node.parts.cameras[0]
    packets = video_packets(18)
    packets[11].data = array('B', b'rubbish' * 9)
    begin_video(harness, sender, packets[2])
    for number, packet in enumerate(packets[2:], start=1):
        if number > 1:
            sender.publish(packet)
        wait_until(lambda n=number: camera.snapshot().received == n, f'packet {number}')
        wait_until(lambda: not camera.snapshot().waiting, 'its turn')
        image = half_blue_image(columns=1 + number % 4)
        answer = answer_to(raw, others, image_message(image, stamp=number))
        np.testing.assert_array_equal(answer, expected_labels(image))
        if number == 5:
            status = diagnostics.status('camera film', state='rejected', rejected='5')
            assert 'joined in its middle' in status.message and 'key frame' in status.message
    # Six before the first key frame, and from the rubbish to the next key frame.
    seen = labels.wait_for(lambda seen: seen and seen[-1].header.stamp.sec == 18, 'the last')
    assert [m.header.stamp.sec for m in seen] == [9, 10, 11, 17, 18]
    assert all(is_labelled(labels_of(m), m.header.stamp.sec - 1) for m in seen)
    snapshot = camera.snapshot()
    assert (snapshot.processed, snapshot.rejected, snapshot.dropped) == (5, 11, 0)


def test_video_is_not_shown_behind_packets_that_were_forgotten(start_node) -> None:
    """Sixteen of them, after which the numbers of pictures are the same again."""
    harness = start_node().activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    parts, pipeline = harness.node.parts, harness.loader.pipeline
    camera = parts.cameras[0]
    packets = video_packets(24, every=20)
    pipeline.gate.clear()

    def send(index: int) -> None:
        assert camera.offer(packets[index])
        parts.worker.notify()

    send(0)
    assert pipeline.started.acquire(timeout=30)
    for index in range(1, 17):
        send(index)
    camera.begin_anew()  # the clock was set back
    pipeline.gate.set()
    for index in range(17, 24):
        send(index)
        wait_until(lambda: not camera.snapshot().waiting, 'its turn')
    seen = labels.wait_for(lambda seen: seen and seen[-1].header.stamp.sec == 24, 'the last')
    assert [m.header.stamp.sec for m in seen] == [1, 21, 22, 23, 24]
    assert all(is_labelled(labels_of(m), m.header.stamp.sec - 1) for m in seen)
    assert camera.snapshot().rejected == 3


def test_no_packet_of_video_is_lost_while_the_executor_is_busy(start_node) -> None:
    harness = start_node().activate()
    publisher = harness.publisher(CompressedImage, 'camera/image_raw/compressed')
    camera = harness.node.parts.cameras[0]
    packets = video_packets(24)
    begin_video(harness, publisher, packets[0])
    is_held, goes_on = threading.Event(), threading.Event()

    def hold() -> None:
        is_held.set()
        assert goes_on.wait(30)

    guard = harness.node.create_guard_condition(hold)
    guard.trigger()
    assert is_held.wait(30)
    for packet in packets[1:]:
        publisher.publish(packet)
    goes_on.set()
    wait_until(lambda: camera.snapshot().received == 24, 'all packets')
    harness.node.destroy_guard_condition(guard)


@pytest.mark.parametrize('transport', ['ffmpeg', 'foxglove'])
def test_video_in_messages_of_its_own_is_read_where_their_package_is_installed(
    start_node, monkeypatch, transport: str
) -> None:
    """CompressedImage takes the place of a type that there is no wheel of."""
    topic = TRANSPORTS[transport][0]
    package, module = ModuleType(topic.package), ModuleType(f'{topic.package}.msg')
    package.__spec__ = ModuleSpec(topic.package, None)
    setattr(module, topic.kind.partition('/')[2], CompressedImage)
    monkeypatch.setitem(sys.modules, topic.package, package)
    monkeypatch.setitem(sys.modules, f'{topic.package}.msg', module)
    with monkeypatch.context() as patch:
        patch.setattr(parameters, 'pyav', lambda: None)
        with pytest.raises(ParameterError, match=f'{transport}.* pip install av'):
            start_node(image_transport=transport)
    harness = start_node(image_transport=transport).activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    publisher = harness.publisher(CompressedImage, f'camera/image_raw/{transport}')
    for index, packet in enumerate(video_packets(3)):
        assert is_labelled(answer_to(publisher, labels, packet), index)


@dataclass
class CompressedVideo:
    """foxglove_msgs/CompressedVideo, of which there is no wheel: it has no header."""

    timestamp: Time
    frame_id: str
    data: array
    format: str


def test_video_without_a_header_is_answered_with_its_stamp_and_frame(start_node) -> None:
    harness = start_node().activate()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    parts = harness.node.parts
    for index, packet in enumerate(video_packets(3)):
        message = CompressedVideo(Time(sec=index + 5), 'optical', packet.data, 'h264')
        assert parts.cameras[0].offer(message)
        parts.worker.notify()
        answer = labels.wait(index + 1)[-1]
        assert (answer.header.stamp.sec, answer.header.frame_id) == (index + 5, 'optical')
        assert is_labelled(labels_of(answer), index)


def test_a_region_and_a_rotation_are_undone_in_every_output(start_node) -> None:
    """The camera hangs upside down; its lowest two rows and last column show the car itself."""
    harness = start_node(
        camera_names=['front', 'rear'], regions_of_interest=['', '0,0,7,4'], rotations=[0, 180]
    ).activate()
    labels = harness.subscribe(Image, 'rear/panoptic/image')
    instances = harness.subscribe(PanopticInstanceArray, 'rear/panoptic/instances')
    infos = harness.subscribe(CameraInfo, 'rear/panoptic/camera_info')
    overlays = harness.subscribe(Image, 'rear/overlay/image')
    info = CameraInfo(width=8, height=6)
    info.k[2] = 3.5
    harness.publisher(CameraInfo, 'rear/camera_info').publish(info)
    wait_until(lambda: harness.node.parts.processor.camera_infos, 'camera info')
    image = half_blue_image(6, 8, columns=2)
    answer = answer_to(harness.publisher(Image, 'rear/image_raw'), labels, image_message(image))
    (seen,) = harness.loader.pipeline.images
    np.testing.assert_array_equal(seen, np.rot90(image[:4, :7], 2))
    expected = expected_labels(image)
    expected[4:] = expected[:, 7:] = 65535
    np.testing.assert_array_equal(answer, expected)
    (message,) = instances.wait()
    (car,) = message.instances
    # The pipeline answers 1, 2, 3, 4 in a view of 7x4 pixels.
    assert (car.x_min, car.y_min, car.x_max, car.y_max) == (3.0, -1.0, 5.0, 1.0)
    assert car.area == (expected == CAR_LABEL).sum()
    assert (infos.wait()[0].width, infos.messages[0].k[2]) == (8, 3.5)
    assert (overlays.wait()[0].width, overlays.messages[0].height) == (8, 6)

    labels = harness.subscribe(Image, 'front/panoptic/image')
    answer = answer_to(harness.publisher(Image, 'front/image_raw'), labels, image_message(image))
    np.testing.assert_array_equal(answer, expected_labels(image))


def test_an_image_that_the_region_does_not_fit_is_refused_with_both(start_node) -> None:
    harness = start_node(regions_of_interest=['0,2,8,5'], diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    publisher = harness.publisher(Image, 'camera/image_raw')
    publisher.publish(image_message(half_blue_image(6, 8), stamp=1))
    message = diagnostics.status('camera camera', state='rejected').message
    for text in ('8x6', '0,2,8,5', 'regions_of_interest'):
        assert text in message
    image = half_blue_image(7, 8)
    answer = answer_to(publisher, labels, image_message(image, stamp=2))
    assert (answer[:2] == 65535).all()
    np.testing.assert_array_equal(answer[2:], expected_labels(image)[2:])


def test_views_change_only_while_unconfigured_and_as_a_whole(start_node) -> None:
    harness = start_node()
    # Two rotations need two cameras: neither list is accepted without the other.
    assert not harness.set_parameters(rotations=[0, 90]).successful
    assert harness.set_parameters(rotations=[0, 90], camera_names=['a', 'b']).successful
    harness.activate()
    refused = harness.set_parameters(rotations=[90, 90])
    assert not refused.successful and 'unconfigured' in refused.reason
    assert harness.set_parameters(rotations=[0, 90], overlay_alpha=0.1).successful
