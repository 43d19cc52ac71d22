# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Replays a drive through the real node over DDS and writes a report on it.

python -m upsnet_ros.evaluation.demo --bag out/demo/drive --output out/demo
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import cv2
from tqdm import tqdm

from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError, UpsnetError
from upsnet_ros.evaluation.contact_sheet import draw_contact_sheet
from upsnet_ros.evaluation.drive_evaluation import (
    DriveEvaluation,
    OutputFolder,
    evaluate_drive,
)
from upsnet_ros.evaluation.frames import JoinedFrames, join_by_stamp
from upsnet_ros.evaluation.live.live_player import images_of
from upsnet_ros.evaluation.live.live_settings import ReplayRecord, ReplaySettings
from upsnet_ros.evaluation.live.node_diagnostics import last_statuses
from upsnet_ros.evaluation.live.processes import last_lines
from upsnet_ros.evaluation.live.replay_environment import package_file
from upsnet_ros.evaluation.live.session import run_live_replay
from upsnet_ros.evaluation.machine import describe_machine
from upsnet_ros.evaluation.report_html import write_report_html
from upsnet_ros.evaluation.report_json import Report, build_report, rounded, write_report_json
from upsnet_ros.evaluation.summary import summary_text
from upsnet_ros.evaluation.timing import rate_hz, timing_of
from upsnet_ros.manifest import ModelManifest

DEMO_MODEL = 'config/models/upsnet_tiny_synthetic/model.onnx'
# What an earlier run left is replaced. The drive may lie in the same folder: it stays.
OLD_OUTPUTS = (
    'labels',
    'overlays',
    'replay',
    'contact_sheet.png',
    'drive.webm',
    'drive.mp4',
    'report.json',
    'report.html',
)
MARKER = '.upsnet_demo'
# A system clock set by more than this while recording falsifies the latencies.
CLOCK_STEP_MS = 2.0


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog='python -m upsnet_ros.evaluation.demo',
        description='Replay a drive through the perception node over DDS and report on it.',
    )
    parser.add_argument('--bag', type=Path, required=True, help='folder of a rosbag2')
    parser.add_argument('--output', type=Path, required=True, help='folder for the report')
    parser.add_argument('--model', type=Path, help='model.onnx (default: the demo model)')
    parser.add_argument('--camera', default='camera', help='camera name (default: camera)')
    parser.add_argument(
        '--rate-scale', type=float, default=1.0, help='pace, 1 is as recorded (default: 1)'
    )
    return parser.parse_args(arguments)


def is_report(path: Path) -> bool:
    """True for a report.json that a demo wrote."""
    try:
        report = json.loads(path.read_text())
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and {'frames_sent', 'replay'} <= report.keys()


def remove_old_outputs(folder: Path) -> None:
    """Remove what an earlier run wrote, and nothing else; mark the folder as one of the demo.

    Raises:
        EvaluationError: a file or folder of such a name lies there and no demo wrote it.
    """
    found = [name for name in OLD_OUTPUTS if (folder / name).exists()]
    marker = folder / MARKER
    # Demos before the marker left a report that names itself by its measures.
    if found and not marker.is_file() and not is_report(folder / 'report.json'):
        raise EvaluationError(
            f'{folder} holds {", ".join(found)}, and no demo has written there before: they would '
            'be replaced. Give another --output, or move them away.'
        )
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text('The demo of upsnet_ros replaces its outputs in this folder.\n')
    for name in OLD_OUTPUTS:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def replay_with_progress(settings: ReplaySettings) -> ReplayRecord:
    """Play the bag; the bar shows frames sent and labels received."""
    print(f'Starting the node with {settings.model_path}', flush=True)
    bars: list[tqdm] = []

    def progress(sent: int, labelled: int, total: int | None) -> None:
        # Made with the first frame: the start of the node is no part of the rate it shows.
        if not bars:
            bars.append(tqdm(total=total, unit='frame', desc='Playing', disable=None))
        bars[0].n = sent
        bars[0].set_postfix(labelled=labelled)

    try:
        return run_live_replay(settings, progress=progress)
    finally:
        for bar in bars:
            bar.close()


def check_answers(joined: JoinedFrames, settings: ReplaySettings) -> None:
    """Refuse to report on nothing.

    Raises:
        EvaluationError: no frame was sent, or none was labelled.
    """
    if joined.sent == 0:
        raise EvaluationError(f'{settings.bag} holds no image to play. Record or make another.')
    if joined.labelled == 0:
        log = settings.logs / 'node.log'
        raise EvaluationError(
            f'the node labelled none of {joined.sent} frames ({joined.strangers} labels with '
            f'other stamps came). Last lines of {log}:\n{last_lines(log)}'
        )


