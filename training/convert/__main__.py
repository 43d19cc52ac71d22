# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Bring other formats into COCO panoptic format: ``python -m training.convert KIND``.

Written are OUTPUT/SPLIT with the images, OUTPUT/annotations/panoptic_SPLIT with the PNGs of
segment ids, the JSON file of the same name and OUTPUT/classes.yaml; then the split is looked at as
`python -m training.data_check` does. docs/data_sets.md describes the formats and their rules.
"""

if __name__ == '__main__':  # before the imports below, which take seconds
    from upsnet_ros.core.own_process import INTERRUPTED, end_quietly

    end_quietly(INTERRUPTED)

import argparse
import logging
import os
import sys
from pathlib import Path
from typing import Any

from training import data_check
from training.convert.coco_files import CocoInstances, MapillaryPanoptic, label_set_of_file
from training.convert.label_pngs import BddInstances, BddPanoptic, KittiInstances, SemanticMaps
from training.convert.source import Options, Source
from training.convert.writing import SplitWriter, write_whole
from training.data.errors import DataError, list_problems
from training.interruption import interruptible
from training.label_sets import label_set_text
from upsnet_ros.core.errors import ParameterError, UpsnetError

LOGGER = logging.getLogger(__name__)
KINDS: dict[str, type[Source]] = {
    'coco': CocoInstances,
    'mapillary': MapillaryPanoptic,
    'bdd100k_panoptic': BddPanoptic,
    'bdd100k_instances': BddInstances,
    'kitti': KittiInstances,
    'semantic': SemanticMaps,
}
EPILOG = """\
KIND               --truth                              --semantic               classes
coco               instances_*.json                     folder of semantic maps  --label-set
mapillary          panoptic_2018.json or _2020.json                              of the file
bdd100k_panoptic   folder pan_seg/bitmasks/SPLIT                                 bdd100k, 40
bdd100k_instances  folder ins_seg/bitmasks/SPLIT        sem_seg/masks/SPLIT      19, or 8 things
kitti              folder training/instance                                      cityscapes
semantic           folder of PNGs of category ids                                --label-set
label_set          any JSON file with categories: OUTPUT is the YAML file of its classes

exit code: 0 the split is there and sound; 1 pictures are broken (without --skip-bad nothing is put
in its place), or the check found problems; 2 there was nothing to convert, or an option cannot be

A conversion that was broken off goes on where it stood when the command is given again.

examples
  python -m training.convert kitti --images training/image_2 --truth training/instance \\
      --output kitti_panoptic
  python -m training.convert mapillary --images training/images \\
      --truth training/v2.0/panoptic/panoptic_2020.json --output vistas
  python -m training.convert semantic --images pictures --truth maps --label-set mine.yaml \\
      --output mine --split val
