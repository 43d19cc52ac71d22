# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A running node evaluated on a bag that is played into it, from the opened bag to the report."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from upsnet_ros.bags.cameras import CameraTopics, find_cameras
from upsnet_ros.bags.joining import BagPart, ReplayStream, StreamedFrame
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.truth import PANOPTIC, truth_labels
from upsnet_ros.core.errors import EvaluationError, ImageError, LabelError
from upsnet_ros.evaluation.frame_record import (
    FRAMES_FILE,
    LIVE_FOLDER,
    NO_LABEL,
    FrameJournal,
    FrameLine,
    FrameRecord,
    SkippedFrame,
    read_frames,
)
from upsnet_ros.evaluation.judge import FrameJudge
from upsnet_ros.evaluation.live.answers import LiveAnswer, LiveAnswers
from upsnet_ros.evaluation.live.live_figures import live_speed
from upsnet_ros.evaluation.live.live_player import images_of, topics_to_play
from upsnet_ros.evaluation.live.live_settings import OWN, ReplayRecord, ReplaySettings
from upsnet_ros.evaluation.live.processes import last_lines
from upsnet_ros.evaluation.live.session import Progress, run_live_replay
from upsnet_ros.evaluation.machine import describe_machine
from upsnet_ros.evaluation.replay_report import ModelFacts, ReplayReport, write_report
from upsnet_ros.evaluation.totals import add_up
from upsnet_ros.evaluation.worst_pictures import WorstPictures
from upsnet_ros.images.messages import image_to_bgr
from upsnet_ros.manifest import ModelManifest

Scored = Callable[[int, int], None]


