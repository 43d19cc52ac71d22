# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Results and label sets to the package's own messages."""

from __future__ import annotations

from collections.abc import Mapping

from std_msgs.msg import Header

from upsnet_ros.core.labels import INSTANCE_BITS, UNKNOWN_LABEL, VOID_CLASS, LabelSet
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.msg import (
    FrameTiming,
    PanopticClass,
    PanopticClassInfo,
    PanopticInstance,
    PanopticInstanceArray,
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
