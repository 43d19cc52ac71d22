# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A model evaluated on a bag, from the opened bag to the report."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from upsnet_ros.bags.cameras import CameraTopics, find_cameras
from upsnet_ros.bags.joining import BagPart, ReplayStream
from upsnet_ros.bags.label_writer import LabelBag
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.truth import PANOPTIC
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.image_view import ImageView, describe_region
from upsnet_ros.evaluation.figures import rounded
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, FrameJournal, FrameRecord, read_frames
from upsnet_ros.evaluation.judge import FrameJudge
from upsnet_ros.evaluation.label_files import write_label
from upsnet_ros.evaluation.machine import describe_machine
from upsnet_ros.evaluation.offline_replay import (
    LabelledFrame,
    NetworkTime,
    OfflineReplay,
    stage_workers,
)
from upsnet_ros.evaluation.panoptic_files import PanopticFiles
from upsnet_ros.evaluation.replay_report import ModelFacts, ReplayReport, write_report
from upsnet_ros.evaluation.totals import add_up
from upsnet_ros.evaluation.worst_pictures import WorstPictures
from upsnet_ros.pipeline import PanopticPipeline

WARM_UP_RUNS = 2

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReplayOptions:
    """What to evaluate, and what to write.

    Attributes:
        bag: folder or file of a rosbag2.
        model: file of the model, for the report.
        output: folder of the report.
        cameras: names or image topics; all that are there when empty.
        truths: topics of ground truth, see `replay_cameras.find_cameras`.
        truth_format: one of `replay_decoding.TRUTH_FORMATS`.
        regions_of_interest: what is looked at of the images, see `replay_views.find_views`.
        rotations: how they are turned, likewise.
        part: which images.
        write_png: whether label images are written as PNGs.
        write_panoptic: whether labels are written in COCO panoptic format.
        write_bag: where labels are written as a bag; None for nowhere.
        restart: whether frames of an earlier run are thrown away.
        command: the command line.
    """

    bag: Path
    model: Path
    output: Path
    cameras: tuple[str, ...] = ()
    truths: tuple[str, ...] = ()
    truth_format: str = PANOPTIC
    regions_of_interest: tuple[str, ...] = ()
    rotations: tuple[str, ...] = ()
    part: BagPart = field(default_factory=BagPart)
    write_png: bool = False
    write_panoptic: bool = False
    write_bag: Path | None = None
    restart: bool = False
    command: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the command."""
        values = {k: str(v) if isinstance(v, Path) else v for k, v in vars(self).items()}
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {k: v for k, v in values.items() if k != 'command'} | {'part': asdict(self.part)}


def evaluate_replay(
    options: ReplayOptions, pipeline: PanopticPipeline, progress: Progress
) -> ReplayReport:
    """Evaluate a model on a bag and write `report.json`.

    Args:
        options: what to do.
        pipeline: the loaded model.
        progress: called with the number of frames done and about how many there will be.

    Raises:
        BagError: the bag cannot be read or lacks a topic.
        ParameterError: there is no such region or rotation.
        EvaluationError: the output belongs to something else, or no image could be labelled.
        ModelError: the network failed.
    """
    with BagReader(options.bag) as bag:
        cameras = find_cameras(
            bag,
            names=options.cameras,
            truths=options.truths,
            regions=options.regions_of_interest,
            rotations=options.rotations,
        )
        stream = ReplayStream(bag, cameras, part=options.part)
        run = _Run(options, pipeline, bag, cameras, stream)
        speed = run.label_all(progress)
        report = run.report(speed)
    write_report(report, options.output)
    return report


class _Run:
    """One run over a bag."""

    def __init__(
        self,
        options: ReplayOptions,
        pipeline: PanopticPipeline,
        bag: BagReader,
        cameras: tuple[CameraTopics, ...],
        stream: ReplayStream,
    ) -> None:
        self._options = options
        self._pipeline = pipeline
        self._bag = bag
        self._cameras = cameras
        self._stream = stream
        self._label_set = pipeline.label_set
        self._worst = WorstPictures(options.output, self._label_set)
        self._label_bag: LabelBag | None = None
        self._panoptic: PanopticFiles | None = None

    def _identity(self) -> dict[str, Any]:
        """What decides the figures."""
        return {
            'bag': self._bag.fingerprint(),
            'model': {
                'sha256': self._pipeline.manifest.sha256,
                'backend': self._pipeline.backend.name,
                'device': self._pipeline.backend.device,
                'thresholds': self._pipeline.thresholds,
            },
            'cameras': {camera.name: [camera.images, camera.truth] for camera in self._cameras},
            'views': {camera.name: _describe_view(camera.view) for camera in self._cameras},
            'truth_format': self._options.truth_format,
            'part': asdict(self._options.part),
            'write_png': self._options.write_png,
            'write_panoptic': self._options.write_panoptic,
        }

    def label_all(self, progress: Progress) -> dict[str, float | None]:
        """Label what is not done yet; returns how fast it went."""
        options = self._options
        total = self._stream.expected_frames()
        with ExitStack() as stack:
            if options.write_bag is not None:
                self._label_bag = stack.enter_context(
                    LabelBag(
                        options.write_bag,
                        label_set=self._label_set,
                        model=self._pipeline.manifest.name,
                    )
                )
            # A bag of labels is whole or worthless: it is written from its beginning.
            restart = options.restart or options.write_bag is not None
            journal = stack.enter_context(
                FrameJournal(options.output, self._identity(), restart=restart)
            )
            if options.write_panoptic:
                self._panoptic = stack.enter_context(
                    PanopticFiles(options.output, self._label_set, restart=not len(journal))
                )
            self._remember_worst()
            replay = OfflineReplay(
                bag=self._bag,
                cameras=self._cameras,
                pipeline=self._pipeline,
                judge=FrameJudge(self._label_set),
                truth_format=options.truth_format,
                workers=stage_workers(),
            )
            self._pipeline.warm_up(WARM_UP_RUNS)
            progress(len(journal), total)
            start = time.perf_counter()
            for done in replay.frames(
                self._stream, lambda frame: journal.outcome(frame.camera, frame.index)
            ):
                if not done.is_known:
                    self._write(done)
                    journal.add(done.line)
                    progress(len(journal), total)
            speed = _speed(replay.network, time.perf_counter() - start)
            if self._panoptic is not None:
                self._panoptic.finish()
            return speed

    def _remember_worst(self) -> None:
        for line in read_frames(self._options.output / FRAMES_FILE):
            if isinstance(line, FrameRecord):
                self._worst.remember(line)

    def _write(self, done: LabelledFrame) -> None:
        if done.result is None or done.image is None or not isinstance(done.line, FrameRecord):
            return
        frame = done.frame
        labels = done.result.label_image
        if self._options.write_png:
            write_label(self._options.output, frame.camera, frame.stamp_ns, labels)
        if self._panoptic is not None:
            self._panoptic.add(frame.camera, frame.stamp_ns, labels)
        if self._label_bag is not None:
            self._label_bag.add(
                frame.camera,
                done.result,
                stamp_ns=frame.stamp_ns,
                recorded_ns=frame.recorded_ns,
                frame_id=done.frame_id,
            )
        self._worst.offer(done.line, image=done.image, labels=labels, truth=done.truth)

    def report(self, speed: dict[str, float | None]) -> ReplayReport:
        """Everything that was kept, added up.

        Raises:
            EvaluationError: there is no labelled frame.
        """
        unmatched = {c.name: self._stream.truth_unmatched(c.name) for c in self._cameras}
        totals = add_up(self._options.output, self._label_set, truth_unmatched=unmatched)
        figures, first_problem = totals.total, totals.first_problem
        if not figures.decoded:
            told = f'; the first: {first_problem}' if first_problem else ''
            raise EvaluationError(
                f'none of {figures.frames} images of {", ".join(unmatched)} could be labelled in '
                f'the part of {self._options.bag} that was asked for{told}'
            )
        manifest = self._pipeline.manifest
        return ReplayReport(
            kind='offline',
            command=self._options.command,
            bag=self._bag.facts(),
            model=ModelFacts(
                path=str(self._options.model),
                sha256=manifest.sha256,
                name=manifest.name,
                backend=self._pipeline.backend.name,
                device=self._pipeline.backend.device,
            ),
            label_set=self._label_set,
            cameras=totals.cameras,
            total=figures,
            speed=speed,
            environment=dict(describe_machine()),
            options=self._options.to_dict(),
            worst=self._worst.ranked(),
        )


def _describe_view(view: ImageView) -> dict[str, Any]:
    region = None if view.region is None else describe_region(view.region)
    return {'region': region, 'rotation': view.rotation}


def _speed(network: NetworkTime, wall_s: float) -> dict[str, float | None]:
    """How fast a run was; None where it had no frame to label."""
    has_run = network.frames > 0
    return {
        'frames': network.frames,
        'wall_s': rounded(wall_s),
        'network_s': rounded(network.seconds) if has_run else None,
        'network_share': rounded(network.seconds / wall_s) if has_run else None,
        'frames_per_second': rounded(network.frames / wall_s) if has_run else None,
    }
