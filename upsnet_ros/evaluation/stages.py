# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Every frame of a bag through the pipeline's own stages, with everything else running beside it.

Decoding, the network, the panoptic head and the measures work in threads of their own; the calling
thread reads the bag and writes. A few frames are on their way at any time, so memory does not grow
with the bag. OpenCV, the codecs and the network let go of the interpreter lock, so threads are
enough.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import cv2
import numpy as np

from upsnet_ros.bags.cameras import CameraTopics
from upsnet_ros.bags.joining import BagPart, StreamedFrame
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.truth import truth_labels
from upsnet_ros.core.errors import ImageError, LabelError, ModelError
from upsnet_ros.core.image_view import ImageView
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.judge import FrameJudge, LabelledFrame
from upsnet_ros.images.messages import decode_image, message_frame_id
from upsnet_ros.images.raw import MAX_IMAGE_PIXELS
from upsnet_ros.images.video import VideoDecoder, VideoPicture, video_codec
from upsnet_ros.pipeline import PanopticPipeline

MOST_WORKERS = 4
# Items that wait besides, so that no thread idles while the consumer is at something else.
SPARE = 2
# More than are on their way in any stage.
RECENT_PICTURES = 2 * MOST_WORKERS + SPARE + 2

Item = TypeVar('Item')
Result = TypeVar('Result')


