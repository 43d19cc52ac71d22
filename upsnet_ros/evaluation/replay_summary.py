# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a replay comes to: headline figures, the result in a sentence, what a reader must know.

The page begins with it, and it is all that the terminal says.
"""

from __future__ import annotations

from pathlib import Path

from upsnet_ros.evaluation.comparison import Comparison
from upsnet_ros.evaluation.comparison_sections import change_against
from upsnet_ros.evaluation.figures import BY_KEY, FIGURES, Figure, parts_of
from upsnet_ros.evaluation.frame_record import NO_LABEL, REPORT_FILE
from upsnet_ros.evaluation.live.camera_rate import USED_SHARE
from upsnet_ros.evaluation.replay_report import CameraFigures, Json, ReplayReport
from upsnet_ros.report import document as doc
from upsnet_ros.report.text import terminal_text

LOST_ALARM = 0.05  # share of lost frames above which a card is an alarm
# A system clock set by more than this while a bag was played falsifies the ages.
CLOCK_STEP_MS = 2.0
LOSSES = (
    ('dropped_by_node', 'dropped by the node, which took a newer one'),
    ('refused_by_node', 'refused by the node as unreadable, or failed in the model'),
    ('lost_on_the_way', 'lost on the way to the node or back'),
)


def summary_text(report: ReplayReport, folder: Path) -> str:
    """The figures over all cameras, what was lost of the bag, and where the report is."""
    cards = [*headline_cards(report).cards, *live_cards(report)]
    notes = [what_came(report)] if report.kind == 'live' else []
    notes += warnings(report)
    unreadable = next((each for each in report.total.skipped if each.problem != NO_LABEL), None)
    if unreadable is not None:
        notes.append(f'first image skipped, {unreadable.stamp_ns}: {unreadable.problem}')
    step = report.speed.get('clock_step_ms') or 0.0
    if abs(step) > CLOCK_STEP_MS:
        notes.append(
            f'the clock was set by {step} ms while playing; the times are wrong by as much'
        )
    told = terminal_text([doc.Cards(tuple(cards)), doc.Points(tuple(notes))])
    return f'{told}\n\n  report: {folder / REPORT_FILE}'


def verdict(report: ReplayReport) -> str:
    """The result in a sentence."""
    total = report.total
    frames = doc.count_of(total.frames, 'frame')
    how_many = frames if total.decoded == total.frames else f'{total.decoded} of {frames}'
    sentence = f'{how_many} of {doc.count_of(len(report.cameras), "camera")} labelled'
    if total.latency_ms.p50 is not None:
        sentence += f', half of them within {doc.figure(total.latency_ms.p50, 0)} ms'
    quality = BY_KEY['pq'].shown(total)
    if quality is not None:
        sentence += f', at a panoptic quality of {doc.figure(quality)}'
    return f'{sentence}.'


def warnings(report: ReplayReport) -> list[str]:
    """What a reader must know before trusting the figures."""
    total = report.total
    lines = [*report.bag.problems, *report.bag.notes]
    unreadable = len(total.skipped) - total.drops
    if unreadable:
        lines.append(
            f'{doc.count_of(unreadable, "image")} could not be labelled and '
            f'{_are(unreadable)} in no figure; the report names each.'
        )
    if total.truth_unmatched:
        lines.append(
            f'{doc.count_of(total.truth_unmatched, "image")} of ground truth had a stamp that no '
            'camera image has.'
        )
    if total.truth_problems:
        lines.append(
            f'{doc.count_of(len(total.truth_problems), "image")} of ground truth could not be '
            'used; the report names each.'
        )
    return lines


def headline_cards(report: ReplayReport, comparison: Comparison | None = None) -> doc.Cards:
    """The headline figures; those of the node stand in a section of their own."""
    cards = [
        _card(each, report, comparison)
        for each in FIGURES
        if each.has_card and not _is_of_the_node(each, report)
        if each.value(report.total, report.speed) is not None
    ]
    if report.kind == 'offline':
        cards.append(_labelled_card(report))
        rate, share = (report.speed.get(n) for n in ('frames_per_second', 'network_share'))
        if rate is not None:
            detail = (
                '' if share is None else f'{doc.percent(share, 0)} % of the time in the network'
            )
            cards.append(doc.Card('Throughput', rate, 'frames/s', detail))
    return doc.Cards(tuple(cards))


def _is_of_the_node(each: Figure, report: ReplayReport) -> bool:
    return each.of_run or (report.kind == 'live' and bool(each.live_name))


def _card(each: Figure, report: ReplayReport, comparison: Comparison | None) -> doc.Card:
    """A figure, the figures that are a part of it, and its change against the other report."""
    total, speed = report.total, report.speed
    parts = [each.detail(total)] if each.detail else []
    for part in parts_of(each):
        unit = '' if part.unit == each.unit else unit_of(part)
        parts.append(f'{part.short} {doc.figure(part.shown(total, speed), part.digits)}{unit}')
    change = change_against(comparison, each.key)
    lines: list[doc.Line] = [' · '.join(parts), *([(change, 'vs other')] if change else [])]
    value = each.shown(total, speed)
    return doc.Card(each.called(report.kind), value, each.unit, lines, digits=each.digits)


def _labelled_card(report: ReplayReport) -> doc.Card:
    total = report.total
    unreadable = len(total.skipped) - total.drops
    parts = [f'{unreadable} unreadable'] if unreadable else []
    parts.append(f'{total.truth_frames} with ground truth')
    return doc.Card(
        'Frames labelled', total.decoded, f'of {total.frames}', ' · '.join(parts),
        alarm=_lost_many(total),
    )  # fmt: skip


def _lost_many(total: CameraFigures, possible_share: float = 1.0) -> bool:
    return total.decoded < (1.0 - LOST_ALARM) * possible_share * total.frames


def possible_share(speed: Json) -> float:
    """Part of the frames that can be answered at the camera's rate, where it was measured.

    A computer that is slower than its camera is no fault of the node.
    """
    camera_hz, measured_hz = speed.get('camera_hz'), speed.get('measured_hz')
    return min(1.0, USED_SHARE * measured_hz / camera_hz) if camera_hz and measured_hz else 1.0


def live_cards(report: ReplayReport, comparison: Comparison | None = None) -> list[doc.Card]:
    """What came in time and what the node took; nothing of an offline replay."""
    if report.kind != 'live':
        return []
    total = report.total
    answered = doc.Card(
        'Frames answered', 100.0 * total.decoded / total.frames if total.frames else None, '%',
        f'{total.decoded} of {total.frames} · {total.drops} dropped · '
        f'{doc.figure(report.speed.get("frames_per_second"))} labels/s',
        alarm=_lost_many(total, possible_share(report.speed)),
    )  # fmt: skip
    of_node = (each for each in FIGURES if each.has_card and _is_of_the_node(each, report))
    return [answered, *(_card(each, report, comparison) for each in of_node)]


def what_came(report: ReplayReport) -> str:
    """Which frames of a live replay were answered, and why the others were not."""
    speed, total = report.speed, report.total
    played = _how_it_was_played(speed)
    unread = total.frames - total.decoded - total.drops
    if not total.drops:
        return f'{played} Every {"other " if unread > 0 else ""}frame was answered.'
    known = [(speed.get(name), what) for name, what in LOSSES]
    parts = [f'{count} {what}' for count, what in known if count]
    told = '; '.join(parts) if parts else 'the node did not tell why'
    lost = (
        f'{doc.count_of(total.drops, "frame")} got no label and {_are(total.drops)} in no figure'
    )
    return f'{played} {lost}: {told}.'


def _how_it_was_played(speed: Json) -> str:
    """The pace, and where the camera's rate was chosen what it was chosen by."""
    pace, camera_hz, measured_hz = (speed.get(n) for n in ('rate', 'camera_hz', 'measured_hz'))
    if pace is None:
        return 'The bag was played.'
    played = f'The bag was played at {pace:.3g} times its pace'
    if camera_hz is None:
        return f'{played}.'
    played += f', {camera_hz:g} Hz'
    if measured_hz is None:
        return f'{played}.'
    played += f'; measured before, this computer labelled {measured_hz:.1f} of its frames a second'
    return f'{played}.' if possible_share(speed) == 1 else f'{played}, too few to answer all.'


def _are(count: int) -> str:
    return 'is' if count == 1 else 'are'


def unit_of(each: Figure) -> str:
    """What is written behind a figure."""
    return each.unit if each.unit in ('', '/s') else f' {each.unit}'
