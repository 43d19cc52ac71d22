# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results, label sets and arrays to messages, with the header of the image they are of."""

from __future__ import annotations

from array import array
from collections.abc import Mapping

import cv2
import numpy as np
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, VOID_CLASS, LabelSet, class_image
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.msg import (
    FrameTiming,
    PanopticClass,
    PanopticClassInfo,
    PanopticInstance,
    PanopticInstanceArray,
)


def message_data(values: np.ndarray) -> array:
    """The bytes of an array in the form that a message takes over as it is, with one copy.

    Anything else (bytes, a list, an ndarray) is walked through element by element, which takes
    hundreds of milliseconds for a camera image.
    """
    data = array('B')
    data.frombytes(memoryview(np.ascontiguousarray(values)).cast('B'))
    return data


def image_message(values: np.ndarray, *, encoding: str, header: Header) -> Image:
    """An image message; values [H, W] or [H, W, C] of one of the little-endian encodings."""
    return Image(
        header=header,
        height=values.shape[0],
        width=values.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=values[0].nbytes,
        data=message_data(values),
    )


def label_message(label_image: np.ndarray, header: Header) -> Image:
    """A label image, uint16 [H, W], as 16UC1."""
    little_endian = label_image.astype('<u2', copy=False)
    return image_message(little_endian, encoding='16UC1', header=header)


def semantic_message(label_image: np.ndarray, header: Header) -> Image:
    """The class ids of a label image, uint16 [H, W], as mono8 with 255 for unknown."""
    return image_message(class_image(label_image), encoding='mono8', header=header)


def unknown_message(label_image: np.ndarray, header: Header) -> Image:
    """Where a label image, uint16 [H, W], says nothing, as mono8: 255 unknown, 0 known."""
    mask = (label_image == UNKNOWN_LABEL).astype(np.uint8) * np.uint8(255)
    return image_message(mask, encoding='mono8', header=header)


def confidence_message(result: PanopticResult, header: Header) -> Image:
    """The score of each pixel's instance, 0 to 1, as 32FC1; stuff and unknown pixels are NaN.

    Only instances have scores. A probability of stuff would take a softmax over every class at
    every pixel; it is not computed, and not passed off as 0 or 1.
    """
    scores = np.full(UNKNOWN_LABEL + 1, np.nan, '<f4')
    for instance in result.instances:
        scores[instance.label] = instance.score
    return image_message(np.take(scores, result.label_image), encoding='32FC1', header=header)


def overlay_message(overlay_bgr: np.ndarray, header: Header) -> Image:
    """A picture, BGR uint8 [H, W, 3], as rgb8."""
    rgb = cv2.cvtColor(overlay_bgr, cv2.COLOR_BGR2RGB)
    return image_message(rgb, encoding='rgb8', header=header)


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


def instances_message(result: PanopticResult, header: Header) -> PanopticInstanceArray:
    """All instances of a result, highest score first."""
    ordered = sorted(result.instances, key=lambda instance: -instance.score)
    return PanopticInstanceArray(
        header=header,
        instances=[instance_message(instance) for instance in ordered],
        unknown_share=float(result.unknown_share),
    )


def class_info_message(label_set: LabelSet, *, model: str, header: Header) -> PanopticClassInfo:
    """The class table of a model."""
    return PanopticClassInfo(
        header=header,
        label_set=label_set.name,
        model=model,
        classes=[
            PanopticClass(
                class_id=entry.train_id,
                name=entry.name,
                is_thing=entry.is_thing,
                colour=list(entry.colour),
            )
            for entry in label_set.classes
        ],
        unknown_label=UNKNOWN_LABEL,
        unknown_class=VOID_CLASS,
        instance_bits=INSTANCE_BITS,
    )


def timing_message(durations_ms: Mapping[str, float], header: Header) -> FrameTiming:
    """Where the time of one frame went; a stage that was not measured is 0."""
    stages = {stage: float(duration) for stage, duration in durations_ms.items()}
    return FrameTiming(
        header=header,
        receive_ms=stages.get('receive', 0.0),
        wait_ms=stages.get('wait', 0.0),
        decode_ms=stages.get('decode', 0.0),
        preprocess_ms=stages.get('preprocess', 0.0),
        inference_ms=stages.get('inference', 0.0),
        panoptic_head_ms=stages.get('panoptic_head', 0.0),
        publish_ms=stages.get('publish', 0.0),
        processing_time_ms=stages.get('total', 0.0),
        age_ms=stages.get('age', 0.0),
    )
