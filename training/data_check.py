# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Look at a data set before training: ``python -m training.data_check --data DIR``.

Every image and every annotation is read whole, as training reads them. Told are, split by split,
the frames, their sizes, the objects, the share of each class; and all that is broken: files that
are missing, empty or unreadable, image and labels of different sizes, label values and segment ids
that nothing explains, segments that are in the JSON file alone, ids that are there twice. The look
goes on after each of them.

Formats: Cityscapes as downloaded (leftImg8bit, gtFine or gtCoarse) and COCO panoptic (annotations/
panoptic_SPLIT.json, the PNGs in the folder of that name, the images in SPLIT); docs/data_sets.md
describes both.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import json
import logging
import os
import shlex
import sys
from pathlib import Path
from typing import Any

from training.data.errors import DataError
from training.data.example_frames import choose_examples
from training.data.formats import (
    READERS,
    add_place_options,
    find_splits,
    guess_format,
    open_data_set,
)
from training.data.frames import FrameReader, Places
from training.data.picture_sheet import Example, draw_picture_sheet
from training.data.sections import check_report, problems_found, split_section
from training.data.split_report import SplitReport, report_split
from training.interruption import interruptible
from training.label_sets import find_label_set
from upsnet_ros.core.errors import ParameterError, UpsnetError
from upsnet_ros.report.page import write_page
from upsnet_ros.report.text import terminal_text

LOGGER = logging.getLogger(__name__)
VERSION = 1  # of data_check.json
EPILOG = """\
files in OUTPUT
  report.html        the page to open: counts, findings and sheets
  data_check.json    all that is printed, and every problem with its frame
  sheet_SPLIT.jpg    frames that show many classes: image, truth, legend
  findings.json      what was found file by file, so that a second look takes a moment

exit code: 0 all is well, 1 something is broken, 2 there was nothing to look at

examples
  python -m training.data_check --data data/synthetic
  python -m training.data_check --data cityscapes --split val
  python -m training.data_check --data coco --workers 8
  python -m training.data_check --data mine --label-set mine/classes.yaml --limit 100
"""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the check."""
    parser = argparse.ArgumentParser(
        prog='python -m training.data_check',
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--data', type=Path, required=True, help='folder of the data set')
    add(
        '--split',
        action='append',
        help='part of the data set; repeatable (default: every one with truth)',
    )
    add_place_options(add)
    add(
        '--label-set',
        metavar='NAME|YAML',
        help='classes: cityscapes, coco, driving or a YAML file (default: those of the format)',
    )
    add('--output', type=Path, help='folder of the results (default: out/data_check/NAME)')
    add(
        '--workers',
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar='N',
        help='frames read at a time (default: %(default)s, the cores)',
    )
    add('--limit', type=int, metavar='N', help='read only the first N frames of each split')
    add(
        '--sheet',
        type=int,
        default=8,
        metavar='N',
        help='frames on a picture sheet, 0: no sheet (default: %(default)s)',
    )
    return parser.parse_args(arguments)


def check(values: argparse.Namespace, command: str) -> int:
    """Look at what a command line says; print and write what was found.

    Returns:
        Number of problems.

    Raises:
        UpsnetError: If there is nothing to look at, or an option cannot be.
        OSError: If a result cannot be written.
    """
    _refuse_impossible(values)
    root = values.data
    layout = guess_format(root) if values.format == 'auto' else values.format
    label_set = find_label_set(values.label_set or READERS[layout].default_label_set)
    reader = open_data_set(root, layout, label_set, Places(values.images, values.truth))
    splits = known_splits(reader, layout, values.split)
    name = root.resolve().name
    output = values.output or Path('out/data_check') / name
    output.mkdir(parents=True, exist_ok=True)
    LOGGER.info('%s: %s format, classes of %s', root, layout, label_set.name)
    cache = output / 'findings.json'
    reports = {}
    for split in splits:
        reports[split] = report_split(
            reader, split, cache=cache, workers=values.workers, limit=values.limit
        )
        LOGGER.info('\n%s', terminal_text([split_section(reports[split])]))
    content = {
        'version': VERSION,
        'command': command,
        'data': {'root': str(root.resolve()), 'format': layout, 'label_set': label_set.name},
        'limit': values.limit,
        'problems': sum(len(report.problems) for report in reports.values()),
        'splits': {split: report.to_dict() for split, report in reports.items()},
        'splits_without_truth': sorted(reader.splits_without_truth()),
    }
    for split, sheet in write_sheets(reader, reports, output, name, values.sheet).items():
        content['splits'][split]['sheet'] = sheet
    (output / 'data_check.json').write_text(json.dumps(content, indent=1) + '\n')
    write_page(check_report(content, reports, output), output / 'report.html')
    LOGGER.info('\n%s', _closing_words(content, output))
    return content['problems']


def _refuse_impossible(values: argparse.Namespace) -> None:
    for name, value, least in (
        ('--workers', values.workers, 1),
        ('--limit', values.limit, 1),
        ('--sheet', values.sheet, 0),
    ):
        if value is not None and value < least:
            raise ParameterError(f'{name} is {value}, expected at least {least}')


def known_splits(reader: FrameReader, layout: str, wanted: list[str] | None) -> list[str]:
    """The splits to look at: those wanted, or all with truth.

    Raises:
        DataError: If one is not there.
    """
    found = find_splits(reader, layout)
    if not wanted:
        return found
    for split in wanted:
        if reader.find_split(split) not in found:
            names = ', '.join(found)
            raise DataError(f"{reader.root} has no split '{split}'; expected one of {names}")
    return list(dict.fromkeys(wanted))


def write_sheets(
    reader: FrameReader, reports: dict[str, SplitReport], output: Path, name: str, count: int
) -> dict[str, str | None]:
    """Draw the sheet of each split with usable frames.

    Args:
        reader: Of the data set.
        reports: Splits by their names.
        output: Folder of the sheets.
        name: Of the data set.
        count: Frames on each.

    Returns:
        The name of each split's file; None where there is nothing to show.
    """
    names: dict[str, str | None] = dict.fromkeys(reports)
    for split, report in reports.items():
        examples = [
            Example(frame.name, reader.read_image(frame), reader.read_label_image(frame))
            for frame in choose_examples(report.summary, count)
        ]
        if examples:
            sheet = names[split] = f'sheet_{split}.jpg'
            total = report.statistics.frames
            title = (
                f"{name}, split '{split}': {len(examples)} of {total} frames, classes of "
                f'{reader.label_set.name}'
            )
            draw_picture_sheet(output / sheet, title, examples, reader.label_set)
    return names


def _closing_words(content: dict[str, Any], output: Path) -> str:
    lines = []
    if content['splits_without_truth']:
        names = ', '.join(content['splits_without_truth'])
        lines.append(f'not looked at, for want of truth: {names}')
    lines.append(f'{output}: open report.html; data_check.json has every problem')
    lines.append(problems_found(content['problems']))
    return '\n'.join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    given = sys.argv[1:] if arguments is None else arguments
    values = parse_arguments(arguments)
    try:
        problems = check(values, shlex.join(['python', '-m', 'training.data_check', *given]))
    except (UpsnetError, OSError) as error:
        LOGGER.error('nothing was checked: %s', error)
        return 2
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(interruptible(main, 'interrupted; what was found so far is not read again'))
