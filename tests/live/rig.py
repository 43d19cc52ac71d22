# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What tests of live evaluations share: the node that labels by colour, drives, expectations."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2

from tests.bags.small_drive import Row, image_row, label_row, labels_by_colour, stamp_of, truth_of
from tests.evaluation.replay_folders import changed, write_street
from tests.fakes.fake_backend import make_manifest
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.json_lines import json_line
from upsnet_ros.core.labels import cityscapes_label_set
from upsnet_ros.core.panoptic_quality import PanopticQuality
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, NO_LABEL, SkippedFrame, read_frames
from upsnet_ros.evaluation.live.__main__ import main
from upsnet_ros.evaluation.live.commands import node_command, replay_environment
from upsnet_ros.evaluation.live.processes import Child
from upsnet_ros.evaluation.replay_report import read_report
from upsnet_ros.evaluation.totals import add_up

LIVE_SPEED = {
    'frames': 27,
    'wall_s': 26.7,
    'frames_per_second': 3.1,
    'rate': 0.5,
    'camera_hz': None,
    'measured_hz': None,
    'player': 'own',
    'node_cpu_percent': 89.2,
    'node_cpu_ms_per_frame': 290.1,
    'node_peak_mb': 406.4,
    'node_start_s': 2.0,
    'dropped_by_node': 2,
    'refused_by_node': 0,
    'lost_on_the_way': 1,
    'player_late_ms': 12.5,
    'clock_step_ms': 0.0,
}
COLOUR_NODE = Path(__file__).with_name('colour_node.py')


def colour_node_command(real: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Replaces the node in its own command line."""

    def command(*of: object) -> list[str]:
        return [sys.executable, str(COLOUR_NODE), *real(*of)[3:]]

    return command


def evaluate(bag: Path, model: Path, *more: str, name: str = 'out') -> int:
    """The exit status of a live evaluation into a folder beside the bag."""
    return main([str(bag), '--model', str(model), '--output', str(bag.parent / name), *more])


def write_model(path: Path, data: bytes) -> Path:
    """A file with a manifest that fits it; there is no network in it."""
    path.write_bytes(data)
    make_manifest(sha256=hashlib.sha256(data).hexdigest()).write(path.with_suffix('.json'))
    return path


def start_node(model: Path, log: Path, *parameters: str) -> Child:
    """A node in the domain of this process, as someone else would have started it."""
    command = colour_node_command(node_command)(model, ['camera'], {})
    for parameter in parameters:
        command += ['-p', parameter]
    environment = replay_environment(os.environ, log_folder=log.parent, has_own_domain=False)
    return Child('node', command, environment=environment, log=log)


def camera_rows(camera: str, *, frames: Iterable[int]) -> list[Row]:
    """Images and ground truth of another camera than the usual one."""
    rows = []
    for index in frames:
        _, *image = image_row(index)
        stamp = stamp_of(index)
        rows.append((f'/{camera}/image_raw/compressed', *image))
        rows.append(
            label_row(
                f'/{camera}/ground_truth/panoptic/image',
                truth_of(index),
                stamp_ns=stamp,
                recorded_ns=stamp,
            )
        )
    return rows


def offline_pq(bag: Path, *, frames: Iterable[int]) -> float:
    """Panoptic quality of the colour labels of some frames, without any node."""
    quality = PanopticQuality(cityscapes_label_set())
    with BagReader(bag) as opened:
        images = [
            cv2.imdecode(opened.decode(topic, data).data, cv2.IMREAD_COLOR)
            for topic, _, data in opened.messages(['/camera/image_raw/compressed'])
        ]
    for index in frames:
        quality.update(labels_by_colour(images[index]), truth_of(index))
    return quality.summary().all.pq


def write_live(
    folder: Path, *, dropped: tuple[int, ...], unread: tuple[int, ...] = (), seed: int = 1
) -> Path:
    """The folder of a live report of 30 frames, some without labels, without playing any."""
    write_street(folder, seed=seed, kind='live')
    lines = [
        SkippedFrame(
            line.camera,
            line.index,
            line.stamp_ns,
            NO_LABEL if line.index in dropped else 'its stamp is that of another image',
        )
        if line.index in (*dropped, *unread)
        else line
        for line in read_frames(folder / FRAMES_FILE)
    ]
    path, report = folder / FRAMES_FILE, read_report(folder)
    header = path.read_text().splitlines(keepends=True)[0]
    path.write_text(header + ''.join(json_line(line.to_json()) for line in lines))
    names = dict.fromkeys(report.cameras, 0)
    totals = add_up(folder, report.label_set, truth_unmatched=names)
    changed(folder, cameras=totals.cameras, total=totals.total, speed=LIVE_SPEED)
    return folder
