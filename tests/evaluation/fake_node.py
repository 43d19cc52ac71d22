# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Stands in for the perception node: answers every image with labels known beforehand.

Takes the parameters that the replay gives to the real node. The labels are those of the small
drive: the car is found by its colour, so a picture from the wrong time would be scored as wrong.
"""

import array
import sys

import cv2
import numpy as np
import rclpy
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import CompressedImage, Image

from upsnet_ros.msg import PanopticClassInfo


def label_image(image: np.ndarray) -> np.ndarray:
    """Labels of a drive image: road, sky and one car by colour."""
    blue, red = image[..., 0].astype(int), image[..., 2].astype(int)
    label = np.full(image.shape[:2], 0, np.uint16)
    label[blue > 190] = 10 << 8
    label[(blue - red > 70) & (blue < 190)] = (13 << 8) + 1
    return label


def main() -> None:
    """Serve until interrupted."""
    rclpy.init()
    node = rclpy.create_node('perception_node')
    node.declare_parameter('model_path', '')
    node.declare_parameter('camera_names', ['camera'])
    camera = node.get_parameter('camera_names').value[0]
    if 'broken' in node.get_parameter('model_path').value:
        print('the model file is broken: expected something else', file=sys.stderr, flush=True)
        sys.exit(3)
    labels = node.create_publisher(Image, f'{camera}/panoptic/image', 10)
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    info = node.create_publisher(PanopticClassInfo, f'{camera}/panoptic/class_info', latched)

    def answer(message: CompressedImage) -> None:
        image = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        label = label_image(image)
        reply = Image(header=message.header, encoding='16UC1')
        reply.height, reply.width = label.shape
        reply.step = 2 * reply.width
        data = array.array('B')
        data.frombytes(label.tobytes())
        reply.data = data
        labels.publish(reply)

    node.create_subscription(CompressedImage, f'{camera}/image_raw/compressed', answer, 1)
    info.publish(PanopticClassInfo(label_set='cityscapes', model='fake'))
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, rclpy.executors.ExternalShutdownException):
        pass


if __name__ == '__main__':
    main()
