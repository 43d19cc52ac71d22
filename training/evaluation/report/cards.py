# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The headline figures on the page."""

from typing import Any

from training.evaluation.report.plain_text import html_text
from training.evaluation.report.table import number, paper_row


def headline_cards(metrics: dict[str, Any]) -> str:
    """A card for each headline figure.

    Args:
        metrics: Content of ``metrics.json``.
    """
    row = paper_row(metrics)
    pq, sq, rq, pq_things, _, _, pq_stuff, _, _, miou, ap_box, ap_mask, milliseconds = row
    unknown = 100 * metrics['unknown_share'] if metrics['frames'] else None
    skipped = len(metrics['skipped'])
    kind = metrics['ap']['of'] if metrics['ap'] else 'not measured'
    left_out = f'{skipped} left out' if skipped else 'none left out'
    return ''.join(
        (
            _card(
                'Panoptic quality',
                number(pq),
                f'things {number(pq_things)} · stuff {number(pq_stuff)}',
            ),
            _card('Segmentation quality', number(sq), 'mean IoU of the matches'),
            _card('Recognition quality', number(rq), 'F1 of the matching'),
            _card('Mean IoU', number(miou), 'semantic head' if miou is not None else 'not known'),
            _card('AP of masks', number(ap_mask), f'boxes {number(ap_box)} · {kind}'),
            _card('Unknown pixels', number(unknown, digits=2), '% of all, mean of frames'),
            _card('Run time', number(milliseconds, digits=0), 'ms per image, mean'),
            _card('Frames', str(metrics['frames']), left_out, alarm=bool(skipped)),
        )
    )


def _card(name: str, value: str, detail: str, *, alarm: bool = False) -> str:
    return (
        f'<div class="{"card alarm" if alarm else "card"}"><p class="name">{html_text(name)}</p>'
        f'<p class="value">{html_text(value)}</p><p class="detail">{html_text(detail)}</p></div>'
    )
