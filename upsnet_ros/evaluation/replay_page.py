# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report of a replay for people: one HTML file that holds its pictures and loads nothing."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from string import Template

from upsnet_ros.evaluation.comparison import Comparison, read_comparison
from upsnet_ros.evaluation.comparison_page import open_folders, page_style
from upsnet_ros.evaluation.comparison_section import comparison_section
from upsnet_ros.evaluation.frame_pictures import first_stamp, packed_pictures
from upsnet_ros.evaluation.frame_record import PAGE_FILE
from upsnet_ros.evaluation.live_section import live_section
from upsnet_ros.evaluation.page_text import (
    count_of,
    css_colour,
    facts,
    facts_table,
    html_text,
    number,
    percent,
)
from upsnet_ros.evaluation.panels import UNKNOWN_BGR, WRONG_BGR
from upsnet_ros.evaluation.replay_cards import (
    group_figure,
    headline_cards,
    mean_iou,
    verdict,
    warnings,
)
from upsnet_ros.evaluation.replay_charts import charts, charts_note, legend
from upsnet_ros.evaluation.replay_classes import class_tables, classes_note
from upsnet_ros.evaluation.replay_report import ReplayReport, WorstFrame, read_report

SKIPPED_SHOWN = 20
CAPTIONS = {
    'image': 'camera',
    'labels': 'labels',
    'truth': 'ground truth',
    'difference': 'where the class differs',
}
POINTS = {
    'offline': 'Every image was given to the model one after the other; the time of a frame is '
    'that of preparing it, the network and the panoptic head.',
    'live': 'The bag was played into the running node. The age of labels runs from the stamp of '
    'their image, which is the moment of sending, to their arrival; where the player kept the '
    'stamps of the bag, from the arrival of the image beside the node. A frame is dropped when no '
    'labels came; flips are not measured across it.',
}
ALWAYS = (
    'Panoptic quality is the mean over the classes present of (sum of the IoU of matched '
    'segments) / (matches + half of the unmatched ones), in percent; segments match above an IoU '
    'of 0.5.',
    'Flips are pixels whose class changed from one frame to the next, away from borders between '
    'classes. They need no ground truth.',
)


def write_replay_page(folder: Path) -> Path:
    """Write `report.html` from what an evaluation left in a folder; returns its path.

    Raises:
        EvaluationError: the report, or a comparison beside it, is missing or not of this version.
    """
    report, comparison = read_report(folder), read_comparison(folder)
    path = folder / PAGE_FILE
    path.write_text(render_replay_page(report, folder, comparison), encoding='utf-8')
    return path


def render_replay_page(
    report: ReplayReport, folder: Path, comparison: Comparison | None = None
) -> str:
    """The page as text.

    Args:
        report: What to show.
        folder: Where the pictures lie that it names.
        comparison: With another report, or None.
    """
    templates = files('upsnet_ros.evaluation') / 'templates'
    template = Template((templates / 'replay.html').read_text(encoding='utf-8'))
    date = report.environment.get('date')
    return template.substitute(
        title=html_text(f'{report.model.name} on {Path(report.bag.path).name}'),
        kicker='Live replay' if report.kind == 'live' else 'Offline replay',
        style=page_style(),
        verdict=html_text(verdict(report)),
        warnings=warnings(report),
        cards=headline_cards(report, comparison),
        live=live_section(report, comparison),
        classes_note=html_text(classes_note(report.total)),
        classes=class_tables(report.total, report.label_set),
        comparison=_comparison(report, comparison, folder),
        charts_note=html_text(charts_note(report)) + legend(list(report.cameras)),
        charts=charts(report),
        cameras=_cameras(report),
        worst=_worst(report, folder),
        skipped=_skipped(report),
        method=_method(report),
        command=html_text(report.command),
        facts=_facts(report),
        footer=html_text(f'Made {date} by upsnet_ros.' if date else 'Made by upsnet_ros.'),
    )


def _comparison(report: ReplayReport, comparison: Comparison | None, folder: Path) -> str:
    if comparison is None:
        return ''
    return comparison_section(comparison, report.label_set, open_folders(comparison, folder))