def describe_replay(settings: ReplaySettings, record: ReplayRecord, command: str) -> Report:
    """The entry `replay` of the report."""
    return {
        'bag': str(settings.bag),
        'camera': settings.cameras[0],
        'rate_scale': settings.rate_scale,
        'command': command,
        'node_start_seconds': rounded(record.node_start_seconds, 2),
        'node_exit_status': record.node_exit_status,
        'player_late_ms': rounded(record.latest_ms),
        'clock_step_ms': rounded(record.clock_step_ms),
    }


def describe_environment(manifest: ModelManifest, evaluation: DriveEvaluation) -> Report:
    """The entry `environment` of the report."""
    return {
        'model': manifest.name,
        'model_sha256': manifest.sha256,
        'network_input_size': [manifest.input.width, manifest.input.height],
        'image_size': [evaluation.image_size[1], evaluation.image_size[0]],
        **describe_machine(),
    }


def read_statuses(record: ReplayRecord) -> dict[str, dict[str, str]]:
    """What the node said of itself last."""
    with BagReader(record.recording, may_be_empty=True) as recording:
        return last_statuses(recording)


def run_demo(options: argparse.Namespace, *, command: str) -> Report:
    """Replay, evaluate, write and print; returns the report.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    model = options.model or package_file(DEMO_MODEL)
    manifest = ModelManifest.load(model)
    folder = OutputFolder(options.output)
    settings = ReplaySettings(
        bag=options.bag,
        model_path=model.resolve(),
        work_folder=folder.path / 'replay',
        cameras=(options.camera.strip('/'),),
        rate_scale=options.rate_scale,
    )
    (camera,) = images_of(settings)  # refuses a bag before anything is removed
    remove_old_outputs(folder.path)
    record = replay_with_progress(settings)
    joined = join_by_stamp(record.sent[camera], record.labels[camera])
    check_answers(joined, settings)
    timing = timing_of(joined)
    recorded_rate_hz = rate_hz([frame.bag_stamp_ns for frame in record.sent[camera]])
    with tqdm(total=joined.sent, unit='frame', desc='Scoring', disable=None) as bar:
        evaluation = evaluate_drive(
            joined,
            bag=settings.bag,
            recording=record.recording,
            camera=camera,
            label_topic=f'/{camera}/panoptic/image',
            label_set=manifest.label_set,
            folder=folder,
            rate_hz=recorded_rate_hz,
            progress=lambda done: bar.update(done - bar.n),
        )
    report = build_report(
        joined=joined,
        timing=timing,
        evaluation=evaluation,
        node_peak_bytes=record.node_peak_bytes,
        statuses=read_statuses(record),
        environment=describe_environment(manifest, evaluation),
        replay=describe_replay(settings, record, command),
    )
    write_report_json(report, folder.report_json)
    write_report_html(report, evaluation, manifest.label_set, folder.report_html)
    sheet = draw_contact_sheet(evaluation.samples, manifest.label_set)
    cv2.imwrite(str(folder.contact_sheet), sheet)
    print(summary_text(report, evaluation, folder))
    if abs(record.clock_step_ms) > CLOCK_STEP_MS:
        print(
            f'Warning: the system clock was set by {record.clock_step_ms:.1f} ms while playing; '
            'the latencies are wrong by as much.',
            file=sys.stderr,
        )
    return report


def leave_at_sigterm(number: int, frame: FrameType | None) -> None:
    """Leave as by an exception, so that the node, the player and the recorder are ended.

    Raises:
        SystemExit: always, with the status a shell gives to a process ended by this signal.
    """
    signal.signal(number, signal.SIG_IGN)  # a second one must not break off the ending
    raise SystemExit(128 + number)


@contextmanager
def ending_at_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the block instead of ending the process on the spot."""
    before = signal.signal(signal.SIGTERM, leave_at_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit status is 0 only if a report was written."""
    options = parse_arguments(arguments)
    words = ['python', '-m', 'upsnet_ros.evaluation.demo', *(arguments or sys.argv[1:])]
    started = time.monotonic()
    try:
        with ending_at_sigterm():
            run_demo(options, command=shlex.join(words))
    except UpsnetError as error:
        print(f'The demo failed: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('Stopped.', file=sys.stderr)
        return 130
    print(f'\nDone in {time.monotonic() - started:.0f} s.')
    return 0


if __name__ == '__main__':
    sys.exit(main())