def staged(
    function: Callable[[Item], Result], items: Iterable[Item], *, name: str, workers: int = 1
) -> Generator[Result, None, None]:
    """Like `map`, in threads that are a few items before the consumer.

    An exception of the function or of the items is raised where its result would have come. When
    the iteration is given up, work that has not begun is not begun any more; the stages before it
    are given up too.

    Args:
        function: called in the threads.
        items: taken by the consumer's thread.
        name: of the threads.
        workers: threads; twice as many items, and `SPARE`, are on their way.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
    pending: deque[Future[Result]] = deque()
    source = iter(items)
    failed: Exception | None = None
    is_over = False
    try:
        while pending or not is_over:
            while not is_over and len(pending) < 2 * workers + SPARE:
                try:
                    pending.append(pool.submit(function, next(source)))
                except StopIteration:
                    is_over = True
                except Exception as error:  # what came before it is worked on first
                    failed, is_over = error, True
            if pending:
                yield pending.popleft().result()
        if failed is not None:
            raise failed
    finally:
        pool.shutdown(cancel_futures=True)
        if hasattr(source, 'close'):
            source.close()


def stage_workers() -> int:
    """Threads of a stage that may have several: a quarter of the cores, 1 to 4.

    The network on a CPU takes all cores; one on a GPU is fast enough to wait for one thread.
    """
    affinity = getattr(os, 'sched_getaffinity', None)
    cores = len(affinity(0)) if affinity else os.cpu_count() or 1
    return min(max(cores // 4, 1), MOST_WORKERS)


class FrameSource:
    """Decodes the images of a bag and their ground truth; may be called by several threads.

    Args:
        bag: the opened bag.
        cameras: whose frames.
        truth_format: one of `bags.truth.TRUTH_FORMATS`.
        label_set: the classes.
        part: of the bag from which the frames are.
    """

    def __init__(
        self,
        bag: BagReader,
        cameras: Sequence[CameraTopics],
        *,
        truth_format: str,
        label_set: LabelSet,
        part: BagPart,
    ) -> None:
        self.cameras = {camera.name: camera for camera in cameras}
        self._bag = bag
        self._videos = {
            camera.name: _VideoPass(bag, camera.images, start_ns=part.limits_ns(bag)[0])
            for camera in cameras
        }
        self._truth_format = truth_format
        self._label_set = label_set

    def image(
        self, frame: StreamedFrame, *, reduce_for: tuple[int, int] | None = None
    ) -> tuple[np.ndarray, ImageView, str]:
        """The picture, BGR uint8 [H, W, 3], its view, and the coordinate frame of its header.

        Args:
            frame: as it lay in the bag.
            reduce_for: height and width of the network's input, where a JPEG is to be decoded no
                larger than that needs [px].

        Raises:
            ImageError: it cannot be read.
        """
        camera = self.cameras[frame.camera]
        message = self._bag.decode(camera.images, frame.data)
        frame_id = message_frame_id(message)
        if video_codec(message) is not None:
            return self._videos[frame.camera].picture(frame.index), camera.view, frame_id
        shown_in = None if reduce_for is None else camera.view.shown_in(reduce_for)
        image, reduction = decode_image(message, shown_in=shown_in)
        return image, replace(camera.view, reduction=reduction), frame_id

    def truth(self, frame: StreamedFrame) -> tuple[np.ndarray | None, str | None]:
        """The true label image, uint16 [H, W], or why there is none though there should be."""
        topic = self.cameras[frame.camera].truth
        if frame.truth is None or topic is None:
            return None, None
        try:
            truth = truth_labels(
                self._bag.decode(topic, frame.truth),
                truth_format=self._truth_format,
                label_set=self._label_set,
            )
        except (ImageError, LabelError) as error:
            return None, str(error)
        return truth, None


class _VideoPass:
    """The video of a camera, decoded in a pass of its own; may be used by several threads.

    A picture builds on those before it, also where those are left out, were labelled in an earlier
    run, or are no good. So the frames that are asked for may have any distance, and be a few in
    disorder, as threads are.

    Args:
        bag: the opened bag.
        topic: of the camera's images.
        start_ns: time of recording where the part begins whose frames are counted [ns].
    """

    def __init__(self, bag: BagReader, topic: str, *, start_ns: int | None) -> None:
        self._bag, self._topic, self._start_ns = bag, topic, start_ns
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._messages = self._bag.messages([self._topic], start_ns=self._start_ns)
        self._decoder = VideoDecoder()
        self._recent: dict[int, VideoPicture | ImageError] = {}
        self._index = -1

    def picture(self, index: int) -> np.ndarray:
        """The picture of a number, BGR uint8 [H, W, 3].

        Raises:
            ImageError: it has none; says why.
        """
        with self._lock:
            if index <= self._index and index not in self._recent:
                self._begin()
            while self._index < index:
                self._index += 1
                self._recent[self._index] = self._next()
                self._recent.pop(self._index - RECENT_PICTURES, None)
            found = self._recent[index]
        if isinstance(found, ImageError):
            raise found
        return found.to_bgr()

    def _next(self) -> VideoPicture | ImageError:
        message = next(self._messages, None)
        if message is None:
            return ImageError('the image was not found in the bag a second time')
        try:
            packet = self._bag.decode(self._topic, message.data)
        except ImageError as error:
            self._decoder.lose('a message of the video cannot be read')
            return error
        try:
            return self._decoder.decode(packet, max_pixels=MAX_IMAGE_PIXELS)
        except ImageError as error:
            return error


@dataclass
class Stages:
    """The stages of an evaluation.

    Attributes:
        source: decodes the frames.
        pipeline: the loaded model.
        judge: measures the labels.
        workers: threads that decode, and threads of the panoptic head.
        reduce_jpeg: whether a JPEG is decoded no larger than the network needs, see the node's
            parameter.
        network_s: seconds that the network worked, so far.
        network_frames: frames that it answered.
    """

    source: FrameSource
    pipeline: PanopticPipeline
    judge: FrameJudge
    workers: int = 1
    reduce_jpeg: bool = False
    network_s: float = 0.0
    network_frames: int = 0

    def label(
        self,
        stream: Iterable[StreamedFrame],
        outcome: Callable[[StreamedFrame], bool | None] = lambda frame: None,
    ) -> Iterator[LabelledFrame]:
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
        answered = staged(self._infer, decoded, name='network')
        labelled = staged(self._label, answered, name='labels', workers=self.workers)
        yield from staged(self._judge, labelled, name='measures')

    def _decode(self, done: LabelledFrame) -> LabelledFrame:
        if done.problem is not None:
            return done
        try:
            reduce_for = self.pipeline.backend.input_size if self.reduce_jpeg else None
            image, view, done.frame_id = self.source.image(done.frame, reduce_for=reduce_for)
            done.placed = self.pipeline.place(image, view)
            height, width = view.whole_size(image)
            done.image = image if view.reduction == 1 else cv2.resize(image, (width, height))
        except ImageError as error:
            done.problem = str(error)
        else:
            done.truth, done.truth_problem = self.source.truth(done.frame)
        return done

    def _infer(self, done: LabelledFrame) -> LabelledFrame:
        if done.placed is not None:
            start = time.perf_counter()
            done.answer = self.pipeline.infer(done.placed)
            self.network_s += time.perf_counter() - start
            self.network_frames += 1
        return done

    def _label(self, done: LabelledFrame) -> LabelledFrame:
        if done.placed is not None and done.answer is not None:
            try:
                labelled = self.pipeline.label(done.answer, done.placed)
                done.result, done.ms = labelled.panoptic, labelled.timing_ms
            except ModelError as error:  # an answer that cannot be used: the node goes on, too
                done.problem = str(error)
            done.placed = done.answer = None  # they are large
        return done

    def _judge(self, done: LabelledFrame) -> LabelledFrame:
        done.line = self.judge(done)
        return done


def _needed(
    stream: Iterable[StreamedFrame], outcome: Callable[[StreamedFrame], bool | None]
) -> Iterator[LabelledFrame]:
    """The frames to label, among them those done before that are needed once more."""
    before: dict[str, StreamedFrame] = {}
    for frame in stream:
        is_labelled = outcome(frame)
        if is_labelled is None:
            known = before.pop(frame.camera, None)
            if known is not None:
                yield LabelledFrame(known, is_known=True, problem=known.problem)
            yield LabelledFrame(frame, problem=frame.problem)
        elif is_labelled:
            before[frame.camera] = frame
