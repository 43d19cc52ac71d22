# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The classes of a data set: by name, or from a YAML file of one's own.

The file holds a ``name`` and a list of ``classes``, stuff first, each with ``dataset_id``,
``name``, ``is_thing`` and ``colour``; ``config/label_sets/driving.yaml`` is an example.
"""

import colorsys
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import LabelClass, LabelSet, cityscapes_label_set

FOLDER = Path(__file__).parents[1] / 'config' / 'label_sets'


def find_label_set(name: str, *, folder: Path | None = None) -> LabelSet:
    """The label set of a name or a file.

    Args:
        name: ``cityscapes``, the name of a file in ``config/label_sets`` without its ending, or
            the path of a YAML file.
        folder: Where a relative path starts; the working folder if there is no such file.

    Raises:
        LabelError: If there is none, or the file breaks a rule of label sets.
    """
    if name == 'cityscapes':
        return cityscapes_label_set()
    if Path(name).suffix in ('.yaml', '.yml'):
        beside = (folder or Path()) / name
        if not beside.is_file() and not Path(name).is_file():
            places = ' or '.join(map(str, dict.fromkeys((beside.parent, Path(name).parent))))
            raise LabelError(
                f'no label set {Path(name).name} in {places}; expected a YAML file with the '
                'classes (config/label_sets/driving.yaml is an example)'
            )
        return read_label_set(beside if beside.is_file() else Path(name))
    path = FOLDER / f'{name}.yaml'
    if not path.is_file():
        known = sorted(['cityscapes', *(entry.stem for entry in FOLDER.glob('*.yaml'))])
        raise LabelError(
            f"no label set '{name}'; expected one of {', '.join(known)}, or the path of a YAML "
            'file with the classes (config/label_sets/driving.yaml is an example)'
        )
    return read_label_set(path)


def read_label_set(path: Path) -> LabelSet:
    """Read the classes of a YAML file; the order of the list is that of the train ids.

    Raises:
        LabelError: If the file is missing or breaks a rule of label sets; names the file.
    """
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise LabelError(f'cannot read the label set {path}: {error.strerror}') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise LabelError(f'{path} is not valid YAML: {error}') from error
    try:
        return LabelSet.from_dict(_with_train_ids(values))
    except LabelError as error:
        raise LabelError(f'{path}: {error}') from error


def _with_train_ids(values: Any) -> dict[str, Any]:
    classes = values.get('classes') if isinstance(values, dict) else None
    if not isinstance(classes, list) or not all(isinstance(entry, dict) for entry in classes):
        raise LabelError("expected a mapping with 'name' and a list 'classes' of mappings")
    numbered = [{'train_id': index} | entry for index, entry in enumerate(classes)]
    return values | {'classes': numbered}


def label_set_of_categories(categories: Mapping[int, Mapping[str, Any]], path: Path) -> LabelSet:
    """The classes of the ``categories`` of a JSON file in COCO's formats, stuff first.

    Args:
        categories: Each category id with its entry: ``name``, ``isthing``, and ``color`` where
            there is one.
        path: The file, which also names the set.

    Raises:
        LabelError: If a category breaks a rule of label sets; names it.
    """
    for key, entry in categories.items():
        if entry.get('isthing') not in (0, 1):
            raise LabelError(
                f'{path}: isthing of category {key} ({entry.get("name")!r}) is '
                f'{entry.get("isthing")!r}, expected 0 or 1; correct it, or write the label set '
                'by hand (config/label_sets/driving.yaml is an example)'
            )
    stuff_first = sorted(categories.items(), key=lambda item: bool(item[1]['isthing']))
    try:
        classes = [
            LabelClass(
                train_id=index,
                dataset_id=key,
                name=entry.get('name'),  # type: ignore[arg-type]  # the class refuses no text
                is_thing=bool(entry['isthing']),
                colour=tuple(entry.get('color') or _colour(index)),
            )
            for index, (key, entry) in enumerate(stuff_first)
        ]
        return LabelSet(path.stem, tuple(classes))
    except (LabelError, TypeError) as error:
        raise LabelError(f'{path}: {error}') from error


def label_set_text(label_set: LabelSet) -> str:
    """The YAML file of a label set, which :func:`read_label_set` reads."""
    rows = [
        {
            'dataset_id': entry.dataset_id,
            'name': entry.name,
            'is_thing': entry.is_thing,
            'colour': [*entry.colour],
        }
        for entry in label_set.classes
    ]
    lines = [
        yaml.safe_dump(
            row, default_flow_style=True, sort_keys=False, width=math.inf, allow_unicode=True
        )
        for row in rows
    ]
    name = yaml.safe_dump({'name': label_set.name}, allow_unicode=True)
    return f'{name}classes:\n' + ''.join(f'  - {line}' for line in lines)


def _colour(index: int) -> tuple[int, ...]:
    """A colour for a class without one; hues in steps of the golden ratio stay apart."""
    parts = colorsys.hsv_to_rgb(index * 0.618034 % 1, 0.5 + 0.2 * (index % 3), 0.8)
    return tuple(round(255 * part) for part in parts)