@dataclass(frozen=True)
class LiveOptions:
    """What to play, into which node, and what to write.

    Attributes:
        bag: folder or file of a rosbag2.
        model: file of the model.
        output: folder of the report.
        cameras: names or image topics; all that are there when empty.
        truths: topics of ground truth, see `replay_cameras.find_cameras`.
        truth_format: one of `replay_decoding.TRUTH_FORMATS`.
        part: which images; only of the time.
        rate: pace, 1 is as recorded.
        player: `own` or `rosbag2`.
        attach: whether the node runs already.
        parameters: parameters of the node that is started.
        params_file: file of further ones.
        restart: whether what an earlier run left is thrown away.
        command: the command line.
    """

    bag: Path
    model: Path
    output: Path
    cameras: tuple[str, ...] = ()
    truths: tuple[str, ...] = ()
    truth_format: str = PANOPTIC
    part: BagPart = field(default_factory=BagPart)
    rate: float = 1.0
    player: str = OWN
    attach: bool = False
    parameters: dict[str, bool | int | str] = field(default_factory=dict)
    params_file: Path | None = None
    restart: bool = False
    command: str = ''

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values, without the command."""
        values = {k: str(v) if isinstance(v, Path) else v for k, v in vars(self).items()}
        values = {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
        return {k: v for k, v in values.items() if k != 'command'} | {'part': asdict(self.part)}


def evaluate_live(options: LiveOptions, *, played: Progress, scored: Scored) -> ReplayReport:
    """Play a bag into a node, judge what it answers and write `report.json`.

    Args:
        options: what to do.
        played: called with (images sent, labels received, images in all or None).
        scored: called with the number of frames judged and about how many there will be.

    Raises:
        BagError: the bag cannot be read or lacks a topic.
        ModelError: there is no such model, or its manifest does not fit.
        ReplayError: the node, the player or the recorder failed.
        EvaluationError: the output belongs to something else, or no image was labelled.
    """
    manifest = ModelManifest.load(options.model)
    with BagReader(options.bag) as bag:
        cameras = find_cameras(bag, names=options.cameras, truths=options.truths)
        run = _Run(options, manifest, bag, cameras)
        # Refused before what an earlier run left is thrown away.
        topics_to_play(options.bag, list(images_of(run.settings).values()))
        with run.open_journal() as journal:
            record = run_live_replay(run.settings, progress=played)
            run.judge_all(record, journal, scored)
        report = run.report(record)
    write_report(report, options.output)
    return report


class _Run:
    """One run of a bag through a node."""

    def __init__(
        self,
        options: LiveOptions,
        manifest: ModelManifest,
        bag: BagReader,
        cameras: tuple[CameraTopics, ...],
    ) -> None:
        self._options = options
        self._manifest = manifest
        self._bag = bag
        self._cameras = {camera.name: camera for camera in cameras}
        self._stream = ReplayStream(bag, cameras, part=options.part)
        self._judge = FrameJudge(manifest.label_set)
        self._worst = WorstPictures(options.output, manifest.label_set)
        self.settings = ReplaySettings(
            bag=options.bag,
            model_path=options.model.resolve(),
            work_folder=options.output / LIVE_FOLDER,
            cameras=tuple(camera.name for camera in cameras),
            images=tuple(camera.images for camera in cameras),
            rate_scale=options.rate,
            start_s=options.part.start_s,
            duration_s=options.part.duration_s,
            player=options.player,
            is_attached=options.attach,
            model_sha256=manifest.sha256,
            parameters=options.parameters,
            params_file=options.params_file,
        )

    def open_journal(self) -> FrameJournal:
        """The file of the frames. A drive is played as a whole, so none of them is kept.

        Raises:
            EvaluationError: there is a report already that shall not be thrown away.
        """
        options, path = self._options, self._options.output / FRAMES_FILE
        has_frames = path.exists() and any(True for _ in read_frames(path))
        if has_frames and not options.restart:
            raise EvaluationError(
                f'{options.output} holds an evaluation, and a live one begins anew each time; '
                'give another --output, or --restart to throw it away'
            )
        identity = {
            'bag': self._bag.fingerprint(),
            'model': {'sha256': self._manifest.sha256},
            'cameras': {name: [c.images, c.truth] for name, c in self._cameras.items()},
            'truth_format': options.truth_format,
            'part': asdict(options.part),
            'live': {'rate': options.rate, 'parameters': options.parameters},
        }
        return FrameJournal(options.output, identity, restart=options.restart or path.exists())

    def judge_all(self, record: ReplayRecord, journal: FrameJournal, scored: Scored) -> None:
        """Join the labels that came with the frames of the bag, and judge them."""
        with ExitStack() as stack:
            recording = stack.enter_context(BagReader(record.recording, may_be_empty=True))
            answers = LiveAnswers(recording, record)
            total = self._stream.expected_frames()
            for number, frame in enumerate(self._stream, 1):
                journal.add(self._line(frame, answers))
                scored(number, max(total, number))

    def _line(self, frame: StreamedFrame, answers: LiveAnswers) -> FrameLine:
        """What is kept of a frame. Flips are not measured across one that has no labels."""
        answer, problem = None, frame.problem
        if problem is None:
            try:
                answer = answers.take(frame.camera, frame.stamp_ns)
            except ImageError as error:
                problem = str(error)
        if answer is None:
            self._judge.forget(frame.camera)
            return SkippedFrame(frame.camera, frame.index, frame.stamp_ns, problem or NO_LABEL)
        return self._judged(frame, answer)

    def _judged(self, frame: StreamedFrame, answer: LiveAnswer) -> FrameRecord:
        truth, truth_problem = self._truth(frame)
        line = self._judge(
            frame, answer.result, ms=answer.ms, truth=truth, truth_problem=truth_problem
        )
        labels = answer.result.label_image
        self._worst.offer(line, image=self._picture(frame, labels), labels=labels, truth=truth)
        return line

    def _truth(self, frame: StreamedFrame) -> tuple[np.ndarray | None, str | None]:
        """The true label image, or why there is none though there should be."""
        topic = self._cameras[frame.camera].truth
        if frame.truth is None or topic is None:
            return None, None
        try:
            truth = truth_labels(
                self._bag.decode(topic, frame.truth),
                truth_format=self._options.truth_format,
                label_set=self._manifest.label_set,
            )
        except (ImageError, LabelError) as error:
            return None, str(error)
        return truth, None

    def _picture(self, frame: StreamedFrame, labels: np.ndarray) -> np.ndarray:
        """The camera image, black where it cannot be read here."""
        topic = self._cameras[frame.camera].images
        try:
            return image_to_bgr(self._bag.decode(topic, frame.data))
        except ImageError:
            return np.zeros((*labels.shape, 3), np.uint8)

    def report(self, record: ReplayRecord) -> ReplayReport:
        """Everything that was kept, added up.

        Raises:
            EvaluationError: there is no labelled frame.
        """
        options, manifest = self._options, self._manifest
        unmatched = {name: self._stream.truth_unmatched(name) for name in self._cameras}
        totals = add_up(options.output, manifest.label_set, truth_unmatched=unmatched)
        if not totals.total.decoded:
            raise EvaluationError(self._nothing(totals.total.frames, record))
        return ReplayReport(
            kind='live',
            command=options.command,
            bag=self._bag.facts(),
            model=ModelFacts(
                path=str(options.model),
                sha256=manifest.sha256,
                name=manifest.name,
                backend=record.engine.get('backend', 'unknown'),
                device=record.engine.get('device', 'unknown'),
            ),
            label_set=manifest.label_set,
            cameras=totals.cameras,
            total=totals.total,
            speed=live_speed(options.rate, options.player, record, totals.total),
            environment=dict(describe_machine()),
            options=options.to_dict(),
            worst=self._worst.ranked(),
        )

    def _nothing(self, frames: int, record: ReplayRecord) -> str:
        sent = sum(map(len, record.sent.values()))
        log = self.settings.logs / 'node.log'
        told = f' Last lines of {log}:\n{last_lines(log)}' if log.is_file() else ''
        return f'the node labelled none of {frames} images ({sent} were sent).{told}'
