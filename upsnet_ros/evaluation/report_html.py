# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The report for people: one HTML file that holds its pictures and style, and loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

import cv2
import numpy as np

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.class_table import class_tables
from upsnet_ros.evaluation.contact_sheet import row_caption
from upsnet_ros.evaluation.drive_evaluation import DriveEvaluation, Shown
from upsnet_ros.evaluation.panels import (
    UNKNOWN_BGR,
    WRONG_BGR,
    difference_panel,
    fit_width,
    labels_panel,
    truth_panel,
)
from upsnet_ros.evaluation.report_charts import charts
from upsnet_ros.evaluation.report_json import Report

PANEL_WIDTH = 640
PANEL_QUALITY = 78
TEMPLATES = 'templates'


def number(value: float | None, *, digits: int = 1) -> str:
    """A measure as text; an en dash where there is none."""
    return '–' if value is None else f'{value:.{digits}f}'


def data_uri(data: bytes, kind: str) -> str:
    """Bytes as an address that needs no network."""
    return f'data:{kind};base64,{base64.b64encode(data).decode("ascii")}'


def jpeg_uri(picture: np.ndarray, *, width: int = PANEL_WIDTH) -> str:
    """A BGR picture as an embedded JPEG, never wider than `width`."""
    small = fit_width(picture, width) if picture.shape[1] > width else picture
    done, data = cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, PANEL_QUALITY])
    if not done:
        raise EvaluationError(f'a picture of shape {picture.shape} could not be packed as JPEG.')
    return data_uri(data.tobytes(), 'image/jpeg')


def hero(evaluation: DriveEvaluation) -> str:
    """The moving picture; those who asked their system for less motion get a still of it."""
    if evaluation.still is None:
        return ''
    height, width = evaluation.still.shape[:2]
    moving = data_uri(evaluation.moving_picture, 'image/webp')
    still = jpeg_uri(evaluation.still)
    return (
        '<figure class="hero"><picture>'
        f'<source media="(prefers-reduced-motion: reduce)" srcset="{still}">'
        f'<img src="{moving}" width="{width}" height="{height}" '
        'alt="The drive: camera on the left of a moving line, panoptic labels on the right">'
        '</picture><figcaption>Left of the line what the camera saw, right of it what the node '
        'answered. Number of the frame and latency in the corner.</figcaption></figure>'
    )


def _card(name: str, value: str, unit: str, detail: str, *, alarm: bool = False) -> str:
    small = f' <small>{escape(unit)}</small>' if unit else ''
    style = 'card alarm' if alarm else 'card'
    return (
        f'<div class="{style}"><p class="name">{escape(name)}</p>'
        f'<p class="value">{escape(value)}{small}</p><p class="detail">{escape(detail)}</p></div>'
    )


def cards(report: Report) -> str:
    """The headline figures."""
    pq, latency = report['pq'], report['latency_ms']
    unknown = report['unknown_share']
    dropped = report['frames_dropped']
    return '\n'.join(
        (
            _card(
                'Panoptic quality',
                number(pq['all']),
                'PQ',
                f'things {number(pq["things"])} · stuff {number(pq["stuff"])}',
            ),
            _card(
                'Frames labelled',
                f'{report["frames_labelled"]}',
                f'of {report["frames_sent"]}',
                f'{dropped} dropped' if dropped else 'none dropped',
                alarm=dropped > 0.05 * report['frames_sent'],
            ),
            _card(
                'Latency, median',
                number(latency['p50'], digits=0),
                'ms',
                f'p95 {number(latency["p95"], digits=0)} · p99 {number(latency["p99"], digits=0)}',
            ),
            _card(
                'Label rate',
                number(report['frames_per_second']),
                'per s',
                f'camera {number(report["camera_rate_hz"])} Hz',
            ),
            _card(
                'Node memory',
                number(report['node_peak_memory_mb'], digits=0),
                'MB',
                'peak, resident',
            ),
            _card(
                'Unknown pixels',
                number(None if unknown is None else 100 * unknown, digits=2),
                '%',
                'mean of labelled frames',
            ),
        )
    )


def _panel(picture: np.ndarray | None, caption: str) -> str:
    if picture is None:
        return ''
    height, width = picture.shape[:2]
    return (
        f'<figure><img src="{jpeg_uri(picture)}" width="{width}" height="{height}" '
        f'alt="{escape(caption)}" loading="lazy"><figcaption>{escape(caption)}</figcaption>'
        '</figure>'
    )


def frame_figure(shown: Shown, label_set: LabelSet, *, difference: bool) -> str:
    """Camera, labels and truth of a frame side by side, and where they differ if asked."""
    material, score = shown
    labels = labels_panel(material, label_set) if material.predicted is not None else None
    panels = [
        _panel(material.image, 'camera'),
        _panel(labels, 'labels of the node'),
        _panel(truth_panel(material, label_set), 'ground truth'),
    ]
    if difference:
        panels.append(_panel(difference_panel(material), 'where the class differs'))
    caption = ' · '.join(row_caption(material, score))
    style = 'panels four' if difference else 'panels'
    return (
        f'<div class="frame"><h3>{escape(caption)}</h3>'
        f'<div class="{style}">{"".join(panels)}</div></div>'
    )


