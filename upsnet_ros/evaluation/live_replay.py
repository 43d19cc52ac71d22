# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Live replay: a bag is played into the running node over DDS, and what it answers is recorded.

Four processes take part, as on a vehicle: the node, the player (the camera), the recorder (a
consumer of the labels), and this one, which only waits and measures the node's memory.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from upsnet_ros.evaluation.bag_topics import Bag, image_topic_of
from upsnet_ros.evaluation.errors import ReplayError
from upsnet_ros.evaluation.event_process import Event, EventProcess
from upsnet_ros.evaluation.frames import ReceivedLabel, SentFrame
from upsnet_ros.evaluation.node_process import NodeProcess, node_command
from upsnet_ros.evaluation.replay_environment import replay_environment

POLL_SECONDS = 0.05
# Labels that are still on their way after the last image: given up when none came for so long.
QUIET_SECONDS = 3.0
# Nothing at all from the player for so long means that it hangs.
PLAYER_SILENCE_SECONDS = 60.0

Progress = Callable[[int, int, int], None]


@dataclass(frozen=True)
class ReplaySettings:
    """What to play and where to.

    Attributes:
        bag: Folder of the rosbag2.
        model_path: The model.onnx the node shall load.
        work_folder: Where the recording and the logs are written; made when missing.
        camera: Name of the camera: its topics begin with it.
        rate_scale: Pace, 1 is as recorded, 0.5 half as fast.
        start_seconds: How long the node may take until it is active.
        command: Command line of the node; None runs this package's node.
    """

    bag: Path
    model_path: Path
    work_folder: Path
    camera: str = 'camera'
    rate_scale: float = 1.0
    start_seconds: float = 90.0
    command: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Refuse a pace that cannot be played."""
        if not 0.01 <= self.rate_scale <= 100:
            raise ReplayError(
                f'the pace must lie in 0.01..100, received {self.rate_scale}. 1 is as recorded.'
            )

    @property
    def recording(self) -> Path:
        """The bag with the node's answers."""
        return self.work_folder / 'results'

    @property
    def label_topic(self) -> str:
        """Where the node publishes its label images."""
        return f'/{self.camera.strip("/")}/panoptic/image'


@dataclass(frozen=True)
class ReplayRecord:
    """What happened in a live replay.

    Attributes:
        sent: Frames in the order sent.
        labels: Label images in the order of arrival.
        recording: Bag with all the node published.
        node_peak_bytes: Largest resident memory of the node process.
        node_start_seconds: From the start of the process until it was active.
        node_exit_status: How it ended after it was asked to.
        clock_step_ms: How far the system clock was set while recording; latencies are wrong by it.
        latest_ms: Largest delay of the player behind its own schedule.
    """

    sent: tuple[SentFrame, ...]
    labels: tuple[ReceivedLabel, ...]
    recording: Path
    node_peak_bytes: int | None
    node_start_seconds: float
    node_exit_status: int | None
    clock_step_ms: float
    latest_ms: float


@dataclass
class _Tally:
    """Events of the player and the recorder, as they come in."""

    sent: list[SentFrame] = field(default_factory=list)
    labels: list[ReceivedLabel] = field(default_factory=list)
    total: int = 0
    latest_ms: float = 0.0
    active: bool = False
    playing_done: bool = False
    clock_step_ms: float = 0.0

    def take(self, event: Event) -> None:
        kind = event['event']
        if kind == 'frame':
            self.sent.append(SentFrame(len(self.sent), event['bag_stamp_ns'], event['stamp_ns']))
            self.latest_ms = max(self.latest_ms, event['late_ms'])
        elif kind == 'label':
            self.labels.append(ReceivedLabel(event['stamp_ns'], event['received_ns']))
        elif kind == 'start':
            self.total = event['frames']
        elif kind == 'class_info':
            self.active = True
        elif kind == 'done' and 'sent' in event:
            self.playing_done = True
        elif kind == 'done':
            self.clock_step_ms = event['clock_step_ms']


