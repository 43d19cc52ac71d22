# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What is played in a live replay, and what happened in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from upsnet_ros.core.errors import ReplayError
from upsnet_ros.evaluation.frames import ReceivedLabel, SentFrame
from upsnet_ros.evaluation.live.node_state import Counters
from upsnet_ros.evaluation.live.node_watch import NodeCost

OWN, ROSBAG2 = 'own', 'rosbag2'
# An engine takes its time to load.
START_SECONDS = 90.0


@dataclass(frozen=True)
class ReplaySettings:
    """What to play and where to.

    Attributes:
        bag: Folder of the rosbag2.
        model_path: The model.onnx the node shall load.
        work_folder: Where the recording and the logs are written; made when missing.
        cameras: Names of the cameras: their topics begin with them.
        images: Image topic of each camera; the usual ones of the bag when empty.
        rate_scale: Pace, 1 is as recorded, 0.5 half as fast.
        start_s: Seconds of the bag to leave out at first.
        duration_s: Seconds to play from there; None to the end.
        player: `own`, which renews the stamps, or `rosbag2`, which keeps them.
        is_attached: Whether a node runs already; none is started then.
        model_sha256: What the model of that node must have; empty for any.
        parameters: Parameters of the node that is started.
        params_file: File of parameters of that node; those above go before it.
        start_seconds: How long the node may take until it is active.
        command: Command line of the node; None runs this package's node.
    """

    bag: Path
    model_path: Path
    work_folder: Path
    cameras: tuple[str, ...] = ('camera',)
    images: tuple[str, ...] = ()
    rate_scale: float = 1.0
    start_s: float = 0.0
    duration_s: float | None = None
    player: str = OWN
    is_attached: bool = False
    model_sha256: str = ''
    parameters: Mapping[str, bool | int | str] = field(default_factory=dict)
    params_file: Path | None = None
    start_seconds: float = field(default_factory=lambda: START_SECONDS)
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
    def logs(self) -> Path:
        """Folder of what the processes write."""
        return self.work_folder / 'logs'

    @property
    def keeps_stamps(self) -> bool:
        """Whether the images bear the stamps of the bag, and the node follows /clock."""
        return self.player == ROSBAG2


@dataclass(frozen=True)
class ReplayRecord:
    """What happened in a live replay.

    Attributes:
        sent: Frames of each camera in the order sent; where stamps are kept, those that were seen
            by the recorder.
        labels: Label images of each camera in the order of arrival.
        seen_ns: Where stamps are kept: when the image of a stamp came to the recorder, by camera.
        recording: Bag with all the node published.
        counters: What the node counted of each camera; none where it published no diagnostics.
        engine: What the node says of its model; empty where it published no diagnostics.
        cost: CPU and memory of the node; None where its process could not be looked at.
        wall_s: From the first image to the last label.
        node_start_seconds: From the start of the process until it was active; None where it ran.
        node_exit_status: How it ended after it was asked to; None where it runs on.
        clock_step_ms: How far the system clock was set while recording; latencies are wrong by it.
        latest_ms: Largest delay of the player behind its own schedule; None where it tells none.
    """

    sent: Mapping[str, tuple[SentFrame, ...]]
    labels: Mapping[str, tuple[ReceivedLabel, ...]]
    seen_ns: Mapping[str, Mapping[int, int]]
    recording: Path
    counters: Mapping[str, Counters]
    engine: Mapping[str, str]
    cost: NodeCost | None
    wall_s: float
    node_start_seconds: float | None
    node_exit_status: int | None
    clock_step_ms: float
    latest_ms: float | None

    @property
    def node_peak_bytes(self) -> int | None:
        """Largest resident memory of the node."""
        return self.cost.peak_bytes if self.cost else None
