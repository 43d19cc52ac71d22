# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A running node evaluated on a bag that is played into it, from the opened bag to the report."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np

from upsnet_ros.bags.joining import StampedMessages, StreamedFrame
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError, ImageError
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.structures import Instance, PanopticResult
from upsnet_ros.evaluation.command import progress_bar
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, NO_LABEL, read_frames
from upsnet_ros.evaluation.judge import LabelledFrame
from upsnet_ros.evaluation.live.commands import LiveOptions
from upsnet_ros.evaluation.live.processes import last_lines
from upsnet_ros.evaluation.live.session import Played, Session
from upsnet_ros.evaluation.live.tally import LEFT_OUT, REFUSED, Counters, LiveTally
from upsnet_ros.evaluation.replay_report import (
    CameraFigures,
    Json,
    ModelFacts,
    ReplayReport,
    rounded,
)
from upsnet_ros.evaluation.run import Run
from upsnet_ros.images.messages import label_image
from upsnet_ros.manifest import ModelManifest

BYTES_PER_MB = 1e6
TIMING = '/debug/{camera}/timing'
# Fields of FrameTiming, by the name that the stage has in reports.
STAGES = ('receive', 'wait', 'decode', 'preprocess', 'inference', 'panoptic_head', 'publish')


def evaluate_live(options: LiveOptions) -> ReplayReport:
    """Play a bag into a node, judge what it answers and write `report.json`.

    Raises:
        BagError: the bag cannot be read or lacks a topic.
        ModelError: there is no such model, or its manifest does not fit.
        ReplayError: the node, the player or the recorder failed.
        EvaluationError: the output belongs to something else, or no image was labelled.
    """
    manifest = ModelManifest.load(options.model)
    with BagReader(options.bag) as bag:
        run = Run(options, bag, manifest.label_set)
        # Refused before what an earlier run left is thrown away.
        session = Session(options, bag, list(run.cameras.values()), sha256=manifest.sha256)
        identity = run.identity(
            model={'sha256': manifest.sha256},
            live={'rate': options.rate, 'parameters': options.parameters},
        )
        with run.open_outputs(identity, restart=_begins_anew(options)):
            with progress_bar('Playing') as move:
                happened = session.run(move)
            _judge_all(run, happened, options)
        totals = run.totals()
        if not totals.total.decoded:
            raise EvaluationError(_nothing(totals.total.frames, happened, options))
        model = ModelFacts(
            path=str(options.model),
            sha256=manifest.sha256,
            name=manifest.name,
            backend=happened.engine.get('backend', 'unknown'),
            precision=happened.engine.get('precision', 'unknown'),
            device=happened.engine.get('device', 'unknown'),
        )
        speed = live_speed(options, happened, totals.total)
        return run.write_report('live', totals, model=model, speed=speed)


def _begins_anew(options: LiveOptions) -> bool:
    """Whether what lies in the output is thrown away: a drive is played as a whole.

    Raises:
        EvaluationError: there is a report already that shall not be thrown away.
    """
    path = options.output / FRAMES_FILE
    if options.restart or not path.exists():
        return options.restart
    if any(True for _ in read_frames(path)):
        raise EvaluationError(
            f'{options.output} holds an evaluation, and a live one begins anew each time; give '
            'another --output, or --restart to throw it away'
        )
    return True


def _judge_all(run: Run, happened: Played, options: LiveOptions) -> None:
    """Join the labels that came with the frames of the bag, and judge them."""
    with (
        BagReader(options.recording, may_be_empty=True) as recording,
        progress_bar('Scoring') as move,
    ):
        answers = LiveAnswers(recording, happened.tally)
        total = run.stream.expected_frames()
        for number, frame in enumerate(run.stream, 1):
            _judge(run, frame, answers)
            move(number, max(total, number))


def _judge(run: Run, frame: StreamedFrame, answers: LiveAnswers) -> None:
    """Keep what there is of a frame. Flips are not measured across one that has no labels."""
    done = LabelledFrame(frame, problem=frame.problem)
    try:
        answer = None if done.problem else answers.take(frame.camera, frame.stamp_ns)
    except ImageError as error:
        answer, done.problem = None, str(error)
    if answer is None:
        run.judge.forget(frame.camera)
        done.problem = done.problem or NO_LABEL
    else:
        done.result, done.ms = answer
        done.truth, done.truth_problem = run.source.truth(frame)
        with suppress(ImageError):  # the node could read it, so it has its labels all the same
            done.image, _, done.frame_id = run.source.image(frame)
    done.line = run.judge(done)
    run.keep(done)


def _nothing(frames: int, happened: Played, options: LiveOptions) -> str:
    log = options.logs / 'node.log'
    told = f' Last lines of {log}:\n{last_lines(log)}' if log.is_file() else ''
    return (
        f'the node labelled none of {frames} images ({happened.tally.sent_count} were sent).{told}'
    )


