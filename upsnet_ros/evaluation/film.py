# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A replayed drive to look at: a film, every frame under its labels, a sheet of a few frames.

OpenCV's wheels bring no H.264 encoder. VP8 in WebM is in all of them, is quick on two cores and
plays in every present browser and in VLC; MPEG-4 stands in where a build of OpenCV lacks it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.joining import BagPart, ReplayStream, StreamedFrame
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError, ImageError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.command import progress_bar
from upsnet_ros.evaluation.contact_sheet import (
    CAPTIONS,
    DROPPED,
    SEPARATOR,
    WHITE,
    draw_contact_sheet,
    write_caption,
)
from upsnet_ros.evaluation.label_files import camera_in_a_file_name, label_path
from upsnet_ros.evaluation.pictures import fit_width, frame_pictures, write_picture
from upsnet_ros.evaluation.replay_report import CameraFigures, ReplayReport, SeriesPoint
from upsnet_ros.evaluation.stages import FrameSource, staged
from upsnet_ros.report.document import Film, Frame, Picture

FILM, SHEET, OVERLAYS = 'drive', 'contact_sheet.png', 'overlays'
FILM_CAPTION = (
    'Left of the line what the camera saw, right of it the labels. Number of the frame and its '
    'latency in the corner.'
)
CODECS = (('VP80', '.webm'), ('mp4v', '.mp4'))
# Wide enough to see edges; encoding a film of 1024 px takes twice the time.
FILM_WIDTH = 768
# The line between camera and labels wanders over this part of the width in this time.
SWEEP_SECONDS = 6.0
SWEEP_REACH = 0.42
SAMPLES = 6
WORKERS = 2
# Rate of the film where too few frames were sent to tell the camera's.
DEFAULT_RATE_HZ = 10.0
# Height and width of a picture that can neither be read nor told from its labels [px].
BLANK_SIZE = (512, 1024)


@dataclass(frozen=True, eq=False)
class DriveFilm:
    """What was made of a drive.

    Attributes:
        path: the film; None of a drive without images.
        still: a picture of it with the line near the middle, BGR uint8 [H, W, 3].
        samples: a few frames at about even distances, answered ones where there are any near.
    """

    path: Path | None
    still: np.ndarray | None
    samples: tuple[Frame, ...]

    @property
    def block(self) -> Film | None:
        """The film for a page beside it."""
        return None if self.path is None else Film(self.path.name, FILM_CAPTION, self.still)


def write_film(report: ReplayReport, folder: Path) -> DriveFilm:
    """Film the first camera of a report, and write its overlays and the contact sheet.

    Args:
        report: of an evaluation that wrote its label images as PNGs.
        folder: its output.

    Raises:
        BagError: the bag can no longer be read.
        EvaluationError: a file cannot be written.
    """
    name, figures = next(iter(report.cameras.items()))
    options = report.options
    with ExitStack() as stack:
        bag = stack.enter_context(BagReader(Path(report.bag.path)))
        cameras = find_cameras(bag, names=(name,), truths=options['truths'])
        part = BagPart(**options['part'])
        stream = ReplayStream(bag, cameras, part=part)
        source = FrameSource(
            bag,
            cameras,
            truth_format=options['truth_format'],
            label_set=report.label_set,
            part=part,
        )
        work = _FrameWork(folder, source, report.label_set, figures)
        film = stack.enter_context(
            closing(FilmWriter(folder / FILM, frames_per_second=work.rate_hz))
        )
        move = stack.enter_context(progress_bar('Filming'))
        samples, still, nearest = [], None, math.inf
        frames = staged(work, enumerate(stream), name='film', workers=WORKERS)
        for done, frame in enumerate(frames, 1):
            film.add(frame.sweep)
            samples += [frame.sample] if frame.sample else []
            if still is None or frame.off_middle < nearest:
                still, nearest = frame.sweep, frame.off_middle
            move(done, max(done, figures.frames))
    write_picture(folder / SHEET, draw_contact_sheet(samples, report.label_set))
    return DriveFilm(film.path, still, tuple(samples))


@dataclass(frozen=True, eq=False)
class _Done:
    """A picture of the film; how far its line is from the middle, inf without labels."""

    sweep: np.ndarray
    off_middle: float
    sample: Frame | None


class _FrameWork:
    """What is done with each frame, safe to run in several threads at once."""

    def __init__(
        self, folder: Path, source: FrameSource, label_set: LabelSet, figures: CameraFigures
    ) -> None:
        self._folder, self._source, self._label_set = folder, source, label_set
        self._points = {point.stamp_ns: point for point in figures.series}
        sent = sorted({*self._points, *(each.stamp_ns for each in figures.skipped)})
        self._samples = sample_stamps(sent, self._points.keys())
        self.rate_hz = rate_hz(sent)

    def __call__(self, numbered: tuple[int, StreamedFrame]) -> _Done:
        """Colour one frame and write it; one that cannot be read is black: the drive goes on."""
        position, frame = numbered
        # Another image of the same stamp has no labels of its own.
        point = self._points.get(frame.stamp_ns) if frame.problem is None else None
        labels = self._labels(frame) if point else None
        image = self._image(frame, BLANK_SIZE if labels is None else labels.shape)
        is_sample = frame.problem is None and frame.stamp_ns in self._samples
        truth = self._source.truth(frame)[0] if is_sample else None
        pictures = frame_pictures(image, {'labels': labels, 'truth': truth}, self._label_set)
        shown = pictures.get('labels', image)
        if labels is not None:
            name = f'{frame.stamp_ns}.jpg'
            path = self._folder / OVERLAYS / camera_in_a_file_name(frame.camera) / name
            write_picture(path, shown)
        told = f'{point.latency_ms:.0f} ms' if point and point.latency_ms else 'dropped'
        divide = sweep_position(position / self.rate_hz)
        sweep = sweep_panel(image, shown, divide=divide, caption=f'{frame.index:04d}  {told}')
        off_middle = math.inf if labels is None else abs(divide - 0.5)
        if not is_sample:
            return _Done(sweep, off_middle, None)
        panels = tuple(Picture(CAPTIONS[kind], picture) for kind, picture in pictures.items())
        sample = Frame(f'Frame {frame.index}', panels, _notes(point))
        return _Done(sweep, off_middle, sample)

    def _labels(self, frame: StreamedFrame) -> np.ndarray | None:
        path = label_path(self._folder, frame.camera, frame.stamp_ns)
        return cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None

    def _image(self, frame: StreamedFrame, size: tuple[int, ...]) -> np.ndarray:
        try:
            return self._source.image(frame)[0]
        except ImageError:
            return np.zeros((*size, 3), np.uint8)


