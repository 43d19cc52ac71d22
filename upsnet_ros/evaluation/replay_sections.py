# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The page of a replay, offline and live.

Cards, charts and tables loop over the one table of figures; what is said here is what no single
figure can say.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from upsnet_ros.core.labels import LabelClass
from upsnet_ros.core.overlay import UNKNOWN_BGR, WRONG_BGR
from upsnet_ros.evaluation.comparison import Comparison, read_comparison
from upsnet_ros.evaluation.comparison_sections import comparison_section
from upsnet_ros.evaluation.figures import BY_KEY, FIGURES, Figure
from upsnet_ros.evaluation.frame_record import (
    FRAMES_FILE,
    PAGE_FILE,
    REPORT_FILE,
    FrameRecord,
    read_frames,
)
from upsnet_ros.evaluation.replay_report import (
    CameraFigures,
    Json,
    ReplayReport,
    WorstFrame,
    read_report,
)
from upsnet_ros.evaluation.replay_summary import (
    headline_cards,
    live_cards,
    unit_of,
    verdict,
    warnings,
    what_came,
)
from upsnet_ros.report import document as doc
from upsnet_ros.report.page import write_page

LEFT_OUT_SHOWN = 20
TIME_BINS = 24
# Levels that the chart of a figure shows, and their names there.
LEVELS = {
    'pq': (('pq', 'drive'),),
    'latency_p50_ms': (('latency_p50_ms', 'p50'), ('latency_p95_ms', 'p95')),
}
CAPTIONS = {
    'image': 'camera',
    'labels': 'labels',
    'truth': 'ground truth',
    'difference': 'where the class differs',
}
COLOURS = 'Colours as in the pictures; shades tell instances of a class apart.'
CLASSES_WITH_TRUTH = (
    f'{COLOURS} The bar is the panoptic quality in percent; a dash: the class was neither there '
    'nor predicted.'
)
CLASSES_WITHOUT = (
    f'{COLOURS} Without ground truth there is no quality. The bar is the flicker: of the pixels '
    'that had the class in a frame or the one before, the share that did not have it in both [%].'
)
METHOD = {
    'offline': 'Every image was given to the model one after the other; the time of a frame is '
    'that of preparing it, the network and the panoptic head.',
    'live': 'The bag was played into the running node. The age of labels runs from the stamp of '
    'their image, which is the moment of sending, to their arrival; where the player kept the '
    'stamps of the bag, from the arrival of the image beside the node. A frame is dropped when no '
    'labels came; flips are not measured across it.',
}
QUALITY_METHOD = (
    'Panoptic quality is the mean over the classes present of (sum of the IoU of matched '
    'segments) / (matches + half of the unmatched ones), in percent; segments match above an IoU '
    'of 0.5. It is taken over the {frames} with ground truth.'
)
FLIPS_METHOD = (
    'Flips are pixels whose class changed from one frame to the next, away from borders between '
    'classes. They need no ground truth.'
)


def write_replay_page(
    folder: Path, *, film: doc.Film | None = None, samples: tuple[doc.Frame, ...] = ()
) -> Path:
    """Write `report.html` from what an evaluation left in a folder; returns its path.

    Args:
        folder: where the report lies.
        film: of the drive, to begin with.
        samples: frames at about even distances.

    Raises:
        EvaluationError: the report, or a comparison beside it, is missing or not of this version.
    """
    report, comparison = read_report(folder), read_comparison(folder)
    page = replay_report(report, folder, comparison, film=film, samples=samples)
    return write_page(page, folder / PAGE_FILE)


