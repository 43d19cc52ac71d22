# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Frame after frame through a network, with reading and judging beside it."""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from training.data.errors import DataError
from training.data.frames import Frame, FrameReader, size_mismatch
from training.evaluation.frame_judgement import judge_frame
from training.evaluation.frame_record import FrameRecord
from training.inference.labeller import Labelled
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet

AHEAD = 2  # frames that are read, or judged, while another is labelled

Answer = Callable[[Frame, np.ndarray, np.ndarray], Labelled]
Keep = Callable[[Frame, Labelled, FrameRecord], None]


@dataclass(frozen=True)
class BadFrame:
    """A frame that could not be evaluated.

    Attributes:
        name: Of the frame.
        problem: What is wrong with it, with file and value.
    """

    name: str
    problem: str


def evaluate_frames(
    answer: Answer,
    frames: Iterable[Frame],
    reader: FrameReader,
    *,
    label_set: LabelSet,
    keep: Keep | None = None,
    skip_bad: bool = False,
    workers: int = 1,
) -> Iterator[FrameRecord | BadFrame]:
    """Label every frame and compare it with its truth.

    The answers come from the calling thread, one after another, so a network is never run twice
    at a time. Memory holds a few frames, however many there are.

    Args:
        answer: Labels the image of a frame; is given the truth for the sake of oracles.
        frames: Of the reader's data set.
        reader: Reads images and truth, in threads of its own.
        label_set: The classes.
        keep: Called with every answer and its record, in a thread of its own, to write files.
        skip_bad: Whether a frame that cannot be evaluated is told of and left out.
        workers: Threads that read and threads that judge; with 0 all is done one after another,
            so that nothing disturbs the times of the answers.

    Yields:
        One record of each frame, in their order; a ``BadFrame`` only with ``skip_bad``.

    Raises:
        UpsnetError: If a frame cannot be evaluated and ``skip_bad`` is off; names the frame.
    """
    with _Threads(workers) as readers, _Threads(workers) as judges:
        read = partial(_read, reader)
        waiting = iter(frames)
        reading = deque((f, readers.start(read, f)) for f in islice(waiting, AHEAD * workers or 1))
        judging: deque[Future[FrameRecord]] = deque()
        while reading or judging:
            if reading:
                frame, files = reading.popleft()
                judging.append(_answered(answer, frame, files, judges, label_set, keep))
                reading.extend((f, readers.start(read, f)) for f in islice(waiting, 1))
            while judging and (len(judging) > AHEAD * workers or not reading):
                yield _result(judging.popleft(), skip_bad=skip_bad)


class FrameError(UpsnetError):
    """A frame that could not be evaluated, with its name."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f'{name}: {problem}')
        self.bad = BadFrame(name, problem)


def _result(judged: Future[FrameRecord], *, skip_bad: bool) -> FrameRecord | BadFrame:
    try:
        return judged.result()
    except FrameError as error:
        if not skip_bad:
            raise
        return error.bad


def _answered(
    answer: Answer,
    frame: Frame,
    files: Future[tuple[np.ndarray, np.ndarray]],
    judges: '_Threads',
    label_set: LabelSet,
    keep: Keep | None,
) -> Future[FrameRecord]:
    """The judgement of a frame to come, or its problem."""
    try:
        image, truth = files.result()
        started = time.perf_counter()
        labelled = answer(frame, image, truth)
        seconds = time.perf_counter() - started - labelled.detection_seconds
    except UpsnetError as error:
        failed: Future[FrameRecord] = Future()
        failed.set_exception(FrameError(frame.name, str(error)))
        return failed
    return judges.start(_judge, frame, labelled, truth, label_set, seconds, keep)


def _read(reader: FrameReader, frame: Frame) -> tuple[np.ndarray, np.ndarray]:
    """Image and truth; where there is no truth, all is void and nothing counts."""
    image = reader.read_image(frame)
    if frame.instances is None:
        return image, np.full(image.shape[:2], UNKNOWN_LABEL, np.uint16)
    truth = reader.read_label_image(frame)
    if truth.shape != image.shape[:2]:
        raise DataError(size_mismatch(frame, image.shape[:2], truth.shape))
    return image, truth


def _judge(
    frame: Frame,
    labelled: Labelled,
    truth: np.ndarray,
    label_set: LabelSet,
    seconds: float,
    keep: Keep | None,
) -> FrameRecord:
    try:
        record = judge_frame(frame.name, labelled, truth, label_set=label_set, seconds=seconds)
        if keep is not None:
            keep(frame, labelled, record)
    except UpsnetError as error:
        raise FrameError(frame.name, str(error)) from error
    return record


class _Threads:
    """A pool that drops what has not begun when it is left; with no thread, work is done at once.

    Args:
        count: Number of threads.
    """

    def __init__(self, count: int) -> None:
        self._pool = ThreadPoolExecutor(count) if count else None

    def __enter__(self) -> '_Threads':
        return self

    def __exit__(self, *error: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def start(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        if self._pool is not None:
            return self._pool.submit(function, *arguments)
        done: Future[Any] = Future()
        try:
            done.set_result(function(*arguments))
        except UpsnetError as error:
            done.set_exception(error)
        return done
