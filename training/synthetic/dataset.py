# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes a data set of many worlds, on several processes."""

from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
from tqdm import tqdm

from .cityscapes import write_frame
from .drive import SPLITS, VISIT_TIMES, visit_world


@dataclass(frozen=True)
class Job:
    """One world's share of a data set: ``count`` frames of world ``index`` of a split.

    The style of the world is drawn where it is ``varied``, otherwise that of the demo.
    """

    output: Path
    split: str
    seed: int
    index: int
    count: int
    size: tuple[int, int]
    varied: bool = False


def plan_jobs(
    output: Path, *, train: int, val: int, seed: int, size: tuple[int, int], varied: bool = False
) -> list[Job]:
    """Spreads the frames over worlds, two of each; only training worlds are ever varied."""
    each = len(VISIT_TIMES)
    jobs = []
    for split, total in zip(SPLITS, (train, val), strict=True):
        for index in range(-(-total // each)):
            count = min(each, total - index * each)
            drawn = varied and split == SPLITS[0]
            jobs.append(Job(output, split, seed, index, count, size, drawn))
    return jobs


def run_job(job: Job) -> int:
    """Renders and writes a job's frames; returns how many."""
    cv2.setNumThreads(1)  # the processes share the cores already
    frames = visit_world(
        job.seed, job.split, job.index, size=job.size, count=job.count, varied=job.varied
    )
    for frame in frames:
        write_frame(
            job.output, job.split, frame, sequence=job.index, number=round(frame.time * 10)
        )
    return len(frames)


def write_dataset(jobs: list[Job], *, workers: int) -> int:
    """Runs all jobs with a progress bar; returns the number of frames written."""
    total = sum(job.count for job in jobs)
    with tqdm(total=total, unit='frame', desc='rendering') as bar:
        for done in _results(jobs, workers):
            bar.update(done)
    return total


def _results(jobs: list[Job], workers: int) -> Iterator[int]:
    """Frame counts of finished jobs, in this process or from a pool."""
    if workers == 1 or len(jobs) < 2:
        yield from map(run_job, jobs)
        return
    with get_context('spawn').Pool(min(workers, len(jobs))) as pool:
        yield from pool.imap_unordered(run_job, jobs)
