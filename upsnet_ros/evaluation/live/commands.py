# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a live evaluation is asked for, and the programs that do it: command lines, variables."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from upsnet_ros.bags.joining import BagPart
from upsnet_ros.core.errors import EvaluationError, ReplayError
from upsnet_ros.dds_domain import own_domain
from upsnet_ros.evaluation.frame_record import LIVE_FOLDER
from upsnet_ros.evaluation.run import RunOptions
from upsnet_ros.installed_files import find_installed

OWN, ROSBAG2, AUTO = 'own', 'rosbag2', 'auto'
PLAYERS = (AUTO, OWN, ROSBAG2)
ROSBAG2_PACKAGE = 'share/ament_index/resource_index/packages/ros2bag'
# `ros2 bag play` does not wait for subscribers.
ROSBAG2_DELAY_S = 3
CLOCK_HZ = 100
# What a reliable reader has not yet received when the last message was sent [ms].
ACKNOWLEDGE_MS = 5000

PROFILE = 'config/fastdds.xml'
PROFILE_VARIABLES = ('FASTDDS_DEFAULT_PROFILES_FILE', 'FASTRTPS_DEFAULT_PROFILES_FILE')


@dataclass(frozen=True, kw_only=True)
class LiveOptions(RunOptions):
    """What to play, into which node, and what to write.

    Attributes:
        rate: pace, 1 is as recorded.
        camera_hz: images of a camera a second at that pace; None where nobody asked.
        measured_hz: frames that the pipeline alone labelled a second before; None where that was
            not measured.
        player: `own`, which renews the stamps, or `rosbag2`, which keeps them.
        attach: whether the node runs already.
        parameters: parameters of the node that is started.
        params_file: file of further ones.
    """

    rate: float = 1.0
    camera_hz: float | None = None
    measured_hz: float | None = None
    player: str = OWN
    attach: bool = False
    parameters: dict[str, bool | int | str] = field(default_factory=dict)
    params_file: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be played.

        Raises:
            ReplayError: the pace, or the rate of the camera, is impossible.
            EvaluationError: there is no such file of parameters, or nothing to compare with.
        """
        super().__post_init__()
        if not 0.01 <= self.rate <= 100:
            raise ReplayError(
                f'the pace must lie in 0.01..100, received {self.rate}. 1 is as recorded.'
            )
        if self.camera_hz is not None and not 0.01 <= self.camera_hz <= 1000:
            raise ReplayError(
                f'the rate of the camera must lie in 0.01..1000 Hz, received {self.camera_hz}.'
            )
        if self.params_file is not None and not self.params_file.is_file():
            raise EvaluationError(f'--params-file {self.params_file}: there is no such file')

    @property
    def recording(self) -> Path:
        """The bag with the node's answers."""
        return self.output / LIVE_FOLDER / 'results'

    @property
    def logs(self) -> Path:
        """Folder of what the processes write."""
        return self.output / LIVE_FOLDER / 'logs'

    @property
    def keeps_stamps(self) -> bool:
        """Whether the images bear the stamps of the bag, and the node follows /clock."""
        return self.player == ROSBAG2


def replay_environment(
    base: Mapping[str, str], *, log_folder: Path, has_own_domain: bool = True
) -> dict[str, str]:
    """The given variables, completed for large images and a DDS domain of its own.

    What the user has set stays. A domain of its own keeps other ROS programs on the machine or the
    network from feeding images to the node, and this replay's topics from reaching them.

    Args:
        base: variables to start from.
        log_folder: where ROS writes its logs when it could make no folder below HOME.
        has_own_domain: False to stay in the domain of a node that runs already.

    Raises:
        ReplayError: the package is not installed completely, or no domain is free.
    """
    variables = dict(base)
    if not any(name in variables for name in PROFILE_VARIABLES):
        profile = find_installed(PROFILE)
        if profile is None:
            raise ReplayError(
                f'{PROFILE} of the package was not found. Source the workspace in which it was '
                'built, or run from its source tree.'
            )
        variables[PROFILE_VARIABLES[0]] = str(profile)
    if not _has_log_folder(variables):
        variables['ROS_LOG_DIR'] = str(log_folder.absolute())
    if has_own_domain and 'ROS_DOMAIN_ID' not in variables:
        variables['ROS_DOMAIN_ID'] = str(own_domain())
    variables['PYTHONUNBUFFERED'] = '1'
    return variables