"""


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Command line of the conversion."""
    parser = argparse.ArgumentParser(
        prog='python -m training.convert',
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('kind', metavar='KIND', choices=[*KINDS, 'label_set'], help='see below')
    add('--images', type=Path, help='folder of the images')
    add('--truth', type=Path, required=True, help='folder or JSON file of the truth')
    add('--semantic', type=Path, help='folder of semantic maps beside it: coco, bdd100k_instances')
    add(
        '--label-set',
        default='',
        metavar='NAME|YAML',
        help='classes to keep, other categories become void (default: those of the format)',
    )
    add(
        '--offset',
        type=int,
        default=0,
        metavar='N',
        help='category id of the value 0 of a semantic map, such as 1 for the stuffthingmaps of '
        'COCO-Stuff (default: %(default)s)',
    )
    add('--output', type=Path, required=True, help='folder of the data set, or the YAML file')
    add('--split', default='train', help='name of the split (default: %(default)s)')
    add('--copy', action='store_true', help='copy the images instead of linking to them')
    add('--skip-bad', action='store_true', help='leave out broken pictures instead of refusing')
    add('--no-check', action='store_true', help='do not look at the split at the end')
    add(
        '--workers',
        type=int,
        default=len(os.sched_getaffinity(0)),
        metavar='N',
        help='pictures at a time (default: %(default)s, the cores)',
    )
    return parser.parse_args(arguments)


def convert(values: argparse.Namespace) -> int:
    """Convert what a command line says.

    Returns:
        The exit code.

    Raises:
        UpsnetError: If there is nothing to convert, or an option cannot be.
        OSError: If a file cannot be written.
    """
    if values.kind == 'label_set':
        return _write_label_set(values)
    _refuse_impossible(values)
    options = Options(
        values.images, values.truth, values.semantic, values.label_set, values.offset
    )
    source = KINDS[values.kind](options)
    listing = source.listing()
    for remark in listing.remarks:
        LOGGER.info('%s', remark)
    writer = SplitWriter(
        values.output, values.split, source.label_set, _settings(values), copy=values.copy
    )
    findings = writer.convert(listing.pictures, source.read, workers=values.workers)
    broken = listing.broken + findings.broken
    problems = [problem for _, problem in broken]
    names = {name for name, _ in broken}
    sound = [picture for picture in listing.pictures if picture.name not in names]
    if not sound:
        raise DataError(list_problems(problems, 'no picture is left; correct them'))
    if broken and not values.skip_bad:
        LOGGER.error(
            '%s',
            list_problems(
                problems,
                f'nothing was put in its place; correct them and give the command again, which '
                f'goes on with the {len(sound)} pictures that are done, or leave the broken ones '
                'out with --skip-bad',
            ),
        )
        return 1
    writer.finish(sound)
    for line in [*findings.remarks(), *(f'left out: {problem}' for problem in problems)]:
        LOGGER.info('%s', line)
    LOGGER.info('%s: %d pictures, classes in %s', writer.json_path, len(sound), writer.classes)
    if values.no_check:
        return 0
    check = ['--data', str(values.output), '--split', values.split, '--format', 'coco_panoptic']
    return data_check.main([*check, '--label-set', str(writer.classes)])


def _settings(values: argparse.Namespace) -> dict[str, Any]:
    """What has to be the same for a conversion to go on."""
    folders = {key: getattr(values, key) for key in ('images', 'truth', 'semantic')}
    file = values.truth.stat()  # of a JSON file; each PNG is looked at on its own
    return {
        'kind': values.kind,
        **{key: str(path.resolve()) if path else '' for key, path in folders.items()},
        'truth_file': [file.st_size, file.st_mtime_ns] if values.truth.is_file() else [],
        'offset': values.offset,
        'copy': values.copy,
    }


def _write_label_set(values: argparse.Namespace) -> int:
    if values.output.exists() or values.output.suffix not in ('.yaml', '.yml'):
        raise ParameterError(
            f'--output is {values.output}, expected a new file that ends in .yaml'
        )
    label_set = label_set_of_file(values.truth)
    write_whole(values.output, label_set_text(label_set))
    things = label_set.num_things
    LOGGER.info('%s: %d stuff, %d things', values.output, label_set.num_classes - things, things)
    return 0


def _refuse_impossible(values: argparse.Namespace) -> None:
    if values.images is None or not values.images.is_dir():
        raise ParameterError(f'--images is {values.images}, expected the folder of the images')
    if values.semantic is not None and not values.semantic.is_dir():
        raise ParameterError(f'--semantic is {values.semantic}, expected a folder of PNGs')
    if values.semantic is not None and values.kind not in ('coco', 'bdd100k_instances'):
        raise ParameterError(f'--semantic is not for {values.kind}; its maps are its truth')
    if values.workers < 1:
        raise ParameterError(f'--workers is {values.workers}, expected at least 1')
    split = values.split
    if not split or split.startswith('.') or '/' in split or split == 'annotations':
        raise ParameterError(f"--split is '{split}', expected a plain name such as train or val")
    if values.output.exists() and not values.output.is_dir():
        raise ParameterError(f'--output is the file {values.output}, expected a folder')


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    logging.basicConfig(level=logging.INFO, format='%(message)s')
    values = parse_arguments(arguments)
    try:
        return convert(values)
    except (UpsnetError, OSError) as error:
        LOGGER.error('nothing was converted: %s', error)
        return 2


if __name__ == '__main__':
    sys.exit(interruptible(main, 'interrupted; the same command goes on from here'))
