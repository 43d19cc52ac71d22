# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Labels of a replay as a rosbag2 that is played, or opened in Foxglove, beside its input."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any

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

from upsnet_ros.bags.label_messages import (
    CLASS_INFO,
    DETECTIONS,
    IMAGE,
    INSTANCES,
    LabelMessages,
    label_typestore,
)
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.structures import PanopticResult

UNLIMITED = QosTime(sec=2147483647, nsec=4294967295)


class LabelBag:
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
        if path.exists():
            raise EvaluationError(f'{path} exists already; give another --write-bag, or remove it')
        path.parent.mkdir(parents=True, exist_ok=True)
        self._label_set = label_set
        self._model = model
        self._store = label_typestore()
        self._messages = LabelMessages(self._store)
        # Version 8 is read by every distribution from Iron on.
        self._writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
        self._writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._writer.open()
        self._connections: dict[str, Connection] = {}

    def __enter__(self) -> LabelBag:
        """Nothing to prepare."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Finish the bag."""
        self._writer.close()

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
        prefix = f'/{camera}/panoptic'
        header = self._messages.header(stamp_ns, frame_id)
        if f'{prefix}/class_info' not in self._connections:
            info = self._messages.class_info(self._label_set, self._model, header)
            self._write(f'{prefix}/class_info', CLASS_INFO, recorded_ns, info)
        labels = self._messages.label_image(result.label_image, header)
        self._write(f'{prefix}/image', IMAGE, recorded_ns, labels)
        instances = self._messages.instances(result, header)
        self._write(f'{prefix}/instances', INSTANCES, recorded_ns, instances)
        detections = self._messages.detections(result, header)
        self._write(f'{prefix}/detections', DETECTIONS, recorded_ns, detections)

    def _write(self, topic: str, kind: str, recorded_ns: int, message: Any) -> None:
        if topic not in self._connections:
            self._connections[topic] = self._writer.add_connection(
                topic,
                kind,
                typestore=self._store,
                offered_qos_profiles=[_offered_qos(is_latched=kind == CLASS_INFO)],
            )
        data = self._store.serialize_cdr(message, kind)
        self._writer.write(self._connections[topic], recorded_ns, data)


def _offered_qos(*, is_latched: bool) -> Qos:
    """What a player shall offer: as the node does."""
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=1 if is_latched else 10,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if is_latched else QosDurability.VOLATILE,
        deadline=UNLIMITED,
        lifespan=UNLIMITED,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=UNLIMITED,
        avoid_ros_namespace_conventions=False,
    )
