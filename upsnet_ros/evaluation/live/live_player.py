# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The process that plays the bag of a live replay: this package's, or `ros2 bag play`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from upsnet_ros.bags.cameras import NO_TRUTH, find_cameras
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.live.event_process import Event, EventProcess
from upsnet_ros.evaluation.live.live_settings import OWN, ROSBAG2, ReplaySettings
from upsnet_ros.evaluation.live.processes import NodeProcess

AUTO = 'auto'
PLAYERS = (AUTO, OWN, ROSBAG2)
INSTALLED = Path('share/ament_index/resource_index/packages/ros2bag')
# `ros2 bag play` does not wait for subscribers.
ROSBAG2_DELAY_S = 3
CLOCK_HZ = 100
# What a reliable reader has not yet received when the last message was sent [ms].
ACKNOWLEDGE_MS = 5000


class Player(Protocol):
    """Something that plays a bag."""

    def news(self) -> list[Event]:
        """What it told since it was asked last; its last event is `done` with `sent`.

        Raises:
            ReplayError: it failed.
        """
        ...


def choose_player(wanted: str, variables: Mapping[str, str]) -> str:
    """`own` or `rosbag2`, with `auto` for rosbag2 where it is installed.

    Args:
        wanted: one of `PLAYERS`.
        variables: environment variables.

    Raises:
        ReplayError: rosbag2 is wanted and not installed.
    """
    prefixes = variables.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    has_package = any((Path(prefix) / INSTALLED).is_file() for prefix in prefixes if prefix)
    is_there = has_package and shutil.which('ros2', path=variables.get('PATH')) is not None
    if wanted == ROSBAG2 and not is_there:
        raise ReplayError(
            'the player rosbag2 was asked for, and there is no `ros2 bag` in this environment. '
            "Install ros-DISTRO-ros2bag and source it, or take the player 'own'."
        )
    return OWN if wanted == OWN or not is_there else ROSBAG2


def images_of(settings: ReplaySettings) -> dict[str, str]:
    """The image topic of each camera.

    Raises:
        BagError: the bag has no images of a camera.
        ReplayError: the node does not listen to such a topic.
    """
    names = [name.strip('/') for name in settings.cameras]
    if settings.images:
        found = dict(zip(names, settings.images, strict=True))
    else:
        with BagReader(settings.bag) as bag:
            cameras = find_cameras(bag, names=names, truths=[NO_TRUTH])
        found = {camera.name: camera.images for camera in cameras}
    for name, topic in found.items():
        usual = f'/{name}/image_raw'
        if topic not in (usual, f'{usual}/compressed'):
            raise ReplayError(
                f'the images of camera {name} are on {topic}, and the node listens to {usual} and '
                f'{usual}/compressed. Record or rename the topic accordingly, or evaluate offline.'
            )
    return found


def topics_to_play(bag: Path, images: Sequence[str]) -> list[str]:
    """The image topics, and the camera_info beside each where the bag has it."""
    with BagReader(bag) as opened:
        infos = [f'{topic.split("/image_raw")[0]}/camera_info' for topic in images]
        return [*images, *(info for info in infos if info in opened.topics)]


def own_command(settings: ReplaySettings, topics: Sequence[str]) -> list[str]:
    """The command line of this package's player."""
    command = [sys.executable, '-m', 'upsnet_ros.node.bag_player', '--bag', str(settings.bag)]
    command += ['--rate', str(settings.rate_scale), '--start-offset', str(settings.start_s)]
    if settings.duration_s is not None:
        command += ['--duration', str(settings.duration_s)]
    return [*command, '--topics', *topics]


def rosbag2_command(settings: ReplaySettings, topics: Sequence[str]) -> list[str]:
    """The command line of rosbag2's player."""
    command = ['ros2', 'bag', 'play', str(settings.bag), '--clock', str(CLOCK_HZ)]
    command += ['--rate', str(settings.rate_scale), '--delay', str(ROSBAG2_DELAY_S)]
    if settings.start_s:
        command += ['--start-offset', str(settings.start_s)]
    if settings.duration_s is not None:
        command += ['--playback-duration', str(settings.duration_s)]
    command += ['--disable-keyboard-controls', '--wait-for-all-acked', str(ACKNOWLEDGE_MS)]
    return [*command, '--topics', *topics]


class OwnPlayer:
    """This package's player, which tells of every image."""

    def __init__(self, process: EventProcess) -> None:
        self._process = process

    def news(self) -> list[Event]:
        """See `Player.news`."""
        events = []
        while (event := self._process.next_event(0.0)) is not None:
            events.append(event)
        return events


class RosbagPlayer:
    """rosbag2's player, which tells nothing but its end."""

    def __init__(self, process: NodeProcess) -> None:
        self._process = process
        self._is_done = False

    def news(self) -> list[Event]:
        """See `Player.news`."""
        status = self._process.process.poll()
        if status is None or self._is_done:
            return []
        if status:
            raise ReplayError(self._process.failure(f'ros2 bag play ended with status {status}'))
        self._is_done = True
        return [{'event': 'done', 'sent': None}]


def start_player(
    settings: ReplaySettings,
    topics: Sequence[str],
    *,
    environment: Mapping[str, str],
    stack: ExitStack,
) -> Player:
    """Start to play; the process ends with the stack at the latest."""
    log = settings.logs / 'player.log'
    if settings.player == OWN:
        command = own_command(settings, topics)
        return OwnPlayer(
            stack.enter_context(EventProcess('player', command, environment=environment, log=log))
        )
    command = rosbag2_command(settings, topics)
    return RosbagPlayer(
        stack.enter_context(NodeProcess(command, environment=environment, log=log))
    )
