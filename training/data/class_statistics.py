# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Counts of a split: sizes, pixels, objects and crowds, of all and class by class."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.data.data_summary import DataSummary

COUNTS = ('pixels', 'small', 'medium', 'large', 'crowds')  # of a class in a frame


@dataclass(frozen=True)
class ClassStatistics:
    """Counts of a class over a split.

    Attributes:
        name: Of the class.
        is_thing: Whether its objects are counted.
        frames: Frames with at least one pixel of it.
        pixels: Its pixels.
        small: Objects of fewer than 32 x 32 pixels of the image on disk.
        medium: Objects between.
        large: Objects of 96 x 96 pixels or more.
        crowds: Crowds.
        median_box: Median width and median height of its objects' boxes in pixels; None without
            objects.
    """

    name: str
    is_thing: bool
    frames: int
    pixels: int
    small: int
    medium: int
    large: int
    crowds: int
    median_box: tuple[float, float] | None

    @property
    def objects(self) -> int:
        """Single objects."""
        return self.small + self.medium + self.large


@dataclass(frozen=True)
class SplitStatistics:
    """Counts of a split.

    Attributes:
        frames: Usable frames.
        sizes: Frames by height and width, the most frequent first.
        pixels: Of all frames.
        classes: In the order of the train ids.
    """

    frames: int
    sizes: dict[tuple[int, int], int]
    pixels: int
    classes: tuple[ClassStatistics, ...]

    @property
    def void_share(self) -> float | None:
        """Share of the pixels that belong to no class, 0 to 1; None without frames."""
        return 1.0 - sum(self.shares()) if self.pixels else None

    def shares(self) -> list[float]:
        """Share of the pixels of each class, 0 to 1."""
        return [entry.pixels / max(self.pixels, 1) for entry in self.classes]

    def total(self, count: str) -> int:
        """Sum over the classes of ``objects``, ``crowds``, ``small``, ``medium`` or ``large``."""
        return sum(getattr(entry, count) for entry in self.classes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        sizes = [
            {'width': width, 'height': height, 'frames': frames}
            for (height, width), frames in self.sizes.items()
        ]
        classes = [
            vars(entry) | {'objects': entry.objects, 'pixel_share': share}
            for entry, share in zip(self.classes, self.shares(), strict=True)
        ]
        totals = ('objects', 'small', 'medium', 'large', 'crowds')
        return {
            'frames': self.frames,
            'sizes': sizes,
            **{count: self.total(count) for count in totals},
            'void_share': self.void_share,
            'classes': classes,
        }


def count_split(summary: DataSummary) -> SplitStatistics:
    """The statistics of the usable frames of a split."""
    classes = summary.label_set.classes
    counts = np.zeros((len(classes), 1 + len(COUNTS)), np.int64)  # frames first
    sizes: Counter[tuple[int, int]] = Counter()
    widths: list[list[int]] = [[] for _ in classes]
    heights: list[list[int]] = [[] for _ in classes]
    for _, facts in summary.frames:
        sizes[facts.size] += 1
        for entry in facts.per_class:
            counts[entry.class_id] += (1, *(getattr(entry, count) for count in COUNTS))
            widths[entry.class_id] += entry.widths
            heights[entry.class_id] += entry.heights
    return SplitStatistics(
        frames=len(summary.frames),
        sizes=dict(sizes.most_common()),
        pixels=sum(height * width * number for (height, width), number in sizes.items()),
        classes=tuple(
            ClassStatistics(
                entry.name,
                entry.is_thing,
                **dict(zip(('frames', *COUNTS), row, strict=True)),
                median_box=_median(*sides),
            )
            for entry, row, *sides in zip(classes, counts.tolist(), widths, heights, strict=True)
        ),
    )


def _median(widths: list[int], heights: list[int]) -> tuple[float, float] | None:
    return (float(np.median(widths)), float(np.median(heights))) if widths else None
