# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makers of messages: from what was computed of one image, with the header of that image.

`topics` says which of them makes what. The types of vision_msgs are imported where they are used,
since that package need not be installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    UNKNOWN_LABEL,
    VOID_CLASS,
    LabelSet,
    class_image,
)
from upsnet_ros.core.overlay import draw_overlay
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.msg import (
    FrameTiming,
    PanopticClass,
    PanopticClassInfo,
    PanopticInstance,
    PanopticInstanceArray,
)


@dataclass(frozen=True)
class LabelledImage:
    """An image and what was computed of it.

    Attributes:
        header: of the image's message.
        image_bgr: BGR uint8 [H, W, 3], smaller than the camera's where it was decoded so.
        result: the panoptic result, of the camera's size.
        label_set: the classes of the model.
        camera_info: the calibration of images of this size; None where there is none.
        overlay_alpha: opacity of the colours in the overlay, 0 to 1.
        overlay_scale: size of the overlay as a share of the image's, above 0 to 1.
    """

    header: Header
    image_bgr: np.ndarray
    result: PanopticResult
    label_set: LabelSet
    camera_info: CameraInfo | None
    overlay_alpha: float
    overlay_scale: float

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the camera's image."""
        height, width = self.result.label_image.shape
        return height, width

    @property
    def overlay_size(self) -> tuple[int, int]:
        """Height and width of the overlay, at least one pixel."""
        height, width = self.image_size
        if self.overlay_scale >= 1:
            return height, width
        return max(1, round(height * self.overlay_scale)), max(
            1, round(width * self.overlay_scale)
        )


@dataclass(frozen=True)
class ClassTable:
    """What the numbers in the labels mean.

    Attributes:
        header: when the table was made.
        label_set: the classes.
        model: name of the model.
        threshold: least score of an instance, 0 to 1.
    """

    header: Header
    label_set: LabelSet
    model: str
    threshold: float


@dataclass(frozen=True)
class FrameTimes:
    """Where the time of one image went.

    Attributes:
        header: of the image's message.
        durations_ms: milliseconds by stage.
    """

    header: Header
    durations_ms: Mapping[str, float]


# --- pictures


def image_message(values: np.ndarray, *, encoding: str, header: Header) -> Image:
    """An image message; values [H, W] or [H, W, C] of one of the little-endian encodings.

    The bytes are copied once, into the array that the message has. One that is given to a message
    is copied again, in the constructor and in the setter; anything else (bytes, a list, an
    ndarray) is walked through element by element, for hundreds of milliseconds.
    """
    message = Image(
        header=header,
        height=values.shape[0],
        width=values.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=values[0].nbytes,
    )
    message.data.frombytes(np.ascontiguousarray(values).data.cast('B'))
    return message


def label_message(image: LabelledImage) -> Image:
    """The label image as 16UC1."""
    little_endian = image.result.label_image.astype('<u2', copy=False)
    return image_message(little_endian, encoding='16UC1', header=image.header)


def semantic_message(image: LabelledImage) -> Image:
    """The class ids as mono8 with 255 for unknown, as vision_msgs has it."""
    classes = class_image(image.result.label_image)
    return image_message(classes, encoding='mono8', header=image.header)


def unknown_message(image: LabelledImage) -> Image:
    """Where the labels say nothing, as mono8: 255 unknown, 0 known."""
    mask = (image.result.label_image == UNKNOWN_LABEL).astype(np.uint8) * np.uint8(255)
    return image_message(mask, encoding='mono8', header=image.header)


def confidence_message(image: LabelledImage) -> Image:
    """The score of each pixel's instance, 0 to 1, as 32FC1; stuff and unknown pixels are NaN.

    Only instances have scores. A probability of stuff would take a softmax over every class at
    every pixel; it is not computed, and not passed off as 0 or 1.
    """
    scores = np.full(UNKNOWN_LABEL + 1, np.nan, '<f4')
    for instance in image.result.instances:
        scores[instance.label] = instance.score
    values = np.take(scores, image.result.label_image)
    return image_message(values, encoding='32FC1', header=image.header)


def overlay_message(image: LabelledImage) -> Image:
    """The image under the colours of its labels as rgb8, in the overlay's size.

    Colours are averaged where it is smaller; labels are not, since a mean of two labels is a
    third one.
    """
    picture, labels = image.image_bgr, image.result.label_image
    height, width = image.overlay_size
    if (height, width) != picture.shape[:2]:
        is_larger = height > picture.shape[0]  # than what was decoded, see `reduce_jpeg`
        way = cv2.INTER_LINEAR if is_larger else cv2.INTER_AREA
        picture = cv2.resize(picture, (width, height), interpolation=way)
    if (height, width) != labels.shape:
        labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    drawn = draw_overlay(picture, labels, image.label_set, alpha=image.overlay_alpha)
    rgb = cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB)
    return image_message(rgb, encoding='rgb8', header=image.header)


# --- instances


def instances_message(image: LabelledImage) -> PanopticInstanceArray:
    """All instances, highest score first."""
    ordered = sorted(image.result.instances, key=lambda instance: -instance.score)
    return PanopticInstanceArray(
        header=image.header,
        instances=[instance_message(instance) for instance in ordered],
        unknown_share=float(image.result.unknown_share),
    )


def instance_message(instance: Instance) -> PanopticInstance:
    """One instance; its box is in pixels of the input image."""
    x_min, y_min, x_max, y_max = (float(value) for value in instance.box)
    return PanopticInstance(
        label=int(instance.label),
        class_id=int(instance.class_id),
        class_name=instance.class_name,
        score=float(instance.score),
        x_min=x_min,
        y_min=y_min,
        x_max=x_max,
        y_max=y_max,
        area=int(instance.area),
    )


def detections_message(image: LabelledImage) -> Any:
    """The instances once more as vision_msgs, which other nodes understand without knowing ours.

    `Detection2D.id` is the label value of the panoptic image, in decimal, so that boxes and pixels
    can be joined; it is no track, since instances are numbered anew in each image. Poses stay
    empty: a picture does not tell them.
    """
    from vision_msgs.msg import Detection2DArray

    detections = [detection_message(instance, image.header) for instance in image.result.instances]
    return Detection2DArray(header=image.header, detections=detections)


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


# --- tables and times


def class_info_message(table: ClassTable) -> PanopticClassInfo:
    """The classes of a model, and how labels are made of them."""
    return PanopticClassInfo(
        header=table.header,
        label_set=table.label_set.name,
        model=table.model,
        classes=[
            PanopticClass(
                class_id=entry.train_id,
                name=entry.name,
                is_thing=entry.is_thing,
                colour=list(entry.colour),
            )
            for entry in table.label_set.classes
        ],
        unknown_label=UNKNOWN_LABEL,
        unknown_class=VOID_CLASS,
        instance_bits=INSTANCE_BITS,
    )


def label_info_message(table: ClassTable) -> Any:
    """The class names by the values of the semantic image, as vision_msgs."""
    from vision_msgs.msg import LabelInfo, VisionClass

    classes = [
        VisionClass(class_id=entry.train_id, class_name=entry.name)
        for entry in table.label_set.classes
    ]
    return LabelInfo(header=table.header, class_map=classes, threshold=float(table.threshold))


def timing_message(times: FrameTimes) -> FrameTiming:
    """Where the time of one image went; a stage that was not measured is 0."""
    message = FrameTiming(header=times.header)
    for stage, duration_ms in times.durations_ms.items():
        name = 'processing_time' if stage == 'total' else stage
        setattr(message, f'{name}_ms', float(duration_ms))
    return message
