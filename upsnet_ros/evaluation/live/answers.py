# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the node answered to each frame of a live replay, read from the recording of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from upsnet_ros.bags.joining import StampedMessages
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.evaluation.live.tally import LiveTally
from upsnet_ros.images.messages import label_image

TIMING = '/debug/{camera}/timing'
# Fields of FrameTiming, by the name that the stage has in reports.
STAGES = ('receive', 'wait', 'decode', 'preprocess', 'inference', 'panoptic_head', 'publish')


@dataclass(frozen=True)
class LiveAnswer:
    """The labels of a frame as they came, and where its time went.

    Attributes:
        result: labels and instances; without instances where the node publishes none.
        ms: `total`, the age of the frame when its labels came, and the node's own stages where
            it publishes them.
    """

    result: PanopticResult
    ms: dict[str, float]


class LiveAnswers:
    """The answers of a replay, taken by camera and stamp in about the order played.

    Args:
        recording: the opened recording.
        tally: what was sent and what came.
    """

    def __init__(self, recording: BagReader, tally: LiveTally) -> None:
        self._recording = recording
        self._tally = tally
        self._stamp_of = {camera: dict(images) for camera, images in tally.sent.items()}
        self._labels = {c: self._topic(f'/{c}/panoptic/image') for c in self._stamp_of}
        self._instances = {c: self._topic(f'/{c}/panoptic/instances') for c in self._stamp_of}
        self._times = {c: self._timing_topic(c) for c in self._stamp_of}

    def _topic(self, name: str | None) -> StampedMessages | None:
        if name is None or name not in self._recording.topics:
            return None
        return StampedMessages(self._recording, name)

    def _timing_topic(self, camera: str) -> StampedMessages | None:
        ending = TIMING.format(camera=camera)
        return self._topic(
            next((name for name in self._recording.topics if name.endswith(ending)), None)
        )

    def take(self, camera: str, bag_stamp_ns: int) -> LiveAnswer | None:
        """The answer to the image with this stamp of the bag, or None where none came.

        Raises:
            ImageError: the label image is damaged.
        """
        stamp = self._stamp_of[camera].get(bag_stamp_ns)
        if stamp is None:
            return None
        arrived = self._tally.arrived[camera].get(stamp)
        label = None if arrived is None else self._take(self._labels[camera], stamp)
        if arrived is None or label is None:
            return None
        instances = self._take(self._instances[camera], stamp)
        timing = self._take(self._times[camera], stamp)
        # The age begins at the stamp, or where that is of another clock with the image's arrival.
        began = self._tally.seen_ns[camera].get(stamp, stamp)
        ms = {stage: float(getattr(timing, f'{stage}_ms')) for stage in STAGES if timing}
        if began != stamp:
            ms.pop('receive', None)
        ms['total'] = (arrived - began) / 1e6
        return LiveAnswer(_result(label_image(label), instances), ms)

    def _take(self, topic: StampedMessages | None, stamp_ns: int) -> Any:
        """The message of a stamp, decoded; None where there is none."""
        if topic is None or (data := topic.take(stamp_ns)) is None:
            return None
        return self._recording.decode(topic.topic, data)


def _result(labels: np.ndarray, message: Any) -> PanopticResult:
    instances = tuple(
        Instance(
            label=int(each.label),
            class_id=int(each.class_id),
            class_name=each.class_name,
            score=float(each.score),
            box=(float(each.x_min), float(each.y_min), float(each.x_max), float(each.y_max)),
            area=int(each.area),
        )
        for each in (message.instances if message is not None else ())
    )
    return PanopticResult(labels, instances, float(np.mean(labels == UNKNOWN_LABEL)))
