# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The frames of one process, and the records of all of them brought together."""

import json
import zlib
from collections.abc import Sequence

from tqdm import tqdm

from training.data.frames import Frame, FrameReader
from training.distributed import Processes
from training.evaluation.frame_loop import Answer, BadFrame, Keep, evaluate_frames
from training.evaluation.frame_record import FrameRecord
from training.evaluation.journal import Journal
from upsnet_ros.core.labels import LabelSet

Records = list[FrameRecord | BadFrame]


def evaluate_share(
    answer: Answer,
    frames: Sequence[Frame],
    reader: FrameReader,
    *,
    label_set: LabelSet,
    journal: Journal,
    keep: Keep | None,
    skip_bad: bool,
    workers: int,
    progress: bool,
) -> Records:
    """Records of some frames, those that the journal has and those that it has not.

    Args:
        answer: See :func:`training.evaluation.frame_loop.evaluate_frames`.
        frames: All frames of this process.
        reader: Of their data set.
        label_set: The classes.
        journal: Gives earlier records and receives the others.
        keep: Writes answers to files.
        skip_bad: Whether to go on after a frame that cannot be evaluated. It is tried again by a
            later run.
        workers: Threads beside the network.
        progress: Whether to draw a bar.

    Raises:
        UpsnetError: If a frame cannot be evaluated and ``skip_bad`` is off.
    """
    known = {frame.name: record for frame in frames if (record := journal.find(frame))}
    records: Records = [*known.values()]
    rest = [frame for frame in frames if frame.name not in known]
    found = evaluate_frames(
        answer,
        rest,
        reader,
        label_set=label_set,
        keep=keep,
        skip_bad=skip_bad,
        workers=workers,
    )
    with tqdm(
        total=len(frames),
        initial=len(records),
        unit='frame',
        dynamic_ncols=True,
        disable=not progress,
    ) as bar:
        for frame, entry in zip(rest, found, strict=True):
            if isinstance(entry, FrameRecord):
                journal.keep(frame, entry)
            records.append(entry)
            bar.update()
    return records


def join_shares(
    own: Records, frames: Sequence[Frame], processes: Processes, *, num_classes: int
) -> Records:
    """The records of all processes, in the order of the frames; on every process.

    Args:
        own: Records of this process.
        frames: All frames of all processes.
        processes: This process among the others.
        num_classes: Number of classes.
    """
    values = [vars(entry) if isinstance(entry, BadFrame) else entry.to_json() for entry in own]
    parts = processes.gather(zlib.compress(json.dumps(values).encode(), level=1))
    by_name: dict[str, FrameRecord | BadFrame] = {}
    for part in parts:
        for entry in json.loads(zlib.decompress(part)):
            if 'problem' in entry:
                by_name[entry['name']] = BadFrame(**entry)
            else:
                by_name[entry['name']] = FrameRecord.from_json(entry, num_classes=num_classes)
    return [by_name[frame.name] for frame in frames]