def replay_report(
    report: ReplayReport,
    folder: Path,
    comparison: Comparison | None = None,
    *,
    film: doc.Film | None = None,
    samples: tuple[doc.Frame, ...] = (),
) -> doc.Report:
    """All that the page shows.

    Args:
        report: what was measured.
        folder: where the pictures lie that it names.
        comparison: with another report, or None.
        film: of the drive, to begin with.
        samples: frames at about even distances.
    """
    total = report.total
    with_truth = total.pq is not None
    sections = [
        doc.Section('', (*([film] if film else []), headline_cards(report, comparison))),
        *_live(report, comparison),
        doc.Section('Classes', (
            doc.Note(CLASSES_WITH_TRUTH if with_truth else CLASSES_WITHOUT),
            doc.Beside(tuple(_class_tables(report))),
            doc.Note(doc.Key((0, 0, 0), 'unknown: no class was sure enough.')),
        )),
    ]  # fmt: skip
    if comparison is not None:
        sections.append(comparison_section(comparison, report, folder))
    sections += [*_over_the_drive(report), *_stages(report, folder)]
    sections += [*_cameras(report), *_worst_frames(report, folder)]
    if samples:
        note = doc.Note('Frames at about even distances, not chosen by their quality.')
        sections.append(doc.Section('Through the drive', (note, doc.Frames(samples, across=3))))
    date = report.environment.get('date')
    return doc.Report(
        kind='Live replay' if report.kind == 'live' else 'Offline replay',
        title=f'{report.model.name} on {Path(report.bag.path).name}',
        verdict=verdict(report),
        sections=(*sections, *_left_out(report), _method(report)),
        warnings=tuple(warnings(report)),
        footer=f'Made {date} by upsnet_ros.' if date else 'Made by upsnet_ros.',
    )


def _live(report: ReplayReport, comparison: Comparison | None) -> list[doc.Section]:
    if report.kind != 'live':
        return []
    cards = doc.Cards(tuple(live_cards(report, comparison)))
    return [doc.Section('What the car would have seen', (doc.Note(what_came(report)), cards))]


def _class_tables(report: ReplayReport) -> Iterator[doc.Table]:
    """Stuff and things, in the order of the label set."""
    figures = report.total
    for title, is_thing in (('Stuff', False), ('Things', True)):
        classes = [entry for entry in report.label_set.classes if entry.is_thing == is_thing]
        if not classes:
            continue
        bar = doc.Column('', wide=True)
        if figures.pq is None:
            rows = tuple(_flicker_row(entry, figures) for entry in classes)
            yield doc.Table((doc.Column(title), bar, doc.Column('flicker')), rows)
            continue
        minor = [doc.Column(name, minor=True) for name in ('SQ', 'RQ', 'flicker')]
        columns = (
            doc.Column(title),
            bar,
            doc.Column('PQ'),
            *minor[:2],
            doc.Column('IoU'),
            minor[2],
        )
        by_class = {entry['class_id']: entry for entry in figures.pq['per_class']}
        quality = figures.pq[title.lower()]
        means = (quality[part] if quality['classes'] else None for part in ('pq', 'sq', 'rq'))
        rows = tuple(_quality_row(c, by_class.get(c.train_id), figures) for c in classes)
        yield doc.Table(columns, (*rows, (f'all {title.lower()}', '', *means, '', '')), total=True)


def _flicker(entry: LabelClass, figures: CameraFigures) -> float | None:
    flicker = figures.stability['flicker'].get(entry.name) if figures.stability else None
    return None if flicker is None else 100.0 * flicker


def _flicker_row(entry: LabelClass, figures: CameraFigures) -> tuple[doc.Cell, ...]:
    flicker = _flicker(entry, figures)
    return doc.Key(entry.colour, entry.name), doc.Bar(flicker, entry.colour), flicker


def _quality_row(
    entry: LabelClass, quality: Json | None, figures: CameraFigures
) -> tuple[doc.Cell, ...]:
    counts = ('true_positives', 'false_positives', 'false_negatives')
    occurs = quality is not None and any(quality[count] for count in counts)
    pq, sq, rq = (quality[part] if quality and occurs else None for part in ('pq', 'sq', 'rq'))
    iou = figures.miou['per_class'].get(entry.name) if figures.miou else None
    key, bar = doc.Key(entry.colour, entry.name), doc.Bar(pq, entry.colour)
    return key, bar, pq, sq, rq, iou, _flicker(entry, figures)


