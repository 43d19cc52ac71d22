# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels and instances as the messages that the node publishes, made without ROS."""

from __future__ import annotations

from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, VOID_CLASS, LabelSet
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.installed_files import find_installed

IMAGE = 'sensor_msgs/msg/Image'
INSTANCES = 'upsnet_ros/msg/PanopticInstanceArray'
CLASS_INFO = 'upsnet_ros/msg/PanopticClassInfo'
DETECTIONS = 'vision_msgs/msg/Detection2DArray'
OWN_TYPES = ('PanopticInstance', 'PanopticInstanceArray', 'PanopticClass', 'PanopticClassInfo')
# The fields of vision_msgs from ROS 2 Humble on.
VISION_TYPES = {
    'Point2D': 'float64 x\nfloat64 y\n',
    'Pose2D': 'vision_msgs/Point2D position\nfloat64 theta\n',
    'BoundingBox2D': 'vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y\n',
    'ObjectHypothesis': 'string class_id\nfloat64 score\n',
    'ObjectHypothesisWithPose': (
        'vision_msgs/ObjectHypothesis hypothesis\ngeometry_msgs/PoseWithCovariance pose\n'
    ),
    'Detection2D': (
        'std_msgs/Header header\nvision_msgs/ObjectHypothesisWithPose[] results\n'
        'vision_msgs/BoundingBox2D bbox\nstring id\n'
    ),
    'Detection2DArray': 'std_msgs/Header header\nvision_msgs/Detection2D[] detections\n',
}


def label_typestore() -> Typestore:
    """Definitions of all types that are written.

    Raises:
        EvaluationError: the package's own definitions are not installed.
    """
    store = get_typestore(Stores.ROS2_JAZZY)
    definitions = {}
    for name in OWN_TYPES:
        path = find_installed(f'msg/{name}.msg')
        if path is None:
            raise EvaluationError(
                f'msg/{name}.msg of this package was not found; install the package completely, '
                'or source the workspace in which it was built'
            )
        definitions.update(get_types_from_msg(path.read_text(), f'upsnet_ros/msg/{name}'))
    for name, text in VISION_TYPES.items():
        definitions.update(get_types_from_msg(text, f'vision_msgs/msg/{name}'))
    store.register(definitions)
    return store


class LabelMessages:
    """Makes messages of the types of a store."""

    def __init__(self, store: Typestore) -> None:
        self._store = store
        self._types = store.types

    def header(self, stamp_ns: int, frame_id: str) -> Any:
        """A header with the stamp [ns] and the coordinate frame of an image."""
        time = self._types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10**9))
        return self._types['std_msgs/msg/Header'](stamp=time, frame_id=frame_id)

    def label_image(self, labels: np.ndarray, header: Any) -> Any:
        """A label image, uint16 [H, W], as 16UC1."""
        height, width = labels.shape
        data = np.ascontiguousarray(labels.astype('<u2', copy=False)).view(np.uint8).reshape(-1)
        return self._types[IMAGE](header, height, width, '16UC1', 0, 2 * width, data)

    def instances(self, result: PanopticResult, header: Any) -> Any:
        """All instances, the highest score first."""
        kind = self._types['upsnet_ros/msg/PanopticInstance']
        ordered = sorted(result.instances, key=lambda instance: -instance.score)
        instances = [
            kind(i.label, i.class_id, i.class_name, i.score, *map(float, i.box), i.area)
            for i in ordered
        ]
        return self._types[INSTANCES](header, instances, float(result.unknown_share))

    def detections(self, result: PanopticResult, header: Any) -> Any:
        """The boxes for tools that know vision_msgs; `id` is the value in the label image."""
        detections = [self._detection(instance, header) for instance in result.instances]
        return self._types[DETECTIONS](header, detections)

    def _detection(self, instance: Instance, header: Any) -> Any:
        vision = {name: self._types[f'vision_msgs/msg/{name}'] for name in VISION_TYPES}
        x_min, y_min, x_max, y_max = (float(value) for value in instance.box)
        position = vision['Point2D']((x_min + x_max) / 2, (y_min + y_max) / 2)
        box = vision['BoundingBox2D'](
            vision['Pose2D'](position, 0.0), x_max - x_min, y_max - y_min
        )
        hypothesis = vision['ObjectHypothesis'](str(instance.class_id), float(instance.score))
        result = vision['ObjectHypothesisWithPose'](hypothesis, self._no_pose())
        return vision['Detection2D'](header, [result], box, str(instance.label))

    def _no_pose(self) -> Any:
        geometry = {
            name: self._types[f'geometry_msgs/msg/{name}']
            for name in ('Point', 'Quaternion', 'Pose', 'PoseWithCovariance')
        }
        pose = geometry['Pose'](
            geometry['Point'](0.0, 0.0, 0.0), geometry['Quaternion'](0.0, 0.0, 0.0, 1.0)
        )
        return geometry['PoseWithCovariance'](pose, np.zeros(36))

    def class_info(self, label_set: LabelSet, model: str, header: Any) -> Any:
        """The class table of a model."""
        kind = self._types['upsnet_ros/msg/PanopticClass']
        classes = [
            kind(c.train_id, c.name, c.is_thing, np.array(c.colour, np.uint8))
            for c in label_set.classes
        ]
        return self._types[CLASS_INFO](
            header, label_set.name, model, classes, UNKNOWN_LABEL, VOID_CLASS, INSTANCE_BITS
        )