def topics_to_play(bag: Path, camera: str) -> list[str]:
    """The camera's images, and its camera_info where the bag has it."""
    with Bag(bag) as opened:
        image = image_topic_of(opened, camera)
        info = f'/{camera.strip("/")}/camera_info'
        return [image, info] if info in opened.topics else [image]


def _module_command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, '-m', f'upsnet_ros.node.{module}', *arguments]


def _wait_until_active(
    node: NodeProcess, recorder: EventProcess, tally: _Tally, *, seconds: float
) -> None:
    """The node publishes its class table, latched, when it becomes active."""
    deadline = time.monotonic() + seconds
    while not tally.active:
        node.check()
        event = recorder.next_event(POLL_SECONDS)
        if event is not None:
            tally.take(event)
        if time.monotonic() > deadline:
            raise ReplayError(
                node.failure(f'the node was not active within {seconds:g} s (no class_info came)')
            )


def _play(
    node: NodeProcess,
    player: EventProcess,
    recorder: EventProcess,
    tally: _Tally,
    progress: Progress,
) -> None:
    """Follow the player to its end, then wait until no more labels come."""
    last_news = time.monotonic()
    while True:
        node.check()
        before = len(tally.sent) + len(tally.labels)
        event = player.next_event(POLL_SECONDS)
        for one in [*([event] if event else []), *player.drain(), *recorder.drain()]:
            tally.take(one)
        if len(tally.sent) + len(tally.labels) > before:
            last_news = time.monotonic()
            progress(len(tally.sent), len(tally.labels), tally.total)
        silence = time.monotonic() - last_news
        if tally.playing_done:
            if len(tally.labels) >= len(tally.sent) or silence > QUIET_SECONDS:
                return
        elif silence > PLAYER_SILENCE_SECONDS:
            raise ReplayError(
                f'the player sent nothing for {silence:.0f} s after {len(tally.sent)} frames.'
            )


def run_live_replay(settings: ReplaySettings, *, progress: Progress) -> ReplayRecord:
    """Play the bag through the node and return what happened.

    Args:
        settings: What to play and where to.
        progress: Called with (frames sent, labels received, frames in all) as they come.

    Raises:
        BagError: the bag cannot be played.
        ReplayError: a process did not start, ended or hung; the message holds its last log lines.
    """
    topics = topics_to_play(settings.bag, settings.camera)
    logs = settings.work_folder / 'logs'
    environment = replay_environment(os.environ, log_folder=logs / 'ros')
    command = settings.command or node_command(settings.model_path, [settings.camera])
    tally = _Tally()
    with ExitStack() as stack:
        recorder = stack.enter_context(
            EventProcess(
                'recorder',
                _module_command(
                    'result_recorder',
                    '--cameras',
                    settings.camera,
                    '--output',
                    str(settings.recording),
                ),
                environment=environment,
                log=logs / 'recorder.log',
            )
        )
        started = time.monotonic()
        node = stack.enter_context(
            NodeProcess(command, environment=environment, log=logs / 'node.log')
        )
        _wait_until_active(node, recorder, tally, seconds=settings.start_seconds)
        start_seconds = time.monotonic() - started
        player = stack.enter_context(
            EventProcess(
                'player',
                _module_command(
                    'bag_player',
                    '--bag',
                    str(settings.bag),
                    '--topics',
                    *topics,
                    '--rate',
                    str(settings.rate_scale),
                ),
                environment=environment,
                log=logs / 'player.log',
            )
        )
        _play(node, player, recorder, tally, progress)
        node.check()
        status = node.stop()
        for event in recorder.finish():
            tally.take(event)
    return ReplayRecord(
        sent=tuple(tally.sent),
        labels=tuple(tally.labels),
        recording=settings.recording,
        node_peak_bytes=node.peak_bytes,
        node_start_seconds=start_seconds,
        node_exit_status=status,
        clock_step_ms=tally.clock_step_ms,
        latest_ms=tally.latest_ms,
    )
