# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A look at every file of a data set before hours are spent on it."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from training.data.check_cache import CheckCache
from training.data.data_summary import DataSummary
from training.data.errors import BrokenFrame, DataError, list_problems
from training.data.frame_facts import FrameFacts, examine_frame
from training.data.frames import Frame, FrameReader
from upsnet_ros.core.labels import LabelSet

LOGGER = logging.getLogger(__name__)
SAVE_EVERY = 5000  # frames


@dataclass(frozen=True)
class SplitFindings:
    """Everything a look at a split found.

    Attributes:
        summary: The frames that can be used.
        broken: Those that cannot, in the reader's order.
    """

    summary: DataSummary
    broken: tuple[BrokenFrame, ...]


def check_data_set(
    reader: FrameReader, split: str, label_set: LabelSet, *, cache: Path, workers: int
) -> DataSummary:
    """Read every file of a split whole, and refuse it if one cannot be used.

    Args:
        reader: Reads the data set.
        split: Part of the data set.
        label_set: Classes.
        cache: JSON file of earlier findings; splits may share one.
        workers: Files read at a time; the libraries that decode them run in parallel.

    Returns:
        The frames with what each holds.

    Raises:
        DataError: If a file is missing, empty, cut off or unreadable, image and labels differ in
            size, or there are values that no annotation explains; names the first ten.
    """
    frames = reader.frames(split)
    found = examine_frames(reader, frames, split, label_set, cache=cache, workers=workers)
    if found.broken:
        problems = [line for frame in found.broken for line in frame.problems]
        raise DataError(list_problems(problems, 'correct or remove the files'))
    return found.summary


def examine_frames(
    reader: FrameReader,
    frames: list[Frame],
    split: str,
    label_set: LabelSet,
    *,
    cache: Path,
    workers: int,
) -> SplitFindings:
    """Read every file of some frames whole, with a progress bar.

    What was found is kept in a file, so a second check of unchanged files takes a moment; also
    after an error or an interrupt, which need not be the end of what was found before. Damage
    inside the compressed pixels of a JPEG is not seen, damage of a PNG is.

    Args:
        reader: Reads the data set.
        frames: Of the reader.
        split: Their part of the data set.
        label_set: Classes.
        cache: JSON file of earlier findings; splits may share one.
        workers: Files read at a time; the libraries that decode them run in parallel.

    Returns:
        What can be used and what cannot.
    """
    known = CheckCache(cache, label_set)
    facts = {index: known.find(frame) for index, frame in enumerate(frames)}
    unread = {index: frames[index] for index, found in facts.items() if found is None}
    broken = []
    if unread:
        LOGGER.info("checking %d of %d frames of '%s'", len(unread), len(frames), split)
        examined = _examine(reader, list(unread.values()), label_set, workers)
        for index, found in zip(unread, _kept(examined, unread, known), strict=True):
            if isinstance(found, FrameFacts):
                facts[index] = found
            else:
                broken.append(BrokenFrame(frames[index].name, tuple(found)))
    pairs = zip(frames, facts.values(), strict=True)
    usable = tuple((frame, found) for frame, found in pairs if found is not None)
    return SplitFindings(DataSummary(split, label_set, usable), tuple(broken))


def _kept(
    examined: Iterator[FrameFacts | list[str]], frames: dict[int, Frame], known: CheckCache
) -> Iterator[FrameFacts | list[str]]:
    """The same facts and problems; the facts are kept for next time."""
    try:
        for count, (frame, found) in enumerate(zip(frames.values(), examined, strict=True), 1):
            if isinstance(found, FrameFacts):
                known.add(frame, found)
            if count % SAVE_EVERY == 0:
                with suppress(OSError):
                    known.save()  # a process that is killed runs no clean-up
            yield found
    finally:
        with suppress(OSError):  # a check that cannot be kept is still a check
            known.save()


def _examine(
    reader: FrameReader, frames: list[Frame], label_set: LabelSet, workers: int
) -> Iterator[FrameFacts | list[str]]:
    """Facts or problems of each frame, in order."""
    pool = ThreadPoolExecutor(workers)
    try:
        found = pool.map(
            lambda frame: examine_frame(reader, frame, num_stuff=label_set.num_stuff), frames
        )
        # disable=None: a bar on a terminal, none in a log file.
        yield from tqdm(found, total=len(frames), unit='frame', dynamic_ncols=True, disable=None)
    finally:
        pool.shutdown(cancel_futures=True)