def _over_the_drive(report: ReplayReport) -> list[doc.Section]:
    """A chart for each figure that has a course, and the spread of the confidences."""
    start_ns = report.start_ns
    if start_ns is None:
        return []
    charts: list[doc.Timeline | doc.Histogram] = []
    for each in FIGURES:
        tracks = tuple(_tracks(each, report, start_ns))
        if any(np.isfinite(track.values).any() for track in tracks):
            title = each.live_chart if report.kind == 'live' and each.live_chart else each.chart
            charts.append(doc.Timeline(title, tracks, _levels(each, report), each.least_top))
    charts += _histograms(report)
    notes = [doc.Note(text) for text in [' '.join(_how_to_read(report))] if text]
    return [doc.Section('Over the drive', (*notes, doc.Charts(tuple(charts))))]


def _levels(each: Figure, report: ReplayReport) -> tuple[doc.Reference, ...]:
    levels = [(BY_KEY[key], name) for key, name in LEVELS.get(each.key, ())]
    values = [(level, name, level.shown(report.total)) for level, name in levels]
    return tuple(
        doc.Reference(value, f'{name} {doc.figure(value, level.digits)}{unit_of(level)}')
        for level, name, value in values
        if value is not None
    )


def _histograms(report: ReplayReport) -> Iterator[doc.Histogram]:
    time = BY_KEY['latency_p50_ms']
    values = [v for f in report.cameras.values() for v in time.course(f) if v is not None]
    if values:
        counts, edges = np.histogram(values, bins=TIME_BINS, range=(0.0, max(values) or 1.0))
        title = 'Frames by the age of their labels' if report.kind == 'live' else 'Frames by time'
        ends = float(edges[0]), float(edges[-1])
        yield doc.Histogram(title, tuple(counts.tolist()), *ends, 'ms', _levels(time, report))
    counts = report.total.confidence['counts']
    if sum(counts):
        yield doc.Histogram('Instances by confidence', tuple(counts), 0.0, 1.0, 'confidence')


def _how_to_read(report: ReplayReport) -> Iterator[str]:
    if any(len(figures.series) > doc.STRETCHES for figures in report.cameras.values()):
        yield 'The line is the mean of short stretches of the drive.'
        if len(report.cameras) == 1:
            yield 'The band around it goes from the least to the greatest value.'
    if report.total.skipped or report.total.drops:
        yield 'A red mark at the foot is a frame that was lost.'


def _tracks(each: Figure, report: ReplayReport, start_ns: int) -> Iterator[doc.Track]:
    for name, figures in report.cameras.items():
        if not figures.series or not each.chart:
            continue
        stamps = np.array([point.stamp_ns for point in figures.series], np.int64)
        course = [np.nan if value is None else value for value in each.course(figures)]
        order = np.argsort(stamps, kind='stable')
        # A message without a readable stamp has the time of recording, maybe of another clock.
        lost = np.array([skipped.stamp_ns for skipped in figures.skipped], np.int64)
        lost = lost[(lost >= stamps.min()) & (lost <= stamps.max())]
        yield doc.Track(
            name,
            (stamps[order] - start_ns) / 1e9,
            np.array(course, np.float64)[order],
            (lost - start_ns) / 1e9,
        )


def _stages(report: ReplayReport, folder: Path) -> list[doc.Section]:
    """The median of each stage of a frame, where frames tell of more than their total."""
    times: dict[str, list[float]] = {}
    path = folder / FRAMES_FILE
    for line in read_frames(path) if path.is_file() else ():
        if isinstance(line, FrameRecord):
            for name, milliseconds in line.ms.items():
                times.setdefault(name, []).append(milliseconds)
    if len(times) < 2:
        return []
    medians = {name: float(np.median(values)) for name, values in times.items()}
    total = medians.pop('total')
    longest = max(total, *medians.values())
    whole = 'stamp to label' if report.kind == 'live' else 'in all'
    rows = tuple(
        (name.replace('_', ' '), doc.Bar(median, top=longest), median)
        for name, median in (medians | {whole: total}).items()
    )
    columns = (doc.Column('Stage'), doc.Column('', wide=True), doc.Column('median [ms]'))
    return [doc.Section('Where the time goes', (doc.Table(columns, rows, total=True),))]


