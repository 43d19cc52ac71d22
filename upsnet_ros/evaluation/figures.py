# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The figures of a replay: what a report keeps of a camera, and the one table of all figures.

A new figure is a value of the frame record and a row of `FIGURES`: with `frame` alone its mean
over the labelled frames goes to report, `--require`, comparisons, pages and the terminal.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING

from upsnet_ros.core.errors import EvaluationError, shorten
from upsnet_ros.evaluation.frame_record import FrameRecord
from upsnet_ros.evaluation.replay_report import CameraFigures, Json, SeriesPoint

if TYPE_CHECKING:
    import numpy as np

    from upsnet_ros.evaluation.paired_bootstrap import WeightedFrames

Read = Callable[[CameraFigures], float | None]
FrameValue = Callable[[FrameRecord], float | None]
Weigh = Callable[['WeightedFrames'], 'np.ndarray']


@dataclass(frozen=True)
class Figure:
    """A row of the table.

    Attributes:
        key: name for `--require`, in comparisons and in files.
        name: how it is called.
        unit: in which it is shown.
        read: finds it in the figures of a camera, None where it was not measured; by default the
            mean of `frame`.
        frame: finds it in the record of one frame.
        weigh: the figure of weighted frames, float64 [R], by default the mean of `frame`; a figure
            with neither is not compared.
        of_run: whether it is found by its key in `speed` of the report, not in a camera's figures.
        higher_is_better: whether more of it is an improvement.
        factor: from what is measured to `unit`.
        digits: behind the point.
        live_name: how it is called in a live replay, where it is another thing than offline.
        has_card: whether it is a headline, with those that are `part_of` it beside it.
        part_of: key of that headline.
        short: name there.
        detail: what else is told there.
        column: head of its column in tables of cameras and models; none without it.
        chart: title of its course over the drive; none without it.
        live_chart: that in a live replay, where it is another one.
        point: finds it in a frame of that course.
        least_top: where the scale of the chart ends at least, in `unit`.
    """

    key: str
    name: str
    unit: str = ''
    _: KW_ONLY
    read: Read | None = None
    frame: FrameValue | None = None
    weigh: Weigh | None = None
    of_run: bool = False
    higher_is_better: bool = True
    factor: float = 1.0
    digits: int = 1
    live_name: str = ''
    has_card: bool = False
    part_of: str = ''
    short: str = ''
    detail: Callable[[CameraFigures], str] | None = None
    column: str = ''
    chart: str = ''
    live_chart: str = ''
    point: Callable[[SeriesPoint], float | None] | None = None
    least_top: float = 0.0

    def value(self, figures: CameraFigures, speed: Json | None = None) -> float | None:
        """What was measured; None where nothing was.

        Args:
            figures: of a camera, or of all together.
            speed: `speed` of the report; without it no figure of the run was measured.
        """
        if self.of_run:
            return (speed or {}).get(self.key)
        return self.read(figures) if self.read else figures.means.get(self.key)

    def shown(self, figures: CameraFigures, speed: Json | None = None) -> float | None:
        """The value in `unit`."""
        value = self.value(figures, speed)
        return None if value is None else self.factor * value

    def called(self, kind: str) -> str:
        """Its name in a report of a kind."""
        return self.live_name if kind == 'live' and self.live_name else self.name

    def course(self, figures: CameraFigures) -> list[float | None]:
        """The value of each frame of `series` in `unit`."""
        values = (self.point(point) for point in figures.series) if self.point else ()
        return [None if value is None else self.factor * value for value in values]


def _quality(group: str, part: str) -> Read:
    def read(figures: CameraFigures) -> float | None:
        values = figures.pq and figures.pq[group]
        return values[part] if values and values['classes'] else None

    return read


def _stability(name: str) -> Read:
    return lambda figures: figures.stability[name] if figures.stability else None


def _total_ms(record: FrameRecord) -> float | None:
    return record.ms.get('total')


def _classes(figures: CameraFigures) -> str:
    classes = figures.miou['classes'] if figures.miou else 0
    return f'over {classes} class{"" if classes == 1 else "es"}'


