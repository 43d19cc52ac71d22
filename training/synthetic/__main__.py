# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Command line: ``python -m training.synthetic``."""

import argparse
import os
import sys
from pathlib import Path

from tqdm import tqdm

from upsnet_ros.core.errors import ParameterError

from .bag import write_bag
from .dataset import plan_jobs, write_dataset
from .drive import render_drive
from .render import check_size

DESCRIPTION = """\
Makes synthetic drives: a procedural street seen by a moving camera, with exact panoptic ground
truth for the 19 Cityscapes classes. The same arguments give the same bytes.

A data set (--output) has the Cityscapes layout and encodings, so its tools read it as it is:
  DIR/leftImg8bit/{train,val}/upstreet/upstreet_SSSSSS_FFFFFF_leftImg8bit.png
  DIR/gtFine/{train,val}/upstreet/upstreet_SSSSSS_FFFFFF_gtFine_{labelIds,instanceIds,...}.png
It takes two frames, seconds apart, from each of many worlds. Train and val never share a world,
whatever the seeds.

A bag (--bag) is one smooth drive as a rosbag2 folder (MCAP) with the topics
  /camera/image_raw/compressed (or /camera/image_raw with --raw), /camera/camera_info and
  /camera/ground_truth/panoptic/image (16UC1, class_id << 8 | instance).
"""
EXAMPLES = """\
examples:
  python -m training.synthetic --output data/synthetic --train 2000 --val 200
  python -m training.synthetic --output data/varied --train 12000 --val 200 --varied
  python -m training.synthetic --bag out/drive --frames 100 --rate 10 --seed 7
"""


def image_size(text: str) -> tuple[int, int]:
    """Parses WxH."""
    width, cross, height = text.lower().partition('x')
    if not (cross and width.isdigit() and height.isdigit()):
        raise argparse.ArgumentTypeError(f"'{text}' is not WIDTHxHEIGHT, for example 1024x512")
    size = int(width), int(height)
    try:
        check_size(size)
    except ParameterError as error:
        raise argparse.ArgumentTypeError(f"'{text}': {error}, for example 1024x512") from error
    return size


def count(text: str) -> int:
    """Parses an integer >= 0."""
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"'{text}' is not an integer >= 0")
    return int(text)


def positive(text: str) -> int:
    """Parses an integer >= 1."""
    number = count(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not an integer >= 1")
    return number


def frequency(text: str) -> float:
    """Parses a rate in 0.1..1000 Hz."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.1 <= number <= 1000:
        raise argparse.ArgumentTypeError(f"'{text}' is not a rate in Hz between 0.1 and 1000")
    return number


def make_parser() -> argparse.ArgumentParser:
    """The command's options."""
    parser = argparse.ArgumentParser(
        prog='python -m training.synthetic',
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--output', type=Path, metavar='DIR', help='write a data set below this folder')
    add('--train', type=count, default=0, metavar='N', help='training frames (default: 0)')
    add('--val', type=count, default=0, metavar='N', help='validation frames (default: 0)')
    add('--seed', type=count, default=0, metavar='S', help='decides every world (default: 0)')
    add(
        '--varied',
        action='store_true',
        help='draw the style of each training world: light, camera, materials, shapes, clutter, '
        'and a share of them with wild textures; val keeps the style of the demo',
    )
    add(
        '--size',
        type=image_size,
        default=(1024, 512),
        metavar='WxH',
        help='image size in pixels (default: 1024x512)',
    )
    add(
        '--bag', type=Path, metavar='FILE', help='write one drive as a rosbag2 folder of this name'
    )
    add(
        '--frames',
        type=positive,
        default=100,
        metavar='N',
        help='frames of the drive (default: 100)',
    )
    add(
        '--rate',
        type=frequency,
        default=10.0,
        metavar='HZ',
        help='frames per second of the drive (default: 10)',
    )
    add('--raw', action='store_true', help='uncompressed bgr8 images in the bag instead of JPEG')
    add(
        '--workers',
        type=positive,
        default=os.cpu_count() or 1,
        metavar='N',
        help='processes for the data set (default: one per core)',
    )
    return parser


def check_folder(parser: argparse.ArgumentParser, option: str, folder: Path) -> None:
    """Ends the command if a folder cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f'argument {option}: cannot make the folder {folder}: {error.strerror}')
    if not os.access(folder, os.W_OK):
        parser.error(f'argument {option}: the folder {folder} is not writable')


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns the exit status."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    if options.output is None and options.bag is None:
        parser.error('nothing to do: give --output DIR with --train or --val, or --bag FILE')
    if options.output is not None:
        if options.train + options.val == 0:
            parser.error('argument --output: give --train N or --val N with N of at least 1')
        check_folder(parser, '--output', options.output)
        jobs = plan_jobs(
            options.output,
            train=options.train,
            val=options.val,
            seed=options.seed,
            size=options.size,
            varied=options.varied,
        )
        total = write_dataset(jobs, workers=options.workers)
        print(f'{total} frames of {len(jobs)} worlds in {options.output}')
    if options.bag is not None:
        if options.bag.exists():
            parser.error(f'argument --bag: {options.bag} exists already; choose another name')
        check_folder(parser, '--bag', options.bag.resolve().parent)
        drive = render_drive(
            options.seed, size=options.size, frames=options.frames, rate=options.rate
        )
        shown = tqdm(drive, total=options.frames, unit='frame', desc='driving')
        total = write_bag(options.bag, shown, raw=options.raw)
        print(f'{total} frames at {options.rate:g} Hz in {options.bag}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