def _cameras(report: ReplayReport) -> list[doc.Section]:
    """A row for each camera, where there are several."""
    if len(report.cameras) < 2:
        return []
    figures = [each for each in FIGURES if each.column]
    heads = (doc.Column(each.column, digits=each.digits) for each in figures)
    columns = (doc.Column('Camera'), doc.Column('frames'), *heads)
    rows = tuple(
        (name, f'{f.decoded} of {f.frames}', *(each.shown(f) for each in figures))
        for name, f in report.cameras.items()
    )
    return [doc.Section('Cameras', (doc.Table(columns, rows, scrolls=True),))]


def _worst_frames(report: ReplayReport, folder: Path) -> list[doc.Section]:
    if not report.worst:
        return []
    by_quality = report.worst[0].pq is not None
    start_ns = report.start_ns or 0
    frames = tuple(_worst_frame(frame, folder, start_ns) for frame in report.worst)
    legend = (
        'In the last picture:',
        doc.Key(WRONG_BGR[::-1], 'wrong class'),
        doc.Key(UNKNOWN_BGR[::-1], 'labelled unknown'),
    )
    note = (
        'Lowest panoptic quality of all, not more than one of a camera within a second.'
        if by_quality
        else 'Largest share of unknown pixels of all.'
    )
    shown = doc.Frames(frames, legend=legend if by_quality else '')
    return [doc.Section('Worst frames', (doc.Note(note), shown))]


def _worst_frame(frame: WorstFrame, folder: Path, start_ns: int) -> doc.Frame:
    files = frame.files(folder)
    pictures = tuple(
        doc.Picture(caption, path)
        for kind, caption in CAPTIONS.items()
        if (path := files.get(kind))
    )
    quality = '' if frame.pq is None else f'PQ {doc.figure(frame.pq)} · '
    notes = [f'{quality}{doc.percent(frame.unknown_share)} % unknown']
    if not pictures:
        notes.append('Its pictures are no longer in the folder.')
    title = f'{frame.camera} at {(frame.stamp_ns - start_ns) / 1e9:.1f} s'
    return doc.Frame(title, pictures, tuple(notes), stamp=str(frame.stamp_ns))


def _left_out(report: ReplayReport) -> list[doc.Section]:
    """Images and ground truth that could not be used, each with its reason."""
    rows = tuple(
        (f'{name} {each.stamp_ns}', f'{what}{each.problem}')
        for name, figures in report.cameras.items()
        for what, messages in (('', figures.skipped), ('ground truth: ', figures.truth_problems))
        for each in messages
    )
    if not rows:
        return []
    columns = (doc.Column('message'), doc.Column('problem', words=True))
    blocks: list[doc.Block] = [doc.Table(columns, rows[:LEFT_OUT_SHOWN])]
    if len(rows) > LEFT_OUT_SHOWN:
        blocks.append(doc.Note(f'{len(rows) - LEFT_OUT_SHOWN} more are in {REPORT_FILE}.'))
    return [doc.Section('Left out', tuple(blocks))]


def _method(report: ReplayReport) -> doc.Section:
    frames = doc.count_of(report.total.truth_frames, 'frame')
    points = (METHOD[report.kind], QUALITY_METHOD.format(frames=frames), FLIPS_METHOD)
    facts = (
        doc.Facts(vars(report.bag), 'Bag'),
        doc.Facts(vars(report.model), 'Model'),
        doc.Facts(report.options, 'Options'),
        doc.Facts(report.speed, 'Speed'),
        doc.Facts(report.environment, 'Environment'),
    )
    command = doc.Section('Command', (doc.Command(report.command),))
    return doc.Section('How this was measured', (doc.Points(points), command, doc.Beside(facts)))
