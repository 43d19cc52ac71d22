# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one table of topics: what the node reads, and what it publishes of each camera.

Publishers, the `publish_*` parameters, the security policy and the tables of docs/node.md follow
from it. A new output is a row here and its maker in `messages`; `python -m upsnet_ros.node.tables`
then writes the files that follow.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from upsnet_ros.node import calibration, messages

CAMERA = '<camera>'
# What a maker is given: see the classes of these names in `messages`.
IMAGE, TABLE, TIMES = 'LabelledImage', 'ClassTable', 'FrameTimes'


@dataclass(frozen=True)
class Topic:
    """A topic or service.

    Attributes:
        name: '<camera>' stands for the name of each camera.
        kind: its type, 'package/Name'.
        text: what it is, for people.
    """

    name: str
    kind: str
    text: str

    @property
    def package(self) -> str:
        """The package of its type."""
        return self.kind.partition('/')[0]

    @property
    def is_available(self) -> bool:
        """Whether its type is installed; without vision_msgs two topics do not exist."""
        return importlib.util.find_spec(self.package) is not None

    def message_class(self) -> Any:
        """The class of its messages."""
        package, _, name = self.kind.partition('/')
        return getattr(importlib.import_module(f'{package}.msg'), name)

    def of(self, camera: str) -> str:
        """Its name for one camera."""
        return self.name.replace(CAMERA, camera)


@dataclass(frozen=True)
class Output(Topic):
    """What is published of each camera, in the order of publication.

    Attributes:
        switch: the parameter that switches it, also several at once.
        make: makes the message; None where there is nothing to say this time.
        made_of: what `make` is given: IMAGE for each image; TIMES after that; TABLE, latched, on
            activation.
        is_on: whether it is switched on by default.
        rate: the parameter that limits its rate; '' for one of each image.
        beside: the output without whose message for the same image there is none of this; ''.
        follows_threshold: of a table: published anew where `score_threshold` has changed.
    """

    switch: str
    make: Callable[[Any], Any]
    made_of: str = IMAGE
    is_on: bool = True
    rate: str = ''
    beside: str = ''
    follows_threshold: bool = False


