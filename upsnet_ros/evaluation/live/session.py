# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Live replay: a bag is played into the running node over DDS, and what it answers is recorded.

Four processes take part, as on a vehicle: the node, the player (the cameras), the recorder (a
consumer of the labels), and this one, which only waits and looks at what the node takes of the
computer. The node may also be one that runs already.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack

from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live.event_process import EventProcess
from upsnet_ros.evaluation.live.live_player import Player, images_of, start_player, topics_to_play
from upsnet_ros.evaluation.live.live_settings import ReplayRecord, ReplaySettings
from upsnet_ros.evaluation.live.node_state import Counters, engine_of, is_busy, local_process
from upsnet_ros.evaluation.live.node_watch import NodeWatch
from upsnet_ros.evaluation.live.processes import NodeProcess, node_command
from upsnet_ros.evaluation.live.replay_environment import replay_environment
from upsnet_ros.evaluation.live.tally import LiveTally

POLL_SECONDS = 0.05
# Labels that are still on their way after the last image: given up when none came for so long
# and the node has nothing left to do.
QUIET_SECONDS = 3.0
# Nothing from a node that says it is busy, or from the player after the end of the bag, means
# that it hangs.
SILENCE_SECONDS = 60.0
# The node reports on itself once a second, unless its parameter says otherwise.
REPORT_SECONDS = 3.0

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, int | None], None]