FIGURES = (
    Figure(
        'pq', 'Panoptic quality', '%', read=_quality('all', 'pq'),
        weigh=lambda frames: frames.class_mean('pq'), has_card=True, column='PQ',
        chart='Panoptic quality of each frame', point=lambda p: p.pq, least_top=100.0,
    ),
    Figure(
        'sq', 'Segmentation quality', '%', read=_quality('all', 'sq'),
        weigh=lambda frames: frames.class_mean('sq'),
    ),
    Figure(
        'rq', 'Recognition quality', '%', read=_quality('all', 'rq'),
        weigh=lambda frames: frames.class_mean('rq'),
    ),
    Figure(
        'pq_things', 'PQ of things', '%', read=_quality('things', 'pq'),
        weigh=lambda frames: frames.class_mean('pq', 'things'), part_of='pq', short='things',
        column='PQ things',
    ),
    Figure(
        'pq_stuff', 'PQ of stuff', '%', read=_quality('stuff', 'pq'),
        weigh=lambda frames: frames.class_mean('pq', 'stuff'), part_of='pq', short='stuff',
        column='PQ stuff',
    ),
    Figure(
        'miou', 'Mean IoU', '%',
        read=lambda f: f.miou['miou'] if f.miou and f.miou['classes'] else None,
        weigh=lambda frames: frames.class_mean('iou'), has_card=True, column='IoU',
        detail=_classes,
    ),
    Figure(
        'unknown_share', 'Unknown pixels', '%', read=lambda f: f.unknown_share, factor=100.0,
        frame=lambda record: record.unknown_share, digits=2, has_card=True, column='unknown [%]',
        detail=lambda f: 'mean of all frames', chart='Unknown pixels [%]',
        point=lambda p: p.unknown_share, least_top=1.0, higher_is_better=False,
    ),
    Figure(
        'confidence', 'Confidence', '%', read=lambda f: f.confidence['mean'], factor=100.0,
        digits=0, has_card=True,
        detail=lambda f: f'mean of {sum(f.confidence["counts"])} instances',
        chart='Mean confidence of the instances [%]', point=lambda p: p.mean_score,
        least_top=100.0,
    ),
    Figure(
        'latency_p50_ms', 'Time a frame, median', 'ms', read=lambda f: f.latency_ms.p50,
        weigh=lambda frames: frames.quantile(_total_ms, 0.5), digits=0,
        live_name='Age of labels, median', has_card=True, column='p50 [ms]',
        chart='Time of each frame [ms]', live_chart='Age of the labels when they came [ms]',
        point=lambda p: p.latency_ms, frame=_total_ms, higher_is_better=False,
    ),
    Figure(
        'latency_p95_ms', 'Time a frame, p95', 'ms', read=lambda f: f.latency_ms.p95,
        weigh=lambda frames: frames.quantile(_total_ms, 0.95), digits=0,
        live_name='Age of labels, p95', part_of='latency_p50_ms', short='p95', column='p95 [ms]',
        frame=_total_ms, higher_is_better=False,
    ),
    Figure(
        'latency_p99_ms', 'Time a frame, p99', 'ms', read=lambda f: f.latency_ms.p99,
        weigh=lambda frames: frames.quantile(_total_ms, 0.99), digits=0,
        live_name='Age of labels, p99', part_of='latency_p50_ms', short='p99', frame=_total_ms,
        higher_is_better=False,
    ),
    Figure(
        'latency_mean_ms', 'Time a frame, mean', 'ms', read=lambda f: f.latency_ms.mean,
        digits=0, live_name='Age of labels, mean', frame=_total_ms, higher_is_better=False,
    ),
    Figure(
        'flips', 'Pixels that flip', '%', read=_stability('flip_share'), factor=100.0, digits=2,
        has_card=True, column='flips [%]', detail=lambda f: 'of a frame',
        chart='Pixels that flip [%]', point=lambda p: p.flip_share, least_top=1.0,
        higher_is_better=False,
    ),
    Figure(
        'births_per_second', 'Instances that come', '/s', read=_stability('births_per_second'),
        part_of='flips', short='instances that come', higher_is_better=False,
    ),
    Figure(
        'deaths_per_second', 'Instances that go', '/s', read=_stability('deaths_per_second'),
        part_of='flips', short='that go', higher_is_better=False,
    ),
    Figure('drops', 'Frames dropped', read=lambda f: f.drops, digits=0, higher_is_better=False),
    Figure(
        'drop_share', 'Share of frames dropped', '%', factor=100.0,
        read=lambda f: f.drops / f.frames if f.frames else None, higher_is_better=False,
    ),
    Figure(
        'skipped', 'Frames skipped', read=lambda f: len(f.skipped), digits=0,
        higher_is_better=False,
    ),
    Figure('frames', 'Frames labelled', read=lambda f: f.decoded, digits=0),
    Figure(
        'truth_frames', 'Frames with ground truth', read=lambda f: f.truth_frames, digits=0,
    ),
    Figure(
        'truth_problems', 'Ground truth without use', read=lambda f: len(f.truth_problems),
        digits=0, higher_is_better=False,
    ),
    Figure(
        'truth_unmatched', 'Ground truth without image', read=lambda f: f.truth_unmatched,
        digits=0, higher_is_better=False,
    ),
    Figure(
        'node_cpu_percent', 'CPU of the node', '% of a core', of_run=True, digits=0,
        has_card=True, higher_is_better=False,
    ),
    Figure(
        'node_cpu_ms_per_frame', 'CPU of the node for a frame', 'ms', of_run=True, digits=0,
        part_of='node_cpu_percent', short='each frame answered', higher_is_better=False,
    ),
    Figure(
        'node_peak_mb', 'Memory of the node', 'MB', of_run=True, digits=0, has_card=True,
        detail=lambda f: 'the most that it held', higher_is_better=False,
    ),
)  # fmt: skip
BY_KEY = {figure.key: figure for figure in FIGURES}
COMPARED = tuple(figure for figure in FIGURES if figure.weigh or figure.frame)
FRAME_VALUES = tuple({figure.frame for figure in FIGURES if figure.frame})


