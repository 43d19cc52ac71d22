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
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from upsnet_ros.bags.cameras import CameraTopics, played_topic
from upsnet_ros.bags.definitions import VIDEO_TYPES
from upsnet_ros.bags.joining import has_no_stamps
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live.commands import (
    LiveOptions,
    node_command,
    own_command,
    recorder_command,
    replay_environment,
    rosbag2_command,
)
from upsnet_ros.evaluation.live.processes import Child, SilentChild, TellingChild
from upsnet_ros.evaluation.live.tally import (
    Counters,
    LiveTally,
    NodeCost,
    NodeWatch,
    engine_of,
    is_busy,
    local_process,
)

# An engine takes its time to load.
START_SECONDS = 90.0
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

Progress = Callable[..., None]
Player = SilentChild | TellingChild
Started = TypeVar('Started', bound=Child)


@dataclass(frozen=True)
class Played:
    """What happened in a live replay.

    Attributes:
        tally: what was sent and what came.
        counters: what the node counted of each camera; none where it published no diagnostics.
        engine: what the node says of its model; empty where it published no diagnostics.
        cost: CPU and memory of the node; None where its process could not be looked at.
        wall_s: from the first image to the last label.
        node_start_s: from the start of the process until it was active; None where it ran.
    """

    tally: LiveTally
    counters: Mapping[str, Counters]
    engine: Mapping[str, str]
    cost: NodeCost | None
    wall_s: float
    node_start_s: float | None


def heard_by_the_node(
    bag: BagReader, cameras: Sequence[CameraTopics], *, keeps_messages: bool
) -> dict[str, str]:
    """The topic on which the node reads the images of each camera.

    Args:
        bag: the opened bag.
        cameras: those of its cameras that are played.
        keeps_messages: whether the player sends each message on its own topic, as it is.

    Raises:
        ReplayError: the node does not listen to such a topic.
    """
    heard = {}
    for camera in cameras:
        usual = f'/{camera.name}/image_raw'
        kind = bag.topics.get(camera.images, '')
        if kind in VIDEO_TYPES and keeps_messages:
            raise ReplayError(
                f'the images of camera {camera.name} are {kind}, which ros2 bag play would send '
                'as they are; take the player that sends them in compressed images: --player own'
            )
        heard[camera.name] = played_topic(camera.images, kind)
        if heard[camera.name] not in (usual, f'{usual}/compressed'):
            raise ReplayError(
                f'the images of camera {camera.name} are on {camera.images}, and the node listens '
                f'to {usual} and {usual}/compressed. Record or rename the topic accordingly, or '
                'evaluate offline.'
            )
    return heard


def refuse_images_without_stamps(bag: BagReader, images: Mapping[str, str]) -> None:
    """Labels of images that all have the same stamp would be nobody's.

    Raises:
        ReplayError: a camera is such.
    """
    for camera, topic in images.items():
        if has_no_stamps(bag, topic):
            raise ReplayError(
                f'the images of {camera} have no stamps (0), and ros2 bag play would keep them '
                'so; take the player that gives them stamps: --player own'
            )