def _notes(point: SeriesPoint | None) -> tuple[str, ...]:
    """What was measured of a frame, in a line."""
    if point is None:
        return (DROPPED,)
    measured = ((point.pq, 'PQ {:.0f}'), (point.latency_ms, '{:.0f} ms'))
    told = [text.format(value) for value, text in measured if value is not None]
    return (SEPARATOR.join(told),) if told else ()


def sample_stamps(sent: Sequence[int], answered: Collection[int]) -> set[int]:
    """One stamp of each of `SAMPLES` equal parts of a drive, or all of fewer frames.

    Args:
        sent: stamps of all frames, rising [ns].
        answered: those of frames that have labels.

    Returns:
        The answered one next to the middle of each part; the middle itself where a part has none.
    """
    parts = np.array_split(np.asarray(sent, dtype=np.int64), min(SAMPLES, len(sent)) or 1)
    return {_sample(part.tolist(), answered) for part in parts if part.size}


def _sample(part: list[int], answered: Collection[int]) -> int:
    middle = part[len(part) // 2]
    with_labels = [stamp for stamp in part if stamp in answered]
    return min(with_labels, key=lambda stamp: abs(stamp - middle), default=middle)


def rate_hz(stamps_ns: Iterable[int]) -> float:
    """Frames per second over the span from the first to the last; a usual one below two frames."""
    stamps = sorted(stamps_ns)
    span = stamps[-1] - stamps[0] if stamps else 0
    return (len(stamps) - 1) / (span / 1e9) if span > 0 else DEFAULT_RATE_HZ


def sweep_position(seconds: float) -> float:
    """Where the dividing line stands at a time of the film, 0..1; it begins in the middle."""
    return 0.5 - SWEEP_REACH * math.sin(2 * math.pi * seconds / SWEEP_SECONDS)


def sweep_panel(
    image: np.ndarray, labelled: np.ndarray, *, divide: float, caption: str
) -> np.ndarray:
    """Camera on the left of a vertical line, labels on the right of it.

    Args:
        image: BGR uint8 [H, W, 3].
        labelled: the same picture under its labels.
        divide: where the line stands, 0 the left edge, 1 the right one.
        caption: short text for the upper left corner, ASCII.
    """
    height, width = image.shape[:2]
    column = int(np.clip(round(divide * width), 2, width - 3))
    panel = image.copy()
    panel[:, column:] = labelled[:, column:]
    panel[:, column - 1 : column + 2] = WHITE
    scale = width / 1200
    if divide > 0.16:
        write_caption(panel, 'camera', (0, height), scale=scale)
    if divide < 0.8:
        write_caption(panel, 'panoptic labels', (width, height), scale=scale, right=True)
    write_caption(panel, caption, (0, round(44 * scale)), scale=scale * 0.8)
    return panel


@contextmanager
def quiet_standard_error() -> Iterator[None]:
    """Swallow what C code writes to standard error.

    OpenCV tells there that WebM has no four-letter code for VP8, which it then does without, and
    of every codec that is not built in; neither means anything to the reader.
    """
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class FilmWriter:
    """A film that is written frame by frame. Close it before use.

    Attributes:
        path: its file; None before the first frame.
    """

    def __init__(self, stem: Path, *, frames_per_second: float) -> None:
        self._stem = stem
        self._rate = frames_per_second
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self.path: Path | None = None

    def _open(self, width: int, height: int) -> cv2.VideoWriter:
        for codec, suffix in CODECS:
            path = self._stem.with_suffix(suffix)
            with quiet_standard_error():
                writer = cv2.VideoWriter(
                    str(path), cv2.VideoWriter.fourcc(*codec), self._rate, (width, height)
                )
            if writer.isOpened():
                self.path = path
                return writer
        raise EvaluationError(
            f'this OpenCV writes neither {" nor ".join(c for c, _ in CODECS)}; '
            'install opencv-python-headless from PyPI.'
        )

    def add(self, picture: np.ndarray) -> None:
        """Append a picture, BGR uint8 [H, W, 3].

        All take the size of the first, made even as codecs want it.
        """
        if self._writer is None:
            shown = fit_width(picture, min(FILM_WIDTH, picture.shape[1]))
            self._size = (shown.shape[1] // 2 * 2, shown.shape[0] // 2 * 2)
            self._writer = self._open(*self._size)
        self._writer.write(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA))

    def close(self) -> None:
        """Finish the file; harmless when nothing was added."""
        if self._writer is not None:
            self._writer.release()
            self._writer = None