class LiveAnswers:
    """The answers of a replay, taken by camera and stamp in about the order played.

    Args:
        recording: the opened recording.
        tally: what was sent and what came.
    """

    def __init__(self, recording: BagReader, tally: LiveTally) -> None:
        self._recording = recording
        self._tally = tally
        self._stamp_of = {camera: dict(images) for camera, images in tally.sent.items()}
        self._labels = {c: self._topic(f'/{c}/panoptic/image') for c in self._stamp_of}
        self._instances = {c: self._topic(f'/{c}/panoptic/instances') for c in self._stamp_of}
        self._times = {c: self._timing_topic(c) for c in self._stamp_of}

    def _topic(self, name: str | None) -> StampedMessages | None:
        if name is None or name not in self._recording.topics:
            return None
        return StampedMessages(self._recording, name)

    def _timing_topic(self, camera: str) -> StampedMessages | None:
        ending = TIMING.format(camera=camera)
        return self._topic(
            next((name for name in self._recording.topics if name.endswith(ending)), None)
        )

    def take(
        self, camera: str, bag_stamp_ns: int
    ) -> tuple[PanopticResult, dict[str, float]] | None:
        """The answer to the image with this stamp of the bag, or None where none came.

        Returns:
            Labels and instances, without these where the node publishes none; milliseconds:
            `total`, the age of the frame when its labels came, and the node's own stages where it
            publishes them.

        Raises:
            ImageError: the label image is damaged.
        """
        stamp = self._stamp_of[camera].get(bag_stamp_ns)
        if stamp is None:
            return None
        arrived = self._tally.arrived[camera].get(stamp)
        label = None if arrived is None else self._take(self._labels[camera], stamp)
        if arrived is None or label is None:
            return None
        instances = self._take(self._instances[camera], stamp)
        timing = self._take(self._times[camera], stamp)
        # The age begins at the stamp, or where that is of another clock with the image's arrival.
        began = self._tally.seen_ns[camera].get(stamp, stamp)
        ms = {stage: float(getattr(timing, f'{stage}_ms')) for stage in STAGES if timing}
        if began != stamp:
            ms.pop('receive', None)
        ms['total'] = (arrived - began) / 1e6
        return _result(label_image(label), instances), ms

    def _take(self, topic: StampedMessages | None, stamp_ns: int) -> Any:
        """The message of a stamp, decoded; None where there is none."""
        if topic is None or (data := topic.take(stamp_ns)) is None:
            return None
        return self._recording.decode(topic.topic, data)


def _result(labels: np.ndarray, message: Any) -> PanopticResult:
    instances = tuple(
        Instance(
            label=int(each.label),
            class_id=int(each.class_id),
            class_name=each.class_name,
            score=float(each.score),
            box=(float(each.x_min), float(each.y_min), float(each.x_max), float(each.y_max)),
            area=int(each.area),
        )
        for each in (message.instances if message is not None else ())
    )
    return PanopticResult(labels, instances, float(np.mean(labels == UNKNOWN_LABEL)))


def live_speed(options: LiveOptions, happened: Played, total: CameraFigures) -> Json:
    """The entry `speed` of a live report; docs/replay_evaluation.md says what is in it."""
    cost, wall_s, tally = happened.cost, happened.wall_s, happened.tally
    cpu_s = cost.cpu_s if cost else None
    cpu_ms = 1e3 * cpu_s / total.decoded if cpu_s is not None and total.decoded else None
    peak_mb = cost.peak_bytes / BYTES_PER_MB if cost and cost.peak_bytes else None
    return {
        'frames': total.decoded,
        'wall_s': rounded(wall_s),
        'frames_per_second': rounded(total.decoded / wall_s) if wall_s > 0 else None,
        'rate': options.rate,
        'camera_hz': rounded(options.camera_hz, 2),
        'measured_hz': rounded(options.measured_hz, 2),
        'player': options.player,
        'node_cpu_percent': rounded(cost.cpu_percent, 1) if cost else None,
        'node_cpu_ms_per_frame': rounded(cpu_ms, 2),
        'node_peak_mb': rounded(peak_mb, 1),
        'node_start_s': rounded(happened.node_start_s, 2),
        **_losses(happened),
        'player_late_ms': rounded(tally.latest_ms, 2),
        'clock_step_ms': rounded(tally.clock_step_ms, 2),
    }


def _losses(happened: Played) -> dict[str, int | None]:
    """Where images without a label were lost; None where the node does not count for itself."""
    tally, counters = happened.tally, happened.counters
    if set(counters) != set(tally.sent):
        return dict.fromkeys(('dropped_by_node', 'refused_by_node', 'lost_on_the_way'))
    lost = 0
    for name, images in tally.sent.items():
        # A label of an image that was not sent is nobody's answer.
        answered = len({image.stamp_ns for image in images} & tally.arrived[name].keys())
        lost += max(len(images) - counters[name]['received'], 0)
        lost += max(counters[name]['processed'] - answered, 0)
    counted = sum(counters.values(), Counters())
    return {
        'dropped_by_node': sum(counted[name] for name in LEFT_OUT),
        'refused_by_node': sum(counted[name] for name in REFUSED),
        'lost_on_the_way': lost,
    }