class _LiveReplay:
    """The processes of a replay, while it runs."""

    def __init__(self, settings: ReplaySettings, images: Mapping[str, str]) -> None:
        self._settings = settings
        self._images = images
        self.environment = replay_environment(
            os.environ,
            log_folder=settings.logs / 'ros',
            has_own_domain=not settings.is_attached,
        )
        self._node: NodeProcess | None = None
        self._wall: list[float] = []
        self._counters: dict[str, Counters] = {}
        self._engine: dict[str, str] = {}
        self._watch = NodeWatch(None)
        self.tally = LiveTally(images)

    def start_recorder(self, stack: ExitStack) -> None:
        """Record what the node publishes; where stamps are kept, note when images come, too."""
        command = [sys.executable, '-m', 'upsnet_ros.node.result_recorder']
        command += ['--output', str(self._settings.recording), '--cameras', *self._images]
        if self._settings.keeps_stamps:
            command += ['--images', *self._images.values()]
        self._recorder = stack.enter_context(
            EventProcess(
                'recorder',
                command,
                environment=self.environment,
                log=self._settings.logs / 'recorder.log',
            )
        )

    def start_node(self, stack: ExitStack) -> None:
        """Start the node, unless there is one."""
        settings = self._settings
        if settings.is_attached:
            return
        parameters = dict(settings.parameters)
        if settings.keeps_stamps:
            parameters['use_sim_time'] = True
        command = settings.command or node_command(
            settings.model_path, list(self._images), parameters, settings.params_file
        )
        log = settings.logs / 'node.log'
        self._node = stack.enter_context(
            NodeProcess(command, environment=self.environment, log=log)
        )

    def _listen(self) -> None:
        """Take what the recorder tells, waiting a moment for it."""
        if self._node is not None:
            self._node.check()
        elif self._watch.is_gone:
            raise ReplayError(
                f'the node ended by itself after {self.tally.label_count} labels; its own log '
                'says why.'
            )
        event = self._recorder.next_event(POLL_SECONDS)
        for each in [*([event] if event else []), *self._recorder.drain()]:
            self.tally.take(each)

    def wait_until_active(self) -> None:
        """Wait for the tables of classes, which the node publishes, latched, with its activation.

        Raises:
            ReplayError: the node ended, or takes too long.
        """
        limit = self._settings.start_seconds
        deadline = time.monotonic() + limit
        while not self.tally.is_active:
            self._listen()
            if time.monotonic() > deadline:
                what = f'the node was not active within {limit:g} s (no class_info came)'
                if self._node is not None:
                    raise ReplayError(self._node.failure(what))
                raise ReplayError(
                    f'{what}. Does a node run with the cameras {", ".join(self._images)}, in '
                    'the same ROS_DOMAIN_ID, and is it active?'
                )

    def wait_for_report(self) -> None:
        """Wait until the node has told of itself once more; not for ever."""
        reports, deadline = self.tally.reports, time.monotonic() + REPORT_SECONDS
        while self.tally.reports == reports and time.monotonic() < deadline:
            self._listen()

    def begin(self) -> None:
        """Count and measure the node from here on.

        Raises:
            ReplayError: it says that it runs another model.
        """
        wanted, engine = self._settings.model_sha256, engine_of(self.tally.statuses)
        if wanted and engine.get('sha256', wanted) != wanted:
            raise ReplayError(
                f'the node runs {engine.get("model_path")} with the sha256 {engine["sha256"]}, '
                f'and {self._settings.model_path} has {wanted}; name the model that it runs.'
            )
        self.tally.begin()
        pid = self._node.process.pid if self._node else local_process(self.tally.statuses)
        if pid is None:
            logger.warning(
                'the process of the node cannot be looked at from here (another computer or '
                'container, or no diagnostics): its CPU time and memory stay unknown.'
            )
        self._watch = NodeWatch(pid)

    def play(self, player: Player, progress: Progress) -> None:
        """Follow the player to its end, then wait until no more labels come.

        Raises:
            ReplayError: a process ended or hangs.
        """
        tally, last_news = self.tally, time.monotonic()
        end_of_bag = last_news + self._playing_seconds()
        while True:
            before = tally.sent_count + tally.label_count
            if not self._wall:  # what it took until the first image is none of its work
                self._watch.begin()
            self._listen()
            for event in player.news():
                tally.take(event)
                last_news = time.monotonic()
            if tally.sent_count + tally.label_count > before:
                last_news = time.monotonic()
                self._wall = [*self._wall[:1], last_news]
                self._watch.look()
                progress(tally.sent_count, tally.label_count, tally.total)
            silence = time.monotonic() - last_news
            if tally.is_played and self._is_answered(silence):
                self._watch.look()
                return
            # A player is silent where the bag is; by the end of the bag it must have told so.
            is_due = tally.is_played or time.monotonic() > end_of_bag + SILENCE_SECONDS
            if is_due and silence > SILENCE_SECONDS:
                who = 'node answered' if tally.is_played else 'player sent'
                raise ReplayError(
                    f'the {who} nothing for {silence:.0f} s after {tally.sent_count} frames.'
                )

    def _playing_seconds(self) -> float:
        """How long the player needs by the bag."""
        settings = self._settings
        with BagReader(settings.bag) as bag:
            length = (bag.end_ns - bag.start_ns) / 1e9 - settings.start_s
        if settings.duration_s is not None:
            length = min(length, settings.duration_s)
        return max(length, 0.0) / settings.rate_scale

    def _is_answered(self, silence: float) -> bool:
        tally = self.tally
        return tally.has_all_labels or (silence > QUIET_SECONDS and not is_busy(tally.statuses))

    def finish(self) -> int | None:
        """End the node that was started, and the recording; returns the node's exit status."""
        status = None
        # A node that ends says that it has no model and no cameras any more.
        self._counters = self.tally.counters()
        self._engine = engine_of(self.tally.statuses)
        if self._node is not None:
            self._node.check()
            status = self._node.stop()
        for event in self._recorder.finish():
            self.tally.take(event)
        return status

    def record(self, *, start_seconds: float | None, status: int | None) -> ReplayRecord:
        """What happened."""
        tally = self.tally
        return ReplayRecord(
            sent={name: tuple(frames) for name, frames in tally.sent.items()},
            labels={name: tuple(labels) for name, labels in tally.labels.items()},
            seen_ns=tally.seen_ns,
            recording=self._settings.recording,
            counters=self._counters,
            engine=self._engine,
            cost=self._watch.cost(),
            wall_s=self._wall[-1] - self._wall[0] if self._wall else 0.0,
            node_start_seconds=start_seconds,
            node_exit_status=status,
            clock_step_ms=tally.clock_step_ms,
            latest_ms=tally.latest_ms,
        )


def run_live_replay(settings: ReplaySettings, *, progress: Progress) -> ReplayRecord:
    """Play the bag through the node and return what happened.

    Args:
        settings: What to play and where to.
        progress: Called with (frames sent, labels received, frames in all or None) as they come.

    Raises:
        BagError: the bag cannot be played.
        ReplayError: a process did not start, ended or hung; the message holds its last log lines.
    """
    images = images_of(settings)
    topics = topics_to_play(settings.bag, list(images.values()))
    replay = _LiveReplay(settings, images)
    with ExitStack() as stack:
        replay.start_recorder(stack)
        started = time.monotonic()
        replay.start_node(stack)
        replay.wait_until_active()
        start_seconds = None if settings.is_attached else time.monotonic() - started
        if settings.is_attached:
            replay.wait_for_report()
        replay.begin()
        player = start_player(settings, topics, environment=replay.environment, stack=stack)
        replay.play(player, progress)
        replay.wait_for_report()
        status = replay.finish()
    return replay.record(start_seconds=start_seconds, status=status)
