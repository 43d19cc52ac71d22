# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A look at every file of a data set before hours are spent on it."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from tqdm import tqdm

from training.data.check_cache import CheckCache
from training.data.data_summary import DataSummary
from training.data.errors import DataError, list_problems
from training.data.frame_facts import FrameFacts, examine_frame
from training.data.frames import Frame, FrameReader
from upsnet_ros.core.labels import LabelSet

LOGGER = logging.getLogger(__name__)
SAVE_EVERY = 5000  # frames


def check_data_set(
    reader: FrameReader, split: str, label_set: LabelSet, *, cache: Path, workers: int
) -> DataSummary:
    """Read every file of a split whole, with a progress bar.

    What was found is kept in a file, so a second check of unchanged files takes a moment; also
    after an error or an interrupt, which need not be the end of what was found before. Damage
    inside the compressed pixels of a JPEG is not seen, damage of a PNG is.

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
    known = CheckCache(cache, label_set)
    facts = {index: known.find(frame) for index, frame in enumerate(frames)}
    unread = [index for index, found in facts.items() if found is None]
    problems: list[str] = []
    if unread:
        LOGGER.info("checking %d of %d frames of '%s'", len(unread), len(frames), split)
        try:
            examined = _examine(reader, [frames[index] for index in unread], label_set, workers)
            for index, found in zip(unread, examined, strict=True):
                if isinstance(found, FrameFacts):
                    facts[index] = found
                    known.add(frames[index], found)
                else:
                    problems += found
                if index % SAVE_EVERY == SAVE_EVERY - 1:
                    with suppress(OSError):
                        known.save()  # a process that is killed runs no clean-up
        finally:
            with suppress(OSError):  # a check that cannot be kept is still a check
                known.save()
    if problems:
        raise DataError(list_problems(problems, 'correct or remove the files'))
    return DataSummary(split, label_set, tuple(zip(frames, facts.values(), strict=True)))


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
