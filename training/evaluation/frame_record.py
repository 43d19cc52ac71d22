# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of one evaluated frame: enough to add up every figure without the frame."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_quality import PanopticQuality

RunLengths = dict[str, Any]  # compressed COCO run lengths: {'size': [H, W], 'counts': str}


@dataclass(frozen=True)
class Detection:
    """One object that an instance head found.

    Attributes:
        class_id: Train id of a thing class.
        score: Confidence, 0 to 1.
        box: x1, y1, x2, y2 in image pixels, both corners inside the box, not rounded.
        mask: Its pixels; may be empty.
    """

    class_id: int
    score: float
    box: tuple[float, float, float, float]
    mask: RunLengths


@dataclass(frozen=True)
class TrueObject:
    """One object, or one crowd, of the truth.

    Attributes:
        class_id: Train id of a thing class.
        is_crowd: Whether it is a region of objects that are not told apart.
        box: x1, y1, x2, y2 in image pixels, both corners inside the box.
        mask: Its visible pixels, at least one.
    """

    class_id: int
    is_crowd: bool
    box: tuple[float, float, float, float]
    mask: RunLengths


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class FrameRecord:
    """One frame, labelled and compared with its truth.

    Attributes:
        name: Of the frame, unique in its split.
        size: Height and width of the image in pixels.
        quality: float64 ``[4, S]``, ``PanopticQuality.state`` of this frame.
        confusion: float64 ``[S, S + 1]``, ``MeanIou.state`` of the semantic head's own answer;
            None without such a head.
        unknown_share: Share of its pixels that are unknown, 0 to 1.
        seconds: Time spent labelling, reading the files not included.
        segments: Number of segments in the predicted label image; 0 for an empty prediction.
        detections: What the instance head found, by descending score; None when it is not known
            (labels read from files, a network without instances).
        objects: True objects and crowds; empty where ``detections`` is None.
    """

    name: str
    size: tuple[int, int]
    quality: np.ndarray
    confusion: np.ndarray | None
    unknown_share: float
    seconds: float
    segments: int
    detections: tuple[Detection, ...] | None
    objects: tuple[TrueObject, ...]

    def pq(self, label_set: LabelSet) -> float:
        """Panoptic quality of this frame alone [%]."""
        return PanopticQuality.from_state(label_set, self.quality).summary().all.pq

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values, undone by :meth:`from_json`; counts that are zero are left out."""
        found = self.detections
        return {
            'name': self.name,
            'size': list(self.size),
            'quality': _sparse(self.quality),
            'confusion': None if self.confusion is None else _sparse(self.confusion),
            'unknown_share': self.unknown_share,
            'seconds': self.seconds,
            'segments': self.segments,
            'detections': None if found is None else [asdict(entry) for entry in found],
            'objects': [asdict(entry) for entry in self.objects],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any], *, num_classes: int) -> 'FrameRecord':
        """The record of plain values.

        Args:
            values: From :meth:`to_json`.
            num_classes: Number of classes S.

        Raises:
            KeyError, TypeError, ValueError, IndexError: If they are something else.
        """
        confusion, found = values['confusion'], values['detections']
        height, width = values['size']
        return cls(
            name=values['name'],
            size=(height, width),
            quality=_dense(values['quality'], (4, num_classes)),
            confusion=None
            if confusion is None
            else _dense(confusion, (num_classes, num_classes + 1)),
            unknown_share=values['unknown_share'],
            seconds=values['seconds'],
            segments=values['segments'],
            detections=None if found is None else tuple(_object(Detection, v) for v in found),
            objects=tuple(_object(TrueObject, entry) for entry in values['objects']),
        )


def _object(kind: type, values: dict[str, Any]) -> Any:
    return kind(**values | {'box': tuple(values['box'])})


def _sparse(counts: np.ndarray) -> dict[str, list[float]]:
    """Flat positions and values of what is not zero; JSON keeps all digits of a float64."""
    places = np.flatnonzero(counts)
    return {'at': places.tolist(), 'is': counts.ravel()[places].tolist()}


def _dense(values: dict[str, list[float]], shape: tuple[int, int]) -> np.ndarray:
    counts = np.zeros(shape)
    counts.ravel()[np.array(values['at'], np.intp)] = values['is']
    return counts
