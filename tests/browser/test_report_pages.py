# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pages in a real browser: nothing overflows, nothing fails, every picture is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.browser.chromium import Browser, Page, find_chromium
from tests.evaluation.replay_folders import changed, write_street
from tests.live.rig import write_live
from tests.report.blocks import NASTY, every_block, report_of
from upsnet_ros.evaluation.compare import main as compare
from upsnet_ros.evaluation.comparison_sections import write_models_page
from upsnet_ros.evaluation.replay_report import read_report
from upsnet_ros.evaluation.replay_sections import write_replay_page
from upsnet_ros.report.document import Column, Film, Frame, Picture, Table
from upsnet_ros.report.page import write_page

VIEWS = ((330, True), (390, False), (768, True), (1280, False))  # width [px], dark
# Elements that reach beyond the right edge without being in a box that scrolls by itself.
BEYOND = """
[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll')
    && e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
    .map(e => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`)
"""
CUT_OFF = """
[...document.querySelectorAll('.card .value, .card .detail, td.name, h1, h2, h3, summary')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0)
    .map(e => `${e.tagName}.${e.className}: ${e.textContent}`)
"""
# Numbers that are broken into several lines.
BROKEN = """
[...document.querySelectorAll('td, th')].filter(cell => {
    if (!/^[+-]?[0-9.]+$/.test(cell.textContent) && cell.tagName == 'TD') return false;
    if (cell.closest('.facts') || cell.textContent.includes(' ')) return false;
    const range = document.createRange();
    range.selectNodeContents(cell);
    return new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1;
}).map(cell => cell.textContent)
"""
IMAGES = """
Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth, () => 0)))
"""
OVERLAPS = """
(() => {
    const found = [];
    for (const svg of document.querySelectorAll('svg')) {
        const boxes = [...svg.querySelectorAll('text')].map(t => t.getBoundingClientRect());
        boxes.forEach((a, i) => boxes.slice(i + 1).forEach(b => {
            const x = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const y = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (x > 1 && y > 4) found.push(svg.getAttribute('aria-label'));
        }));
    }
    return found;
})()
"""


@pytest.fixture(scope='module')
def browser(tmp_path_factory) -> Iterator[Browser]:
    with Browser(find_chromium(), tmp_path_factory.mktemp('profile')) as running:
        yield running


def plain(folder: Path) -> Path:
    return write_replay_page(write_street(folder, frames=40))


def many_cameras(folder: Path) -> Path:
    names = tuple(f'a_camera_with_a_rather_long_name_{i}' for i in range(6))
    return write_replay_page(write_street(folder, frames=300, cameras=names))


def without_truth(folder: Path) -> Path:
    return write_replay_page(write_street(folder, with_truth=False))


def long_words(folder: Path) -> Path:
    write_street(folder, model='model' * 30, command='python ' + 'x' * 400)
    changed(folder, options={'bag': '/a' * 120}, environment={'cpu': 'y' * 200, 'date': 'today'})
    return write_replay_page(folder)


def compared(folder: Path) -> Path:
    one = write_street(folder / 'one', model='newer' * 5)
    other = write_street(folder / 'other', seed=2, model='older' * 5)
    compare([str(one), '--against', str(other), '--output', str(one), '--resamples', '100'])
    return write_replay_page(one)


def comparison_alone(folder: Path) -> Path:
    return compared(folder).with_name('comparison.html')


def live(folder: Path) -> Path:
    still = np.full((90, 160, 3), 99, np.uint8)
    sample = Frame('camera at 1 s', (Picture('camera', still), Picture('labels', still)))
    film = Film('drive.webm', 'the drive', still)
    write_live(folder, dropped=(0, 3, 4, 9, 29))
    return write_replay_page(folder, film=film, samples=(sample,))


def every_block_with_long_words(folder: Path) -> Path:
    text = f'{NASTY} {"w" * 80}'
    blocks = [block for block in every_block(text) if not isinstance(block, Table)]
    columns = (Column('name'), Column('PQ'), Column('problem', words=True))
    table = Table(columns, ((text, 99.9, text), ('short', -1.5, text)))
    return write_page(report_of(*blocks, table, text=text), folder / 'report.html')