def _cameras(report: ReplayReport) -> str:
    """A row for each camera, where there are several."""
    if len(report.cameras) < 2:
        return ''
    rows = ''.join(
        f'<tr><td class="name">{html_text(name)}</td><td>{f.decoded} of {f.frames}</td>'
        f'<td>{number(group_figure(f, "all"))}</td><td>{number(mean_iou(f))}</td>'
        f'<td>{percent(f.unknown_share, digits=2)}</td><td>{number(f.latency_ms.p50, digits=0)}'
        f'</td><td>{number(f.latency_ms.p95, digits=0)}</td></tr>'
        for name, f in report.cameras.items()
    )
    heads = ''.join(
        f'<th>{head}</th>'
        for head in ('frames', 'PQ', 'IoU', 'unknown [%]', 'p50 [ms]', 'p95 [ms]')
    )
    return (
        '<section><h2>Cameras</h2><div class="scroll" role="region" tabindex="0" '
        f'aria-label="Cameras"><table><thead><tr><th>Camera</th>{heads}</tr></thead>'
        f'<tbody>{rows}</tbody></table></div></section>'
    )


def _worst(report: ReplayReport, folder: Path) -> str:
    """The frames to look at."""
    if not report.worst:
        return ''
    by_quality = report.worst[0].pq is not None
    note = (
        'Lowest panoptic quality of all, not more than one of a camera within a second. In the '
        f'last picture:{_key(WRONG_BGR, "wrong class")}{_key(UNKNOWN_BGR, "labelled unknown")}'
        if by_quality
        else 'Largest share of unknown pixels of all.'
    )
    start_ns = first_stamp(report) or 0
    figures = ''.join(_worst_frame(frame, folder, start_ns) for frame in report.worst)
    return f'<section><h2>Worst frames</h2><p class="note">{note}</p>{figures}</section>'


def _key(colour_bgr: tuple[int, int, int], name: str) -> str:
    colour = css_colour((colour_bgr[2], colour_bgr[1], colour_bgr[0]))
    return (
        f' <span class="keys"><span class="key" style="background:{colour}"></span>{name}</span>'
    )


def _worst_frame(frame: WorstFrame, folder: Path, start_ns: int) -> str:
    pictures = packed_pictures(folder, frame)
    shown = [(kind, *pictures[kind]) for kind in CAPTIONS if kind in pictures]
    panels = ''.join(
        f'<figure><img src="{uri}" width="{width}" height="{height}" decoding="async" '
        f'alt="{CAPTIONS[kind]} of this frame"><figcaption>{CAPTIONS[kind]}</figcaption></figure>'
        for kind, uri, width, height in shown
    )
    missing = '' if shown else '<p class="note">Its pictures are no longer in the folder.</p>'
    quality = '' if frame.pq is None else f'PQ {number(frame.pq)} · '
    return (
        f'<div class="frame"><h3>{html_text(frame.camera)} at '
        f'{(frame.stamp_ns - start_ns) / 1e9:.1f} s <span class="stamp">{int(frame.stamp_ns)}'
        f'</span></h3><p class="note">{quality}{percent(frame.unknown_share)} % unknown</p>'
        f'{missing}<div class="panels four">{panels}</div></div>'
    )


def _skipped(report: ReplayReport) -> str:
    """Images and ground truth that could not be used, each with its reason."""
    rows = [
        (f'{name} {each.stamp_ns}', f'{what}{each.problem}')
        for name, figures in report.cameras.items()
        for what, messages in (('', figures.skipped), ('ground truth: ', figures.truth_problems))
        for each in messages
    ]
    if not rows:
        return ''
    more = len(rows) - SKIPPED_SHOWN
    note = f'<p class="note">{more} more are in report.json.</p>' if more > 0 else ''
    return f'<section><h2>Left out</h2>{facts_table(rows[:SKIPPED_SHOWN])}{note}</section>'


def _method(report: ReplayReport) -> str:
    taken = (
        f'It is taken over the {count_of(report.total.truth_frames, "frame")} with ground truth.'
    )
    points = (POINTS[report.kind], f'{ALWAYS[0]} {taken}', ALWAYS[1])
    return '<ul>' + ''.join(f'<li>{html_text(point)}</li>' for point in points) + '</ul>'


def _facts(report: ReplayReport) -> str:
    groups = (
        ('Bag', vars(report.bag)),
        ('Model', vars(report.model)),
        ('Options', report.options),
        ('Speed', report.speed),
        ('Environment', report.environment),
    )
    tables = ''.join(
        f'<div><h3>{title}</h3>{facts_table(facts(values))}</div>' for title, values in groups
    )
    return f'<div class="fact-groups">{tables}</div>'
