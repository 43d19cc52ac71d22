# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The classes of a data set: by name, or from a YAML file of one's own.

The file holds a ``name`` and a list of ``classes``, stuff first, each with ``dataset_id``,
``name``, ``is_thing`` and ``colour``; ``config/label_sets/driving.yaml`` is an example.
"""

from pathlib import Path
from typing import Any

import yaml

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import LabelSet, cityscapes_label_set

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
