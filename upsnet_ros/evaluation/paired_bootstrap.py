# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How sure a difference between two evaluations is: the paired bootstrap over frames.

The drive is drawn again and again, frame by frame with repetition. Both evaluations are figured
out on the same draws, so what makes a frame hard for both falls out of the difference. Frames that
follow each other resemble each other; drawn one by one they count as more evidence than they are.
Drawing blocks of them gives wider, more honest intervals.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, chapters 8 (other data structures)
and 13 (percentile intervals).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from upsnet_ros.core.errors import EvaluationError, LabelError, ParameterError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.figures import COMPARED, FRAME_VALUES, FrameValue
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, FrameRecord, read_frames

# Weights held at a time, so that memory does not grow with the drive: 32 MB.
WEIGHTS_AT_A_TIME = 4_000_000

Figures = dict[str, np.ndarray]  # by key: [R] or [R, S] for R weightings of the frames
CLASS_FIGURES = ('pq', 'sq', 'rq', 'iou')


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class FrameTable:
    """What was measured of F frames with S classes.

    Attributes:
        names: camera and stamp [ns] of each frame.
        quality: float64 [F, 4, S], states of `PanopticQuality`; zero where there is no truth.
        overlap: float64 [F, 2, S], pixels of each class in both and in either of label and truth;
            zero where there is no truth.
        pq: float64 [F], panoptic quality of the frame alone [%]; NaN without truth.
        values: float64 [F] by what reads it from a record (`Figure.frame`); NaN for None.
    """

    names: tuple[tuple[str, int], ...]
    quality: np.ndarray
    overlap: np.ndarray
    pq: np.ndarray
    values: dict[FrameValue, np.ndarray]

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.names)

    @property
    def true_segments(self) -> np.ndarray:
        """True segments of each class in each frame, whatever was predicted: float64 [F, S]."""
        return self.quality[:, 1] + self.quality[:, 3]

    def select(self, rows: np.ndarray) -> FrameTable:
        """The table of some of its frames, in the order of `rows` (int [n])."""
        return FrameTable(
            names=tuple(self.names[row] for row in rows.tolist()),
            quality=self.quality[rows],
            overlap=self.overlap[rows],
            pq=self.pq[rows],
            values={read: column[rows] for read, column in self.values.items()},
        )

    def with_quality_of(self, judged: np.ndarray) -> FrameTable:
        """The table with zero quality and overlap where `judged` (bool [F]) is not set."""
        kept = judged.astype(np.float64)[:, None, None]
        return replace(self, quality=self.quality * kept, overlap=self.overlap * kept)


def read_table(folder: Path, label_set: LabelSet) -> FrameTable:
    """The labelled frames of a report's folder, by camera and stamp.

    Args:
        folder: where `frames.jsonl` lies.
        label_set: the classes of the report.

    Raises:
        EvaluationError: the file is missing, of another version, or does not fit the label set;
            or frames of a camera share a stamp.
    """
    path = folder / FRAMES_FILE
    records = [line for line in read_frames(path) if isinstance(line, FrameRecord)]
    ordered = sorted(records, key=lambda record: (record.camera, record.stamp_ns))
    names = tuple((record.camera, record.stamp_ns) for record in ordered)
    for name, next_name in pairwise(names):
        if name == next_name:  # one of them alone would be compared, without a word
            raise EvaluationError(
                f'{path} has several frames of camera {name[0]} with the stamp {name[1]} ns, '
                'expected a stamp of its own for each, by which frames are joined; evaluate the '
                'bag again: images that repeat a stamp are skipped, those without stamps (0) are '
                'known by their times of recording'
            )
    size, classes = len(names), label_set.num_classes
    try:
        quality = np.array([_quality(record, label_set) for record in ordered])
        overlap = np.array([_overlap(record, label_set) for record in ordered])
    except (IndexError, LabelError, ValueError) as error:
        raise EvaluationError(
            f"{path} does not fit the label set '{label_set.name}' with {classes} classes "
            f'({error}); evaluate the bag again'
        ) from error
    return FrameTable(
        names=names,
        quality=quality.reshape(size, 4, classes),
        overlap=overlap.reshape(size, 2, classes),
        pq=np.array([record.pq for record in ordered], np.float64),
        values={
            read: np.array([read(record) for record in ordered], np.float64)
            for read in FRAME_VALUES
        },
    )


