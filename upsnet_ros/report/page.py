# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A report as a page: one HTML file that holds pictures, charts and style, and loads nothing."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from upsnet_ros.report import document as doc

JPEG_FLAGS = [cv2.IMWRITE_JPEG_QUALITY, 80]
REACH = 48.0  # percent of a cell between its middle and the farthest end of an interval


def write_page(report: doc.Report, path: Path) -> Path:
    """Write the page, its folder included; returns the path.

    Raises:
        OSError: It cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render_page(report), encoding='utf-8')
    return path


def render_page(report: doc.Report) -> str:
    """The page as text."""
    return _environment().get_template('page.html.j2').render(report=report)


def _environment() -> Environment:
    """Templates that escape whatever they write, and fail where they name what is not there."""
    environment = Environment(
        loader=PackageLoader('upsnet_ros.report'),
        autoescape=True,
        finalize=_harmless,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals['track_colours'] = doc.TRACK_COLOURS
    environment.filters.update(
        figure=doc.figure,
        signed=doc.signed,
        words=doc.words_of,
        kind=lambda block: type(block).__name__,
        css=_css_colour,
        chart=_drawn,
        names=_track_names,
        pack=_packed,
        filled=_filled,
        whisker=_whisker,
    )
    return environment


def _harmless(value: Any) -> Any:
    """Whatever a template writes, as one line that can be printed; it is escaped afterwards."""
    return value if isinstance(value, Markup) else doc.one_line(value)


def _css_colour(colour: doc.Colour | None) -> str:
    return 'var(--accent)' if colour is None else 'rgb({:d} {:d} {:d})'.format(*map(int, colour))


def _drawn(chart: doc.Timeline | doc.Histogram) -> Markup:
    # matplotlib takes half a second to import: commands begin without it, and a page without
    # charts needs none.
    from upsnet_ros.report.charts import chart_svg

    return Markup(chart_svg(chart))


def _track_names(charts: doc.Charts) -> list[str]:
    """Whose line is which, where a chart has several."""
    tracks = [chart.tracks for chart in charts.charts if isinstance(chart, doc.Timeline)]
    most: Sequence[Any] = max(tracks, key=len, default=())
    return [track.name for track in most] if len(most) > 1 else []


def _packed(image: np.ndarray | Path, widest: int = 1280) -> dict[str, Any] | None:
    """A picture as an address that loads nothing, with its size; None where there is none."""
    picture = cv2.imread(str(image), cv2.IMREAD_COLOR) if isinstance(image, Path) else image
    if picture is None:
        return None
    height, width = picture.shape[:2]
    if width > widest:
        height, width = max(1, round(height * widest / width)), widest
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
    done, data = cv2.imencode('.jpg', picture, JPEG_FLAGS)
    if not done:
        return None
    text = base64.b64encode(data.tobytes()).decode('ascii')
    return {'uri': f'data:image/jpeg;base64,{text}', 'width': width, 'height': height}


def _filled(bar: doc.Bar) -> float | None:
    """The part of a bar that is filled [%], None where there is no figure."""
    if bar.value is None or not math.isfinite(bar.value):
        return None
    return round(100.0 * abs(min(max(bar.value / bar.top, 0.0), 1.0)), 1)


def _whisker(interval: doc.Interval) -> dict[str, Any] | None:
    """Where the ends and the middle of an interval lie in its cell [%]; None without a change."""
    change = interval.value
    if change is None or not math.isfinite(change):
        return None

    def place(end: float | None) -> float:
        end = change if end is None or not math.isfinite(end) else end
        return round(50.0 + REACH * max(-1.0, min(1.0, end / (interval.reach or 1.0))), 2)

    low, high = place(interval.low), place(interval.high)
    ends = f'{doc.signed(interval.low, 2)} to {doc.signed(interval.high, 2)}'
    known = interval.low is not None and interval.high is not None
    label = f'{doc.signed(change, 2)}, {ends if known else doc.DASH}'
    return {
        'low': low, 'length': round(high - low, 2), 'middle': place(change), 'label': label
    }  # fmt: skip