def several_models(folder: Path) -> Path:
    compared(folder)
    return write_models_page(
        folder, ['one', 'other'], baseline='o' * 60, command='python ' + 'x' * 400
    )


PAGES = (
    plain,
    many_cameras,
    without_truth,
    long_words,
    compared,
    comparison_alone,
    live,
    several_models,
    every_block_with_long_words,
)


@pytest.fixture(scope='module', params=PAGES, ids=lambda make: make.__name__)
def path(request, tmp_path_factory) -> Path:
    make: Callable[[Path], Path] = request.param
    return make(tmp_path_factory.mktemp(make.__name__))


@pytest.mark.parametrize(('width', 'dark'), VIEWS)
def test_a_page_fits_and_works(browser: Browser, path: Path, width: int, dark: bool) -> None:
    page = browser.new_page()
    page.open(path, width=width, height=900, dark=dark)
    assert page.evaluate('innerWidth') == width
    assert page.evaluate('document.documentElement.scrollWidth') <= width
    assert page.evaluate(BEYOND) == []
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(BROKEN) == []
    assert page.evaluate(OVERLAPS) == []
    assert 0 not in page.evaluate(IMAGES)
    assert page.messages == []
    assert [url for url in page.requests if not url.startswith('data:')] == [path.as_uri()]


def test_text_keeps_contrast_in_both_schemes(browser: Browser, tmp_path) -> None:
    """The page is light by day and dark by night, and is drawn at all."""
    path = compared(tmp_path)
    brightness = []
    for dark in (False, True):
        page = browser.new_page()
        page.open(path, width=1280, height=900, dark=dark)
        drawn = np.frombuffer(page.screenshot(width=1280, height=900), np.uint8)
        picture = cv2.imdecode(drawn, cv2.IMREAD_GRAYSCALE)
        brightness.append(float(np.median(picture)))
        assert picture.std() > 5
    assert brightness[0] > 200 and brightness[1] < 60


def test_every_camera_line_has_its_own_colour(browser: Browser, tmp_path) -> None:
    page: Page = browser.new_page()
    page.open(many_cameras(tmp_path), width=1280, height=900)
    colours = page.evaluate(
        "[...document.querySelector('svg').querySelectorAll('path')]"
        ".filter(line => line.style.stroke.includes('--line'))"
        '.map(line => getComputedStyle(line).stroke)'
    )
    legend = page.evaluate(
        "[...document.querySelectorAll('.legend i')].map(i => getComputedStyle(i).backgroundColor)"
    )
    assert len(set(colours)) == 6
    assert set(colours) == set(legend)


def test_the_checks_find_what_they_are_for(browser: Browser, tmp_path) -> None:
    """A page with each fault: too wide, cut off, a lost picture, errors, words that overlap."""
    path = tmp_path / 'faulty.html'
    path.write_text(
        '<!DOCTYPE html><meta name="viewport" content="width=device-width"><body>'
        '<p style="width:3000px">wide</p><img src="missing.jpg">'
        '<h1 style="width:20px;overflow:hidden;white-space:nowrap">cut off here</h1>'
        '<table><td style="max-width:20px;overflow-wrap:anywhere">1234.5</td></table>'
        '<svg aria-label="both"><text x="5" y="20">one</text><text x="9" y="20">two</text></svg>'
        '<script>console.error("said"); throw new Error("thrown")</script>'
    )
    page = browser.new_page()
    page.open(path, width=390, height=900)
    assert page.evaluate('document.documentElement.scrollWidth') > 390
    for check in (BEYOND, CUT_OFF, BROKEN, OVERLAPS):
        assert page.evaluate(check) != [], check
    assert page.evaluate(IMAGES) == [0]
    told = '\n'.join(page.messages)
    assert 'error: said' in told and 'exception' in told
    assert (tmp_path / 'missing.jpg').as_uri() in page.requests


def test_a_report_names_frames_that_a_reader_finds(browser: Browser, tmp_path) -> None:
    path = plain(tmp_path)
    stamps = [str(frame.stamp_ns) for frame in read_report(tmp_path).worst]
    page = browser.new_page()
    page.open(path, width=390, height=900)
    shown = page.evaluate("[...document.querySelectorAll('.stamp')].map(s => s.innerText)")
    assert shown == stamps
