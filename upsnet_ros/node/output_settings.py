# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is published of each image; may change between two of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

from upsnet_ros.node.parameters import NodeParameters


@dataclass(frozen=True)
class OutputSettings:
    """What is published and how.

    Attributes:
        publish_panoptic: publish the label image.
        publish_instances: publish the instances.
        publish_class_info: publish the class table, and its twin of vision_msgs.
        publish_camera_info: publish the camera's calibration beside labels and overlay.
        publish_unknown_mask: publish where nothing was recognised.
        publish_confidence: publish the instances' scores by pixel.
        publish_semantic: publish the class image.
        publish_overlay: publish the overlay.
        publish_detections: publish the instances as vision_msgs.
        publish_timing: publish where the time of each frame went.
        overlay_alpha: opacity of the colours in the overlay, 0 to 1.
        overlay_rate: most overlays per second, 0 for one of each image.
        overlay_scale: size of the overlay as a share of the image's, above 0 to 1.
        score_threshold: least score of an instance, MODEL_DEFAULT for the model's own.
    """

    publish_panoptic: bool
    publish_instances: bool
    publish_class_info: bool
    publish_camera_info: bool
    publish_unknown_mask: bool
    publish_confidence: bool
    publish_semantic: bool
    publish_overlay: bool
    publish_detections: bool
    publish_timing: bool
    overlay_alpha: float
    overlay_rate: float
    overlay_scale: float
    score_threshold: float

    @classmethod
    def of(cls, parameters: NodeParameters) -> OutputSettings:
        """What the parameters say of the outputs."""
        return cls(**{field.name: getattr(parameters, field.name) for field in fields(cls)})