def parts_of(figure: Figure) -> tuple[Figure, ...]:
    """The figures that stand beside a headline."""
    return tuple(each for each in FIGURES if each.part_of == figure.key)


# What can be required of every evaluation; the figures of a run are measured live only.
OF_FRAMES = tuple(figure.key for figure in FIGURES if not figure.of_run)

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    '>=': operator.ge,
    '<=': operator.le,
    '>': operator.gt,
    '<': operator.lt,
    '==': operator.eq,
}
PATTERN = re.compile(r'\s*([a-z]\w*)\s*(>=|<=|==|>|<)\s*(\S+)\s*')


@dataclass(frozen=True)
class Requirement:
    """One figure, how it is compared, and with what."""

    name: str
    comparison: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Requirement:
        """The requirement of a text such as `pq>=50` or `latency_p95_ms <= 80`.

        Raises:
            EvaluationError: it cannot be read, or there is no such figure.
        """
        found = PATTERN.fullmatch(text)
        try:
            value = float(found[3]) if found else math.nan
        except ValueError:
            value = math.nan
        if found is None or not math.isfinite(value):
            raise EvaluationError(
                f'the requirement {shorten(text)} cannot be read; expected a figure, one of '
                f'{" ".join(COMPARISONS)}, and a number, such as "pq>=50"'
            )
        if found[1] not in BY_KEY:
            raise EvaluationError(
                f"the requirement {shorten(text)} names no figure '{found[1]}'; known are "
                f'{", ".join(BY_KEY)}'
            )
        return cls(found[1], found[2], value)

    def failure(self, figures: CameraFigures, speed: Json) -> str | None:
        """Why the figures do not meet it, or None where they do."""
        measured = BY_KEY[self.name].value(figures, speed)
        wanted = f'{self.name} {self.comparison} {self.value:g}'
        if measured is None:
            return f'{wanted} is required, but {self.name} was not measured'
        if COMPARISONS[self.comparison](measured, self.value):
            return None
        return f'{wanted} is required, measured {measured:.6g}'


def failures(
    requirements: Sequence[Requirement], figures: CameraFigures, speed: Json | None = None
) -> list[str]:
    """Why figures do not meet requirements, one reason for each that they miss.

    Args:
        requirements: what must hold.
        figures: of all cameras together.
        speed: `speed` of the report; without it no figure of the run was measured.
    """
    reasons = (requirement.failure(figures, speed or {}) for requirement in requirements)
    return [reason for reason in reasons if reason is not None]
