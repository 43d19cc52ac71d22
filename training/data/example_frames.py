# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of a split that together show as many of its classes as can be."""

import numpy as np

from training.data.data_summary import DataSummary
from training.data.frame_facts import FrameFacts
from training.data.frames import Frame

VISIBLE_SHARE = 0.0005  # of the pixels of a frame, below which a class is hardly seen


def choose_examples(summary: DataSummary, count: int) -> list[Frame]:
    """Frames, one after another the one that shows most of what the others do not.

    A class counts once for the first frame that shows it, a quarter for the second, a ninth for
    the third: rare classes come first, then variety.

    Args:
        summary: Usable frames of a split.
        count: At most as many.
    """
    shown = np.array([_visible(facts, summary) for _, facts in summary.frames], np.float64)
    shown = shown.reshape(len(summary.frames), summary.label_set.num_classes)
    times = np.zeros(summary.label_set.num_classes)
    chosen: list[int] = []
    while len(chosen) < min(count, len(summary.frames)):
        gain = shown @ (1 / (1 + times) ** 2)
        gain[chosen] = -1
        best = int(np.argmax(gain))
        chosen.append(best)
        times += shown[best]
    return [summary.frames[index][0] for index in chosen]


def _visible(facts: FrameFacts, summary: DataSummary) -> np.ndarray:
    visible = np.zeros(summary.label_set.num_classes, bool)
    pixels = facts.size[0] * facts.size[1]
    for entry in facts.per_class:
        visible[entry.class_id] = entry.pixels >= VISIBLE_SHARE * pixels
    return visible