def _key(colour_bgr: tuple[int, int, int], name: str) -> str:
    blue, green, red = colour_bgr
    return f'<span class="key" style="background:rgb({red} {green} {blue})"></span>{name}'


def worst_frames(shown: Sequence[Shown], label_set: LabelSet) -> str:
    """The section of the weakest frames, or nothing where none was labelled."""
    if not shown:
        return ''
    by_quality = shown[0][1].pq is not None
    note = (
        'Lowest panoptic quality of all frames. In the last picture:'
        f'{_key(WRONG_BGR, "wrong class")}{_key(UNKNOWN_BGR, "labelled unknown")}'
        if by_quality
        else 'Largest share of unknown pixels of all frames.'
    )
    figures = ''.join(frame_figure(one, label_set, difference=by_quality) for one in shown)
    return f'<section><h2>Weakest frames</h2><p class="note">{note}</p>{figures}</section>'


def sample_frames(shown: Sequence[Shown], label_set: LabelSet) -> str:
    """The section of frames spread over the drive."""
    if not shown:
        return ''
    figures = ''.join(frame_figure(one, label_set, difference=False) for one in shown)
    return (
        '<section><h2>Through the drive</h2><p class="note">Frames at even distances, not chosen '
        f'by their quality.</p>{figures}</section>'
    )


def verdict(report: Report) -> str:
    """The result in a sentence."""
    labelled, sent = report['frames_labelled'], report['frames_sent']
    how_many = f'all {sent} frames' if labelled == sent else f'{labelled} of {sent} frames'
    sentence = f'The node labelled {how_many}'
    if report['camera_rate_hz'] is not None:
        sentence += f' of a camera at {number(report["camera_rate_hz"])} Hz'
    if report['latency_ms']['p50'] is not None:
        sentence += f', half of them within {number(report["latency_ms"]["p50"], digits=0)} ms'
    if report['pq']['all'] is not None:
        sentence += f', at a panoptic quality of {number(report["pq"]["all"])}'
    return f'{sentence}.'


def _environment_rows(report: Report) -> str:
    facts = {**report['environment'], **report['replay']}
    facts.pop('command', None)
    rows = []
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ', '.join(f'{k} {v}' for k, v in value.items())
        elif isinstance(value, list):
            value = ' × '.join(str(v) for v in value)
        label = escape(name.replace('_', ' '))
        rows.append(f'<tr><td>{label}</td><td>{escape(str(value))}</td></tr>')
    return '\n'.join(rows)


def method(report: Report) -> str:
    """What the figures mean."""
    with_truth = report['frames_with_ground_truth']
    points = (
        'The drive was played by one process into the node, which runs in another, over DDS, at '
        f'{report["replay"]["rate_scale"]:g} times the pace of the recording; a third process '
        'recorded the answers.',
        'Latency runs from the stamp an image was sent with to the arrival of its label image. A '
        'frame is dropped when no label with its stamp came back.',
        'Panoptic quality is the mean over the classes present of (sum of the IoU of matched '
        'segments) / (matches + half of the unmatched ones), in percent; segments match above an '
        f'IoU of 0.5. It is taken over the {with_truth} labelled frames with ground truth.',
        'Memory is the largest resident set of the node process, shared memory included.',
    )
    return '<ul>' + ''.join(f'<li>{escape(point)}</li>' for point in points) + '</ul>'


def render_report(report: Report, evaluation: DriveEvaluation, label_set: LabelSet) -> str:
    """The page as text.

    Args:
        report: What `build_report` returned.
        evaluation: The pictures.
        label_set: Names and colours of the classes.
    """
    folder = files('upsnet_ros.evaluation') / TEMPLATES
    template = Template((folder / 'report.html').read_text(encoding='utf-8'))
    model = str(report['environment']['model'])
    bag = Path(str(report['replay']['bag'])).name
    return template.substitute(
        title=escape(f'{model} on {bag}'),
        heading=escape(f'{model} on {bag}'),
        style=(folder / 'report.css').read_text(encoding='utf-8'),
        verdict=escape(verdict(report)),
        hero=hero(evaluation),
        cards=cards(report),
        classes_note=(
            'Colours as in the pictures; shades tell instances of a class apart. The bar is the '
            'panoptic quality in percent; a dash: the class was neither there nor predicted.'
        ),
        classes=class_tables(report, label_set),
        charts=charts(report),
        charts_note='A red mark at the foot is a frame without a value, such as a dropped one.',
        worst=worst_frames(evaluation.worst, label_set),
        samples=sample_frames(evaluation.samples, label_set),
        method=method(report),
        command=escape(str(report['replay']['command'])),
        environment=_environment_rows(report),
        footer=escape(f'Made {report["environment"]["date"]} by upsnet_ros.'),
    )


def write_report_html(
    report: Report, evaluation: DriveEvaluation, label_set: LabelSet, path: Path
) -> None:
    """Write the page."""
    path.write_text(render_report(report, evaluation, label_set), encoding='utf-8')