RAW = Topic(
    '<camera>/image_raw',
    'sensor_msgs/Image',
    '8 and 16 bits: rgb, bgr, rgba, bgra, mono, bayer; uyvy, yuyv, yvyu, nv12, nv21, yuv420 '
    '(i420), yv12',
)
COMPRESSED = Topic(
    '<camera>/image_raw/compressed',
    'sensor_msgs/CompressedImage',
    'JPEG, PNG, TIFF, or video (`format` h264 or h265); read in place of the raw one as '
    '`image_transport` says',
)
FFMPEG = Topic(
    '<camera>/image_raw/ffmpeg',
    'ffmpeg_image_transport_msgs/FFMPEGPacket',
    'video; read where `image_transport` is ffmpeg',
)
FOXGLOVE = Topic(
    '<camera>/image_raw/foxglove',
    'foxglove_msgs/CompressedVideo',
    'video; read where `image_transport` is foxglove',
)
CALIBRATION = Topic(
    '<camera>/camera_info',
    'sensor_msgs/CameraInfo',
    'optional, latched or not; published again beside the labels',
)
INPUTS = (RAW, COMPRESSED, FFMPEG, FOXGLOVE, CALIBRATION)
# The image topics that are read, by the choices of `image_transport`. Video in messages of its own
# is only read where it is asked for: a driver encodes it for whoever subscribes.
TRANSPORTS = {
    'auto': (RAW, COMPRESSED),
    'raw': (RAW,),
    'compressed': (COMPRESSED,),
    'ffmpeg': (FFMPEG,),
    'foxglove': (FOXGLOVE,),
}
VIDEO_TRANSPORTS = ('ffmpeg', 'foxglove')
OUTPUTS = (
    Output(
        '<camera>/panoptic/image',
        'sensor_msgs/Image',
        '`16UC1`, size of the input, `class << 8 | instance`; stuff 0, things from 1; unknown '
        '65535',
        switch='publish_panoptic',
        make=messages.label_message,
    ),
    Output(
        '<camera>/panoptic/instances',
        'upsnet_ros/PanopticInstanceArray',
        'label, class, score, box, area; share of unknown pixels',
        switch='publish_instances',
        make=messages.instances_message,
    ),
    Output(
        '<camera>/panoptic/detections',
        'vision_msgs/Detection2DArray',
        "the instances once more; `id` is the object's label value, anew in each image: it joins "
        'box and pixels, and is no track',
        switch='publish_detections',
        make=messages.detections_message,
    ),
    Output(
        '<camera>/panoptic/class_info',
        'upsnet_ros/PanopticClassInfo',
        'class table, latched, on activation',
        switch='publish_class_info',
        make=messages.class_info_message,
        made_of=TABLE,
    ),
    Output(
        '<camera>/semantic/image',
        'sensor_msgs/Image',
        '`mono8` class, 255 = unknown',
        switch='publish_semantic',
        make=messages.semantic_message,
    ),
    Output(
        '<camera>/semantic/label_info',
        'vision_msgs/LabelInfo',
        'class names and `score_threshold`, latched, on activation and when that changes',
        switch='publish_class_info',
        make=messages.label_info_message,
        made_of=TABLE,
        follows_threshold=True,
    ),
    Output(
        '<camera>/panoptic/unknown_mask',
        'sensor_msgs/Image',
        '`mono8`, 255 where unknown, else 0',
        switch='publish_unknown_mask',
        make=messages.unknown_message,
        is_on=False,
    ),
    Output(
        '<camera>/panoptic/confidence',
        'sensor_msgs/Image',
        "`32FC1`, score of the pixel's instance, 0 to 1; NaN on stuff and unknown, which get no "
        'score',
        switch='publish_confidence',
        make=messages.confidence_message,
        is_on=False,
    ),
    Output(
        '<camera>/overlay/image',
        'sensor_msgs/Image',
        '`rgb8`, at most `overlay_rate`, in `overlay_scale`',
        switch='publish_overlay',
        make=messages.overlay_message,
        rate='overlay_rate',
    ),
    Output(
        '<camera>/panoptic/camera_info',
        'sensor_msgs/CameraInfo',
        "the camera's, for the label image; held back, with a warning, while its size is another "
        "than the image's",
        switch='publish_camera_info',
        make=calibration.calibration_message,
    ),
    Output(
        '<camera>/overlay/camera_info',
        'sensor_msgs/CameraInfo',
        "the camera's, scaled with the overlay",
        switch='publish_camera_info',
        make=calibration.overlay_calibration_message,
        beside='<camera>/overlay/image',
    ),
    Output(
        '~/debug/<camera>/timing',
        'upsnet_ros/FrameTiming',
        'milliseconds of each stage of a frame, and its age',
        switch='publish_timing',
        make=messages.timing_message,
        made_of=TIMES,
    ),
)
DIAGNOSTICS = Topic(
    '/diagnostics',
    'diagnostic_msgs/DiagnosticArray',
    'engine, worker, each camera, processing time of all and of each (p50, p95, p99 of each '
    'stage), memory; always on',
)
ENABLE = Topic('~/enable', 'std_srvs/SetBool', 'service: pause and resume')


def input_topics(camera: str, transport: str) -> list[tuple[type, str]]:
    """Message type and topic of each image topic to read, see `TRANSPORTS`."""
    return [(topic.message_class(), topic.of(camera)) for topic in TRANSPORTS[transport]]


def outputs_by_switch() -> dict[str, list[Output]]:
    """The outputs that each parameter switches."""
    by_name: dict[str, list[Output]] = {}
    for output in OUTPUTS:
        by_name.setdefault(output.switch, []).append(output)
    return by_name
