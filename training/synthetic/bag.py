# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Writes a drive as a rosbag2 (MCAP) with camera images, calibration and ground truth."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from .camera import HORIZON
from .render import Frame

FRAME_ID = 'camera_optical_frame'
START_NS = 1_700_000_000_000_000_000  # stamp of the first frame; fixed, so equal seeds agree
JPEG_QUALITY = 95
COMPRESSED_TOPIC = '/camera/image_raw/compressed'
RAW_TOPIC = '/camera/image_raw'
INFO_TOPIC = '/camera/camera_info'
TRUTH_TOPIC = '/camera/ground_truth/panoptic/image'


class _Messages:
    """Builds the messages of a frame."""

    def __init__(self) -> None:
        self.store = get_typestore(Stores.ROS2_JAZZY)
        self._types = self.store.types

    def header(self, stamp_ns: int) -> Any:
        """Stamp and optical frame."""
        time = self._types['builtin_interfaces/msg/Time'](
            sec=stamp_ns // 10**9, nanosec=stamp_ns % 10**9
        )
        return self._types['std_msgs/msg/Header'](stamp=time, frame_id=FRAME_ID)

    def compressed(self, image: np.ndarray, stamp_ns: int) -> Any:
        """A JPEG image message."""
        data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        return self._types['sensor_msgs/msg/CompressedImage'](
            header=self.header(stamp_ns), format='bgr8; jpeg compressed bgr8', data=data.ravel()
        )

    def image(self, picture: np.ndarray, encoding: str, stamp_ns: int) -> Any:
        """An uncompressed image message, little endian."""
        height, width = picture.shape[:2]
        data = np.frombuffer(np.ascontiguousarray(picture).tobytes(), np.uint8)
        return self._types['sensor_msgs/msg/Image'](
            header=self.header(stamp_ns),
            height=height,
            width=width,
            encoding=encoding,
            is_bigendian=0,
            step=len(data) // height,
            data=data,
        )

    def info(self, frame: Frame, stamp_ns: int) -> Any:
        """The pinhole calibration; no distortion."""
        camera = frame.camera
        level = HORIZON * camera.height
        matrix = np.array([camera.focal, 0, camera.centre_u, 0, camera.focal, level, 0, 0, 1.0])
        projection = np.array(
            [camera.focal, 0, camera.centre_u, 0, 0, camera.focal, level, 0, 0, 0, 1.0, 0]
        )
        region = self._types['sensor_msgs/msg/RegionOfInterest'](
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        )
        return self._types['sensor_msgs/msg/CameraInfo'](
            header=self.header(stamp_ns),
            height=camera.height,
            width=camera.width,
            distortion_model='plumb_bob',
            d=np.zeros(5),
            k=matrix,
            r=np.eye(3).ravel(),
            p=projection,
            binning_x=0,
            binning_y=0,
            roi=region,
        )


def write_bag(path: Path, frames: Iterable[Frame], *, raw: bool) -> int:
    """Writes a drive.

    Args:
        path: the bag's folder; must not exist yet.
        frames: in the order of their times.
        raw: uncompressed bgr8 images instead of JPEG.

    Returns:
        How many frames were written.

    Raises:
        rosbags.rosbag2.WriterError: the folder exists already.
    """
    messages = _Messages()
    count = 0
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        kind = 'sensor_msgs/msg/Image' if raw else 'sensor_msgs/msg/CompressedImage'
        image_topic = RAW_TOPIC if raw else COMPRESSED_TOPIC
        topics = {
            image_topic: kind,
            INFO_TOPIC: 'sensor_msgs/msg/CameraInfo',
            TRUTH_TOPIC: 'sensor_msgs/msg/Image',
        }
        links = {
            topic: writer.add_connection(topic, name, typestore=messages.store)
            for topic, name in topics.items()
        }
        for frame in frames:
            stamp = START_NS + round(frame.time * 1e9)
            picture = (
                messages.image(frame.image, 'bgr8', stamp)
                if raw
                else messages.compressed(frame.image, stamp)
            )
            truth = messages.image(frame.label.astype('<u2'), '16UC1', stamp)
            info = messages.info(frame, stamp)
            for topic, message in (
                (image_topic, picture),
                (INFO_TOPIC, info),
                (TRUTH_TOPIC, truth),
            ):
                data = messages.store.serialize_cdr(message, topics[topic])
                writer.write(links[topic], stamp, data)
            count += 1
    return count
