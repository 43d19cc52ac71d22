# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Replays a drive through the real node over DDS: a live replay, and a film of it.

python -m upsnet_ros.evaluation.demo --bag out/demo/drive --output out/demo

Exit status: 0 done, 1 failed, 130 after SIGINT or SIGTERM.
"""

from __future__ import annotations

if __name__ == '__main__':  # before the imports below, which take a while
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import shlex
import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.command import run_command
from upsnet_ros.evaluation.film import FILM, OVERLAYS, SHEET, write_film
from upsnet_ros.evaluation.frame_record import OUTPUTS
from upsnet_ros.evaluation.label_files import LABEL_FOLDER
from upsnet_ros.evaluation.live.camera_rate import CameraRate, fitting_rate, recorded_hz
from upsnet_ros.evaluation.live.commands import LiveOptions
from upsnet_ros.evaluation.live.live_run import evaluate_live
from upsnet_ros.evaluation.live.session import heard_by_the_node
from upsnet_ros.evaluation.replay_sections import write_replay_page
from upsnet_ros.evaluation.replay_summary import summary_text
from upsnet_ros.installed_files import default_model_path
from upsnet_ros.manifest import ModelManifest

# What an earlier run left is replaced. The drive may lie in the same folder: it stays.
OLD_OUTPUTS = (*OUTPUTS, OVERLAYS, SHEET, f'{FILM}.webm', f'{FILM}.mp4', 'replay')
MARKER = '.upsnet_demo'


def read_options(words: list[str]) -> LiveOptions:
    """The live replay that a command line asks for."""
    parser = argparse.ArgumentParser(
        prog='python -m upsnet_ros.evaluation.demo',
        description='Replay a drive through the perception node over DDS, film it and report.',
    )
    parser.add_argument('--bag', type=Path, required=True, help='folder of a rosbag2')
    parser.add_argument('--output', type=Path, required=True, help='folder for the report')
    parser.add_argument('--model', type=Path, help='model.onnx (default: the demo model)')
    parser.add_argument('--camera', default='camera', help='camera name (default: camera)')
    parser.add_argument(
        '--camera-hz',
        type=float,
        metavar='HZ',
        help='images a second (default: what this computer can follow, measured before)',
    )
    given = parser.parse_args(words)
    return LiveOptions(
        bag=given.bag,
        model=given.model or default_model_path(),
        output=given.output,
        cameras=(given.camera.strip('/'),),
        camera_hz=given.camera_hz,
        write_png=True,
        command=shlex.join(['python', '-m', 'upsnet_ros.evaluation.demo', *words]),
    )


def old_outputs(folder: Path) -> list[str]:
    """Names of what an earlier demo wrote into a folder.

    Raises:
        EvaluationError: a file or folder of such a name lies there and no demo wrote it.
    """
    found = [name for name in OLD_OUTPUTS if (folder / name).exists()]
    if found and not (folder / MARKER).is_file():
        raise EvaluationError(
            f'{folder} holds {", ".join(found)}, and no demo has written there before: they would '
            'be replaced. Give another --output, or move them away.'
        )
    return found


def remove_old_outputs(folder: Path) -> None:
    """Remove what an earlier demo wrote, and nothing else; mark the folder as one of the demo.

    Raises:
        EvaluationError: as by `old_outputs`.
    """
    found = old_outputs(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).write_text('The demo of upsnet_ros replaces its outputs in this folder.\n')
    for name in found:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def run(options: LiveOptions) -> None:
    """Replay, film, write and print.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    # What cannot be played is refused before the last report is removed.
    old_outputs(options.output)
    ModelManifest.load(options.model)
    with BagReader(options.bag) as bag:
        (camera,) = find_cameras(bag, names=options.cameras)
        heard_by_the_node(bag, [camera], keeps_messages=options.keeps_stamps)
        if options.camera_hz is None:
            rate = fitting_rate(bag, camera, options.model)
        else:
            rate = CameraRate(options.camera_hz, recorded_hz(bag, camera))
    options = replace(options, rate=rate.pace, camera_hz=rate.hz, measured_hz=rate.measured_hz)
    remove_old_outputs(options.output)
    print(rate.sentence, flush=True)
    print(f'Starting the node with {options.model}', flush=True)
    report = evaluate_live(options)
    film = write_film(report, options.output)
    page = write_replay_page(options.output, film=film.block, samples=film.samples)
    print(summary_text(report, options.output))
    places = {
        'the page': page,
        'the film': film.path,
        'one picture': options.output / SHEET,
        'every frame': f'{options.output / LABEL_FOLDER}/ and {options.output / OVERLAYS}/',
    }
    print('\nWhere to look')
    for name, place in places.items():
        print(f'  {name:<22}{place}')


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; the exit status is 0 only if a report was written."""
    words = sys.argv[1:] if arguments is None else arguments
    started = time.monotonic()

    def demo() -> list[str]:
        run(read_options(words))
        print(f'\nDone in {time.monotonic() - started:.0f} s.')
        return []

    return run_command(demo, name='demo')


if __name__ == '__main__':
    sys.exit(main())