class Session:
    """A bag that is played into a node; nothing starts before `run`.

    Args:
        options: what to play, and into which node.
        bag: the opened bag.
        cameras: those of its cameras that are played.
        sha256: what the model of a node that runs already must have.

    Raises:
        ReplayError: the node does not listen to the topics of the bag, or its stamps are kept and
            there are none.
    """

    def __init__(
        self,
        options: LiveOptions,
        bag: BagReader,
        cameras: Sequence[CameraTopics],
        *,
        sha256: str,
    ) -> None:
        self._options = options
        self._sha256 = sha256
        self._images = heard_by_the_node(bag, cameras, keeps_messages=options.keeps_stamps)
        if options.keeps_stamps:
            refuse_images_without_stamps(bag, self._images)
        infos = [f'{topic.split("/image_raw")[0]}/camera_info' for topic in self._images.values()]
        played = [camera.images for camera in cameras]
        self._topics = [*played, *(topic for topic in infos if topic in bag.topics)]
        length = (bag.end_ns - bag.start_ns) / 1e9 - options.part.start_s
        if options.part.duration_s is not None:
            length = min(length, options.part.duration_s)
        self._playing_s = max(length, 0.0) / options.rate
        self._environment = replay_environment(
            os.environ, log_folder=options.logs / 'ros', has_own_domain=not options.attach
        )
        self._tally = LiveTally(self._images)
        self._watch = NodeWatch(None)
        self._node: Child | None = None

    def run(self, progress: Progress) -> Played:
        """Play the bag through the node and return what happened.

        Args:
            progress: called with images sent, images in all or None, and those `labelled`.

        Raises:
            ReplayError: a process did not start, ended or hung; the message holds its last lines.
        """
        with ExitStack() as stack:
            self._recorder = stack.enter_context(self._start_recorder())
            started = time.monotonic()
            if not self._options.attach:
                self._node = stack.enter_context(self._start_node())
            self._wait_until_active()
            start_s = None if self._options.attach else time.monotonic() - started
            if self._options.attach:
                self._wait_for_report()
            self._begin()
            player = self._start_player()
            stack.enter_context(player)
            wall_s = self._follow(player, progress)
            self._wait_for_report()
            # A node that ends says that it has no model and no cameras any more.
            counters, engine = self._tally.counters(), engine_of(self._tally.statuses)
            self._finish()
        return Played(self._tally, counters, engine, self._watch.cost(), wall_s, start_s)

    def _start(self, kind: type[Started], name: str, command: list[str], log: str) -> Started:
        log_file = self._options.logs / log
        return kind(name, command, environment=self._environment, log=log_file)

    def _start_recorder(self) -> TellingChild:
        """Record what the node publishes; where stamps are kept, note when images come, too."""
        images = list(self._images.values()) if self._options.keeps_stamps else []
        command = recorder_command(self._options.recording, list(self._images), images)
        return self._start(TellingChild, 'recorder', command, 'recorder.log')

    def _start_node(self) -> Child:
        options = self._options
        clock = {'use_sim_time': True} if options.keeps_stamps else {}
        command = node_command(
            options.model.resolve(),
            list(self._images),
            {**options.parameters, **clock},
            options.params_file,
        )
        return self._start(Child, 'node', command, 'node.log')

    def _start_player(self) -> Player:
        """Start to play; the last of its news is `done` with `sent`."""
        options = self._options
        make = rosbag2_command if options.keeps_stamps else own_command
        command = make(options.bag, self._topics, rate=options.rate, part=options.part)
        if options.keeps_stamps:
            return self._start(SilentChild, 'ros2 bag play', command, 'player.log')
        return self._start(TellingChild, 'player', command, 'player.log')

    def _listen(self) -> None:
        """Take what the recorder tells, waiting a moment for it."""
        if self._node is not None:
            self._node.check()
        elif self._watch.is_gone:
            raise ReplayError(
                f'the node ended by itself after {self._tally.label_count} labels; its own log '
                'says why.'
            )
        for event in self._recorder.news(POLL_SECONDS):
            self._tally.take(event)

    def _wait_until_active(self) -> None:
        """Wait for the tables of classes, which the node publishes, latched, with its activation.

        Raises:
            ReplayError: the node ended, or takes too long.
        """
        deadline = time.monotonic() + START_SECONDS
        while not self._tally.is_active:
            self._listen()
            if time.monotonic() > deadline:
                what = f'the node was not active within {START_SECONDS:g} s (no class_info came)'
                if self._node is not None:
                    raise ReplayError(self._node.failure(what))
                raise ReplayError(
                    f'{what}. Does a node run with the cameras {", ".join(self._images)}, in '
                    'the same ROS_DOMAIN_ID, and is it active?'
                )

    def _wait_for_report(self) -> None:
        """Wait until the node has told of itself once more; not for ever."""
        reports, deadline = self._tally.reports, time.monotonic() + REPORT_SECONDS
        while self._tally.reports == reports and time.monotonic() < deadline:
            self._listen()

    def _begin(self) -> None:
        """Count and measure the node from here on.

        Raises:
            ReplayError: it says that it runs another model.
        """
        engine = engine_of(self._tally.statuses)
        if engine.get('sha256', self._sha256) != self._sha256:
            raise ReplayError(
                f'the node runs {engine.get("model_path")} with the sha256 {engine["sha256"]}, '
                f'and {self._options.model.resolve()} has {self._sha256}; name the model that it '
                'runs.'
            )
        self._tally.begin()
        pid = self._node.pid if self._node else local_process(self._tally.statuses)
        if pid is None:
            logger.warning(
                'the process of the node cannot be looked at from here (another computer or '
                'container, or no diagnostics): its CPU time and memory stay unknown.'
            )
        self._watch = NodeWatch(pid)

    def _follow(self, player: Player, progress: Progress) -> float:
        """Follow the player to its end, then wait until no more labels come.

        Returns:
            Seconds from the first image to the last label.

        Raises:
            ReplayError: a process ended or hangs.
        """
        tally, frame_times = self._tally, list[float]()
        last_news = time.monotonic()
        end_of_bag = last_news + self._playing_s
        while True:
            before = tally.sent_count + tally.label_count
            if not frame_times:  # what it took until the first image is none of its work
                self._watch.begin()
            self._listen()
            for event in player.news():
                tally.take(event)
                last_news = time.monotonic()
            if tally.sent_count + tally.label_count > before:
                last_news = time.monotonic()
                frame_times = [*frame_times[:1], last_news]
                self._watch.look()
                progress(tally.sent_count, tally.total, labelled=tally.label_count)
            silence = time.monotonic() - last_news
            if tally.is_played and self._is_answered(silence):
                self._watch.look()
                return frame_times[-1] - frame_times[0] if frame_times else 0.0
            # A player is silent where the bag is; by the end of the bag it must have told so.
            is_due = tally.is_played or time.monotonic() > end_of_bag + SILENCE_SECONDS
            if is_due and silence > SILENCE_SECONDS:
                who = 'node answered' if tally.is_played else 'player sent'
                raise ReplayError(
                    f'the {who} nothing for {silence:.0f} s after {tally.sent_count} frames.'
                )

    def _is_answered(self, silence: float) -> bool:
        tally = self._tally
        return tally.has_all_labels or (silence > QUIET_SECONDS and not is_busy(tally.statuses))

    def _finish(self) -> None:
        """End the node that was started, and the recording."""
        if self._node is not None:
            self._node.check()
            status = self._node.stop()
            if status:
                logger.warning('the node ended with status %d when it was asked to end', status)
        for event in self._recorder.finish():
            self._tally.take(event)