def _has_log_folder(variables: Mapping[str, str]) -> bool:
    """Whether ROS finds a folder for its logs, or can make it; without one no node starts."""
    if variables.get('ROS_LOG_DIR') or variables.get('ROS_HOME'):
        return True  # the user's own choice, right or wrong
    folder = Path(variables.get('HOME', '')) / '.ros' / 'log'
    if not folder.is_absolute():
        return False
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)


def node_command(
    model: Path,
    cameras: Sequence[str],
    parameters: Mapping[str, bool | int | str],
    params_file: Path | None = None,
) -> list[str]:
    """The command line of the node; parameters given by name go before those of the file."""
    names = ', '.join(f"'{name}'" for name in cameras)
    values = {'model_path': f"'{model}'", 'camera_names': f'[{names}]'}
    for name, value in parameters.items():
        values[name] = f"'{value}'" if isinstance(value, str) else str(value).lower()
    command = [sys.executable, '-m', 'upsnet_ros.node.main', '--ros-args']
    if params_file is not None:
        command += ['--params-file', str(params_file)]
    return command + [word for item in values.items() for word in ('-p', ':='.join(item))]


def recorder_command(recording: Path, cameras: Sequence[str], images: Sequence[str]) -> list[str]:
    """The command line of the recorder; it tells of the arrival of `images`, too."""
    command = [sys.executable, '-m', 'upsnet_ros.node.result_recorder']
    command += ['--output', str(recording), '--cameras', *cameras]
    return [*command, *(['--images', *images] if images else [])]


def own_command(bag: Path, topics: Sequence[str], *, rate: float, part: BagPart) -> list[str]:
    """The command line of this package's player."""
    command = [sys.executable, '-m', 'upsnet_ros.node.bag_player', '--bag', str(bag)]
    command += ['--rate', str(rate), '--start-offset', str(part.start_s)]
    if part.duration_s is not None:
        command += ['--duration', str(part.duration_s)]
    return [*command, '--topics', *topics]


def rosbag2_command(bag: Path, topics: Sequence[str], *, rate: float, part: BagPart) -> list[str]:
    """The command line of rosbag2's player."""
    command = ['ros2', 'bag', 'play', str(bag), '--clock', str(CLOCK_HZ)]
    command += ['--rate', str(rate), '--delay', str(ROSBAG2_DELAY_S)]
    if part.start_s:
        command += ['--start-offset', str(part.start_s)]
    if part.duration_s is not None:
        command += ['--playback-duration', str(part.duration_s)]
    command += ['--disable-keyboard-controls', '--wait-for-all-acked', str(ACKNOWLEDGE_MS)]
    return [*command, '--topics', *topics]


def choose_player(wanted: str, variables: Mapping[str, str]) -> str:
    """`own` or `rosbag2`, with `auto` for rosbag2 where it is installed.

    Args:
        wanted: one of `PLAYERS`.
        variables: environment variables.

    Raises:
        ReplayError: rosbag2 is wanted and not installed.
    """
    prefixes = variables.get('AMENT_PREFIX_PATH', '').split(os.pathsep)
    has_package = any((Path(prefix) / ROSBAG2_PACKAGE).is_file() for prefix in prefixes if prefix)
    is_there = has_package and shutil.which('ros2', path=variables.get('PATH')) is not None
    if wanted == ROSBAG2 and not is_there:
        raise ReplayError(
            'the player rosbag2 was asked for, and there is no `ros2 bag` in this environment. '
            "Install ros-DISTRO-ros2bag and source it, or take the player 'own'."
        )
    return OWN if wanted == OWN or not is_there else ROSBAG2
