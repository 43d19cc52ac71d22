# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The instances and the class table once more as vision_msgs, where that package is installed.

Other nodes understand these types without knowing ours. `Detection2D.id` is the label value of the
panoptic image, in decimal, so that boxes and pixels can be joined; it is no track, since instances
are numbered anew in each image. Poses stay empty: a picture does not tell them. The semantic image
has 255 for pixels without a class, as vision_msgs has it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

from std_msgs.msg import Header

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.node.demand import publish_wanted
from upsnet_ros.node.qos import LATCHED_QOS


def vision_msgs_is_installed() -> bool:
    """True where the types can be imported."""
    return importlib.util.find_spec('vision_msgs') is not None


def detection_message(instance: Instance, header: Header) -> Any:
    """One instance as Detection2D; the box in pixels of the input image."""
    from vision_msgs.msg import Detection2D, ObjectHypothesisWithPose

    x_min, y_min, x_max, y_max = (float(value) for value in instance.box)
    hypothesis = ObjectHypothesisWithPose()
    hypothesis.hypothesis.class_id = str(instance.class_id)
    hypothesis.hypothesis.score = float(instance.score)
    detection = Detection2D(header=header, results=[hypothesis], id=str(instance.label))
    detection.bbox.center.position.x = (x_min + x_max) / 2
    detection.bbox.center.position.y = (y_min + y_max) / 2
    detection.bbox.size_x = x_max - x_min
    detection.bbox.size_y = y_max - y_min
    return detection


def label_info_message(label_set: LabelSet, header: Header, *, threshold: float) -> Any:
    """The class names by the values of the semantic image.

    Args:
        label_set: the classes.
        header: when the table was made.
        threshold: least score of an instance, 0 to 1.
    """
    from vision_msgs.msg import LabelInfo, VisionClass

    classes = [
        VisionClass(class_id=entry.train_id, class_name=entry.name) for entry in label_set.classes
    ]
    return LabelInfo(header=header, class_map=classes, threshold=float(threshold))


class VisionOutputs:
    """The vision_msgs publishers of one camera.

    Attributes:
        threshold: what the class table said last of the least score; None before the first.

    Args:
        create: makes a publisher of a type, a topic and, unless as other outputs, its quality of
            service.
        camera: prefix of the topics.
    """

    def __init__(self, create: Callable[..., Any], camera: str) -> None:
        from vision_msgs.msg import Detection2DArray, LabelInfo

        self.threshold: float | None = None
        self._array = Detection2DArray
        self._detections = create(Detection2DArray, f'{camera}/panoptic/detections')
        self._label_info = create(LabelInfo, f'{camera}/semantic/label_info', LATCHED_QOS)

    def publish_label_info(self, label_set: LabelSet, header: Header, threshold: float) -> None:
        """Publishes the class names with the least score that instances need now."""
        self.threshold = threshold
        self._label_info.publish(label_info_message(label_set, header, threshold=threshold))

    def publish_detections(self, result: PanopticResult, header: Header) -> None:
        """Publishes the instances of one image, when anyone listens."""

        def make() -> Any:
            detections = [detection_message(instance, header) for instance in result.instances]
            return self._array(header=header, detections=detections)

        publish_wanted(self._detections, True, make)
