# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every frame of a bag through the network, with everything else running beside it.

Four stages work one after another on each frame (reading and decoding, the network, the panoptic
head, the measures), each in threads of its own, and the calling thread writes. A few frames are on
their way at any time, so memory does not grow with the bag.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from upsnet_ros.bags.cameras import CameraTopics
from upsnet_ros.bags.joining import StreamedFrame
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.truth import truth_labels
from upsnet_ros.core.errors import ImageError, LabelError, ModelError
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.evaluation.frame_record import FrameRecord, SkippedFrame
from upsnet_ros.evaluation.judge import FrameJudge
from upsnet_ros.evaluation.stage_threads import staged
from upsnet_ros.images.messages import image_to_bgr
from upsnet_ros.pipeline import NetworkAnswer, PanopticPipeline, PlacedImage

MOST_WORKERS = 4

Outcome = Callable[[StreamedFrame], bool | None]


@dataclass(frozen=True)
class LabelledFrame:
    """A frame that is done.

    Attributes:
        frame: as it lay in the bag.
        line: what is kept of it.
        frame_id: coordinate frame in the image's header.
        image: BGR uint8 [H, W, 3]; None where it was skipped, like the rest.
        result: its labels and instances.
        truth: its true label image, where there is one.
        is_known: whether an earlier run did it; its labels are needed by the frame behind it.
    """

    frame: StreamedFrame
    line: FrameRecord | SkippedFrame
    frame_id: str = ''
    image: np.ndarray | None = None
    result: PanopticResult | None = None
    truth: np.ndarray | None = None
    is_known: bool = False


@dataclass
class NetworkTime:
    """Seconds that the network worked, and frames that it answered."""

    seconds: float = 0.0
    frames: int = 0


@dataclass(frozen=True)
class _Decoded:
    frame: StreamedFrame
    is_known: bool
    problem: str | None = None
    frame_id: str = ''
    image: np.ndarray | None = None
    placed: PlacedImage | None = None
    truth: np.ndarray | None = None
    truth_problem: str | None = None


@dataclass(frozen=True)
class _Answered:
    decoded: _Decoded
    answer: NetworkAnswer | None
    problem: str | None


@dataclass(frozen=True)
class _Labelled:
    decoded: _Decoded
    result: PanopticResult | None = None
    ms: dict[str, float] | None = None
    problem: str | None = None


@dataclass
class OfflineReplay:
    """The stages of an evaluation.

    Attributes:
        bag: the opened bag.
        cameras: whose images are evaluated.
        pipeline: the loaded model.
        judge: measures the labels.
        truth_format: one of `replay_decoding.TRUTH_FORMATS`.
        workers: threads that decode, and threads of the panoptic head.
        network: what the network took, so far.
    """

    bag: BagReader
    cameras: tuple[CameraTopics, ...]
    pipeline: PanopticPipeline
    judge: FrameJudge
    truth_format: str
    workers: int = 1
    network: NetworkTime = field(default_factory=NetworkTime)

    def __post_init__(self) -> None:
        """Look topics up by camera once."""
        self._topics = {camera.name: camera for camera in self.cameras}

    def frames(self, stream: Iterable[StreamedFrame], outcome: Outcome) -> Iterator[LabelledFrame]:
        """The frames in the order of the bag; those that are done are left out.

        Args:
            stream: the images.
            outcome: what became of a frame in an earlier run: True labelled, False skipped, None
                not done. The last one labelled before a new frame comes all the same, as
                `is_known`: what flips is measured against its labels.

        Raises:
            ModelError: the network failed.
        """
        needed = _needed(stream, outcome)
        decoded = staged(self._decode, needed, name='decode', workers=self.workers)
        answered = staged(self._answer, decoded, name='network')
        labelled = staged(self._label, answered, name='labels', workers=self.workers)
        yield from staged(self._judge, labelled, name='measures')

    def _decode(self, item: tuple[StreamedFrame, bool]) -> _Decoded:
        frame, is_known = item
        topics = self._topics[frame.camera]
        if frame.problem is not None:
            return _Decoded(frame, is_known, problem=frame.problem)
        try:
            message = self.bag.decode(topics.images, frame.data)
            image = image_to_bgr(message)
            placed = self.pipeline.place(image, topics.view)
        except ImageError as error:
            return _Decoded(frame, is_known, problem=str(error))
        truth, truth_problem = self._decode_truth(topics, frame.truth)
        return _Decoded(
            frame,
            is_known,
            frame_id=message.header.frame_id,
            image=image,
            placed=placed,
            truth=truth,
            truth_problem=truth_problem,
        )

    def _decode_truth(
        self, topics: CameraTopics, data: bytes | None
    ) -> tuple[np.ndarray | None, str | None]:
        """The true label image, or why there is none though there should be."""
        if data is None or topics.truth is None:
            return None, None
        try:
            truth = truth_labels(
                self.bag.decode(topics.truth, data),
                truth_format=self.truth_format,
                label_set=self.pipeline.label_set,
            )
        except (ImageError, LabelError) as error:
            return None, str(error)
        return truth, None

    def _answer(self, decoded: _Decoded) -> _Answered:
        if decoded.placed is None:
            return _Answered(decoded, None, decoded.problem)
        start = time.perf_counter()
        answer = self.pipeline.infer(decoded.placed)
        self.network.seconds += time.perf_counter() - start
        self.network.frames += 1
        return _Answered(decoded, answer, None)

    def _label(self, answered: _Answered) -> _Labelled:
        decoded, answer = answered.decoded, answered.answer
        if answer is None or decoded.placed is None:
            return _Labelled(decoded, problem=answered.problem)
        try:
            result = self.pipeline.label(answer, decoded.placed)
        except ModelError as error:  # one answer that cannot be used: the node goes on, too
            return _Labelled(decoded, problem=str(error))
        return _Labelled(decoded, result.panoptic, result.timing_ms)

    def _judge(self, labelled: _Labelled) -> LabelledFrame:
        decoded, frame = labelled.decoded, labelled.decoded.frame
        if labelled.result is None or labelled.ms is None:
            problem = labelled.problem or 'no labels'
            skipped = SkippedFrame(frame.camera, frame.index, frame.stamp_ns, problem)
            return LabelledFrame(frame, skipped, is_known=decoded.is_known)
        record = self.judge(
            frame,
            labelled.result,
            ms=labelled.ms,
            truth=decoded.truth,
            truth_problem=decoded.truth_problem,
        )
        return LabelledFrame(
            frame,
            record,
            frame_id=decoded.frame_id,
            image=decoded.image,
            result=labelled.result,
            truth=decoded.truth,
            is_known=decoded.is_known,
        )


def stage_workers() -> int:
    """Threads of a stage that may have several: a quarter of the cores, 1 to 4.

    The network on a CPU takes all cores; one on a GPU is fast enough to wait for one thread.
    """
    affinity = getattr(os, 'sched_getaffinity', None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(max(cores // 4, 1), MOST_WORKERS)


def _needed(
    stream: Iterable[StreamedFrame], outcome: Outcome
) -> Iterator[tuple[StreamedFrame, bool]]:
    """The frames to label, each with whether an earlier run did it."""
    before: dict[str, StreamedFrame] = {}
    for frame in stream:
        is_labelled = outcome(frame)
        if is_labelled is None:
            known = before.pop(frame.camera, None)
            if known is not None:
                yield known, True
            yield frame, False
        elif is_labelled:
            before[frame.camera] = frame
