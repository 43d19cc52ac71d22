# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Everything a look at one split found, the frames that cannot be used beside those that can."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.checked import examine_frames
from training.data.class_statistics import SplitStatistics, count_split
from training.data.data_summary import DataSummary
from training.data.errors import BrokenFrame, DataError
from training.data.frames import FrameList, FrameReader


@dataclass(frozen=True)
class SplitReport:
    """A split of a data set.

    Attributes:
        summary: Its usable frames.
        statistics: Their counts.
        broken: Frames and entries that cannot be used: those of the annotations first.
        unpaired: See :func:`training.data.frames.unpaired_files`; empty if the split cannot be listed.
        remarks: What is allowed but worth knowing of, one line each.
    """

    summary: DataSummary
    statistics: SplitStatistics
    broken: tuple[BrokenFrame, ...]
    unpaired: dict[str, list[str]]
    remarks: tuple[str, ...]

    @property
    def problems(self) -> list[str]:
        """Of all broken frames, one sentence each."""
        return [line for frame in self.broken for line in frame.problems]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return self.statistics.to_dict() | {
            'never_seen': self.summary.never_seen(),
            'broken': [
                {'name': frame.name, 'problems': list(frame.problems)} for frame in self.broken
            ],
            **self.unpaired,
            'remarks': list(self.remarks),
        }


def report_split(
    reader: FrameReader,
    split: str,
    *,
    cache: Path,
    workers: int,
    limit: int | None = None,
) -> SplitReport:
    """Read a split whole; what is wrong with it is found, not raised.

    Args:
        reader: Of the data set.
        split: Its name.
        cache: JSON file of earlier findings.
        workers: Frames read at a time.
        limit: Read only the first frames; names and annotations are looked at all the same.
    """
    try:
        listed = reader.survey(split)
    except DataError as error:
        listed = FrameList([], [BrokenFrame(split, (str(error),))])
    frames = listed.frames[:limit]
    found = examine_frames(reader, frames, split, reader.label_set, cache=cache, workers=workers)
    return SplitReport(
        summary=found.summary,
        statistics=count_split(found.summary),
        broken=(*listed.broken, *found.broken),
        unpaired=listed.unpaired,
        remarks=(*listed.remarks, *found.summary.oddities()),
    )