def _quality(record: FrameRecord, label_set: LabelSet) -> np.ndarray:
    """The counts of a frame: float64 [4, S]."""
    state = record.quality_state(label_set.num_classes)
    return PanopticQuality.from_state(label_set, state).state()


def _overlap(record: FrameRecord, label_set: LabelSet) -> np.ndarray:
    """Pixels of each class in both label and truth, and in either: float64 [2, S]."""
    pixels = np.zeros((256, 256))
    for true, given, count in record.confusion or ():
        pixels[int(true), int(given)] += count
    both = pixels.diagonal()
    either = pixels.sum(axis=0) + pixels.sum(axis=1) - both
    return np.stack([both, either])[:, : label_set.num_classes]


def shared_frames(this: FrameTable, against: FrameTable) -> tuple[FrameTable, FrameTable]:
    """The frames that both have, in the order of camera and stamp."""
    rows = [{name: row for row, name in enumerate(table.names)} for table in (this, against)]
    names = sorted(rows[0].keys() & rows[1].keys())
    one, other = (np.array([row[name] for name in names], np.intp) for row in rows)
    return this.select(one), against.select(other)


@dataclass(eq=False)
class WeightedFrames:
    """Frames that count several times, in R ways; NaN where there is nothing to measure.

    Attributes:
        table: F frames.
        weights: float64 [R, F], how often each frame counts, whole numbers.
        num_stuff: classes below it are stuff, the others things.
        classes: by name (`CLASS_FIGURES`) float64 [R, S], percent; NaN for a class that occurs in
            neither labels nor truth (for SQ: that has no match).
    """

    table: FrameTable
    weights: np.ndarray
    num_stuff: int
    classes: dict[str, np.ndarray] = field(init=False)

    def __post_init__(self) -> None:
        """Weigh the classes once."""
        iou_sum, matched, extra, missed = self._sum(self.table.quality)
        both, either = self._sum(self.table.overlap)
        self._counted = matched + 0.5 * extra + 0.5 * missed
        self.classes = {
            'pq': 100.0 * _ratio(iou_sum, self._counted),
            'sq': 100.0 * _ratio(iou_sum, matched),
            'rq': 100.0 * _ratio(matched, self._counted),
            'iou': 100.0 * _ratio(both, either),
        }

    def _sum(self, states: np.ndarray) -> np.ndarray:
        """States [F, n, S] under the weights: [n, R, S]."""
        return np.tensordot(self.weights, states, axes=1).transpose(1, 0, 2)

    def class_mean(self, name: str, group: str = 'all') -> np.ndarray:
        """Mean of a figure over the classes that occur, those of a group: float64 [R]."""
        values = self.classes[name]
        if name == 'sq':  # as in PanopticQualitySummary, a class that has no match counts as 0
            values = np.where(self._counted > 0, np.nan_to_num(values), np.nan)
        groups = {'all': slice(None), 'stuff': slice(self.num_stuff)}
        values = values[:, groups.get(group, slice(self.num_stuff, None))]
        present = (~np.isnan(values)).sum(axis=1)
        return _ratio(np.nansum(values, axis=1), present.astype(np.float64))

    def mean(self, of: FrameValue) -> np.ndarray:
        """Mean of a value over the frames that have it: float64 [R]."""
        values = self.table.values[of]
        present = ~np.isnan(values)
        total = self.weights @ np.where(present, values, 0.0)
        return _ratio(total, self.weights @ present.astype(np.float64))

    def quantile(self, of: FrameValue, share: float) -> np.ndarray:
        """A quantile of a value, as NumPy finds it among the repeated values: float64 [R]."""
        values = self.table.values[of]
        order = np.argsort(values)[: np.count_nonzero(~np.isnan(values))]  # NaN is sorted last
        if not order.size:
            return np.full(len(self.weights), np.nan)
        ordered = values[order]
        upto = np.cumsum(self.weights[:, order], axis=1)  # [R, n]
        last = np.maximum(upto[:, -1] - 1, 0)
        place = share * last
        low = np.floor(place)
        below, above = (
            ordered[np.minimum((upto <= rank[:, None]).sum(axis=1), len(ordered) - 1)]
            for rank in (low, np.minimum(low + 1, last))
        )
        return np.where(upto[:, -1] > 0, below + (place - low) * (above - below), np.nan)

    def figures(self) -> dict[str, np.ndarray]:
        """Every figure that is compared: float64 [R] by key, and [R, S] by `class_` and name."""
        found = {f'class_{name}': values for name, values in self.classes.items()}
        for figure in COMPARED:
            if figure.weigh is not None:
                found[figure.key] = figure.weigh(self)
            elif figure.frame is not None:
                found[figure.key] = self.mean(figure.frame)
        return found


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; NaN where the whole is zero."""
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


@dataclass(frozen=True)
class BootstrapOptions:
    """How to draw.

    Attributes:
        resamples: How often the drive is drawn.
        seed: Of the random numbers; the same seed gives the same intervals.
        confidence: Share of the draws inside an interval, above 0 and below 1.
        block_frames: Frames that are drawn together.
    """

    resamples: int = 1000
    seed: int = 0
    confidence: float = 0.95
    block_frames: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        for name in ('resamples', 'block_frames'):
            if getattr(self, name) < 1:
                raise ParameterError(
                    f'{name} is {getattr(self, name)}, expected a whole number from 1 up'
                )
        if self.seed < 0:
            raise ParameterError(f'seed is {self.seed}, expected a whole number from 0 up')
        if not 0.0 < self.confidence < 1.0:
            raise ParameterError(
                f'confidence is {self.confidence}, expected a number above 0 and below 1'
            )


def compare_paired(
    this: FrameTable, against: FrameTable, *, num_stuff: int, options: BootstrapOptions
) -> Figures:
    """Compare two evaluations of the same frames, in the same order; at least one.

    Returns:
        By the keys of `WeightedFrames.figures` float64 [5, 1] or [5, S]: this figure, the other,
        `this` less `against`, low and high end of its interval; NaN where there is none, for an
        end where no draw has a difference.
    """

    def both(weights: np.ndarray) -> tuple[Figures, Figures]:
        one, other = (WeightedFrames(table, weights, num_stuff) for table in (this, against))
        return one.figures(), other.figures()

    once, other = both(np.ones((1, len(this))))
    changes: dict[str, list[np.ndarray]] = {key: [] for key in once}
    for weights in draw_weights(len(this), options):
        drawn = both(weights)
        for key, parts in changes.items():
            parts.append(drawn[0][key] - drawn[1][key])
    tails = 50.0 * (1.0 - options.confidence), 50.0 * (1.0 + options.confidence)
    return {
        key: np.vstack(
            [
                np.concatenate([once[key], other[key], once[key] - other[key]]).reshape(3, -1),
                _percentiles(np.concatenate(parts), tails),
            ]
        )
        for key, parts in changes.items()
    }


def draw_weights(frames: int, options: BootstrapOptions) -> Iterator[np.ndarray]:
    """Draw the frames of every resample.

    Yields:
        float64 [r, frames], how often each frame was drawn; the r add up to the resamples.
    """
    random = np.random.default_rng(options.seed)
    blocks = -(-frames // options.block_frames)
    at_a_time = max(1, WEIGHTS_AT_A_TIME // frames)
    for first in range(0, options.resamples, at_a_time):
        count = min(at_a_time, options.resamples - first)
        drawn = random.integers(blocks, size=(count, blocks))
        drawn += np.arange(count)[:, None] * blocks  # a range of bins for each resample
        often = np.bincount(drawn.ravel(), minlength=count * blocks).reshape(count, blocks)
        weights = np.repeat(often, options.block_frames, axis=1)[:, :frames]
        yield weights.astype(np.float64)


def _percentiles(values: np.ndarray, percents: tuple[float, float]) -> np.ndarray:
    """Percentiles of the draws that have a value, [R] or [R, S] to [2, S]; NaN where none has."""
    columns = values.reshape(len(values), -1)
    result = np.full((len(percents), columns.shape[1]), np.nan)
    some = ~np.isnan(columns).all(axis=0)
    if some.any():
        result[:, some] = np.nanpercentile(columns[:, some], percents, axis=0)
    return result
