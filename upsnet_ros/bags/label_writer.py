# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results as a rosbag2 that is played, or opened in Foxglove, beside its input."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.interfaces import (
    Connection,
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
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
OWN_TYPES = (
    'PanopticInstance',
    'PanopticInstanceArray',
    'PanopticClass',
    'PanopticClassInfo',
    'FrameTiming',
)
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
UNLIMITED = QosTime(sec=2147483647, nsec=4294967295)
QUEUE_DEPTH = 10


class ResultBag:
    """A bag of messages of the node's types, with all their definitions, as it is written.

    A bag that was closed is whole.

    Args:
        path: must not exist.

    Attributes:
        store: makes and serialises messages.

    Raises:
        EvaluationError: something lies there already.
    """

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise EvaluationError(f'{path} exists already; remove it, or write elsewhere')
        path.parent.mkdir(parents=True, exist_ok=True)
        self.store = result_typestore()
        # Version 8 is read by every distribution from Iron on.
        self._writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._connections: dict[str, Connection] = {}

    def __contains__(self, topic: str) -> bool:
        """Whether a topic was added."""
        return topic in self._connections

    def add_topic(self, topic: str, kind: str, *, is_latched: bool = False) -> None:
        """Add a topic; a player shall offer it as the node does."""
        offered = Qos(
            history=QosHistory.KEEP_LAST,
            depth=1 if is_latched else QUEUE_DEPTH,
            reliability=QosReliability.RELIABLE,
            durability=QosDurability.TRANSIENT_LOCAL if is_latched else QosDurability.VOLATILE,
            deadline=UNLIMITED,
            lifespan=UNLIMITED,
            liveliness=QosLiveliness.AUTOMATIC,
            liveliness_lease_duration=UNLIMITED,
            avoid_ros_namespace_conventions=False,
        )
        self._connections[topic] = self._writer.add_connection(
            topic, kind, typestore=self.store, offered_qos_profiles=[offered]
        )

    def write(self, topic: str, recorded_ns: int, data: bytes | memoryview) -> None:
        """Write a serialised message of a topic that was added, with its time of recording."""
        self._writer.write(self._connections[topic], recorded_ns, data)

    def close(self) -> None:
        """Finish the bag."""
        self._writer.close()


class LabelBag(AbstractContextManager['LabelBag']):
    """A bag with the topics of the node: `CAMERA/panoptic/image`, `instances` and `class_info`.

    The instances lie there a second time as `detections`, in the type of vision_msgs. Use it as a
    context manager; a bag that was closed is whole, also when its run was interrupted.

    Args:
        path: must not exist.
        label_set: the classes.
        model: name of the model.

    Raises:
        EvaluationError: something lies there already.
    """

    def __init__(self, path: Path, *, label_set: LabelSet, model: str) -> None:
        self._label_set = label_set
        self._model = model
        self._bag = ResultBag(path)
        self._types = self._bag.store.types

    def __exit__(self, *raised: object) -> None:
        """Finish the bag."""
        self._bag.close()

    def add(
        self,
        camera: str,
        result: PanopticResult,
        *,
        stamp_ns: int,
        recorded_ns: int,
        frame_id: str,
    ) -> None:
        """Write the labels of one image.

        Args:
            camera: name of the camera.
            result: labels and instances.
            stamp_ns: header stamp of the image [ns].
            recorded_ns: when the image was recorded [ns]; the labels get the same time.
            frame_id: coordinate frame of the image.
        """
        time = self._types['builtin_interfaces/msg/Time'](*divmod(stamp_ns, 10**9))
        header = self._types['std_msgs/msg/Header'](stamp=time, frame_id=frame_id)
        messages = {
            ('image', IMAGE): self._label_image(result.label_image, header),
            ('instances', INSTANCES): self._instances(result, header),
            ('detections', DETECTIONS): self._detections(result, header),
        }
        if f'/{camera}/panoptic/class_info' not in self._bag:
            messages = {('class_info', CLASS_INFO): self._class_info(header), **messages}
        for (name, kind), message in messages.items():
            topic = f'/{camera}/panoptic/{name}'
            if topic not in self._bag:
                self._bag.add_topic(topic, kind, is_latched=kind == CLASS_INFO)
            self._bag.write(topic, recorded_ns, self._bag.store.serialize_cdr(message, kind))

    def _label_image(self, labels: np.ndarray, header: Any) -> Any:
        """A label image, uint16 [H, W], as 16UC1."""
        height, width = labels.shape
        data = np.ascontiguousarray(labels.astype('<u2', copy=False)).view(np.uint8).reshape(-1)
        return self._types[IMAGE](header, height, width, '16UC1', 0, 2 * width, data)

    def _instances(self, result: PanopticResult, header: Any) -> Any:
        """All instances, the highest score first."""
        kind = self._types['upsnet_ros/msg/PanopticInstance']
        ordered = sorted(result.instances, key=lambda instance: -instance.score)
        instances = [
            kind(i.label, i.class_id, i.class_name, i.score, *map(float, i.box), i.area)
            for i in ordered
        ]
        return self._types[INSTANCES](header, instances, float(result.unknown_share))

    def _detections(self, result: PanopticResult, header: Any) -> Any:
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

    def _class_info(self, header: Any) -> Any:
        kind = self._types['upsnet_ros/msg/PanopticClass']
        classes = [
            kind(c.train_id, c.name, c.is_thing, np.array(c.colour, np.uint8))
            for c in self._label_set.classes
        ]
        return self._types[CLASS_INFO](
            header,
            self._label_set.name,
            self._model,
            classes,
            UNKNOWN_LABEL,
            VOID_CLASS,
            INSTANCE_BITS,
        )


def result_typestore() -> Typestore:
    """Definitions of all types that are written: those of ROS 2 Jazzy, and of the node.

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
