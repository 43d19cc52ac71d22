# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From YAML to a checked recipe."""

import math
from collections.abc import Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from training.label_sets import find_label_set
from training.recipe.errors import RecipeError, is_wanted, require, require_choice
from training.recipe.model import NETWORKS
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.labels import LabelSet


def load_recipe(path: Path, *, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        path: YAML file; a label set named by path in it is looked up beside it, then in the
            working folder.
        overrides: ``section.key=value`` texts, the value in YAML, that replace what the file says.

    Raises:
        RecipeError: If the file is missing, is not YAML, or a key is unknown, missing or wrong.
    """
    try:
        values = _load_yaml(path.read_text())
    except OSError as error:
        raise RecipeError(f'cannot read the recipe {path}: {error.strerror}') from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise RecipeError(f'{path} is not valid YAML: {error}') from error
    for text in overrides:
        _override(values, text)
    return recipe_from_dict(values, folder=path.parent)


def recipe_from_dict(values: Any, *, folder: Path | None = None) -> Recipe:
    """Check plain values and turn them into a recipe.

    Args:
        values: What a YAML file holds, or ``Recipe.to_dict()``.
        folder: Where label sets that are named by path lie; without it only names are known.

    Raises:
        RecipeError: If a key is unknown, missing or wrong.
    """
    return _build(Recipe, values, prefix='', folder=folder)


class _UniqueKeys(yaml.SafeLoader):
    """Plain YAML, in which a key that stands twice is an error and not the last one's value."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f'{", ".join(twice)}: given twice, expected once', node.start_mark
            )
        return super().construct_mapping(node, deep)


def _load_yaml(text: str) -> Any:
    return yaml.load(text, _UniqueKeys)  # noqa: S506, it is a safe loader


def _override(values: Any, text: str) -> None:
    key, separator, value = text.partition('=')
    *sections, name = key.strip().split('.')
    require(bool(separator), key, text, 'section.key=value')
    target = values
    for section in sections:
        target = target.setdefault(section, {}) if isinstance(target, dict) else None
    # What is off may be missing, so which keys there are is known when the recipe is built.
    inside = isinstance(target, dict)
    require(inside, key, text, 'a section and a key of it, such as optimisation.batch_size=4')
    try:
        target[name] = _load_yaml(value)
    except yaml.YAMLError as error:
        raise RecipeError(f'override {text!r}: the value is not valid YAML: {error}') from error


def _build(cls: type, values: Any, *, prefix: str, folder: Path | None) -> Any:
    require(isinstance(values, dict), prefix.rstrip('.') or 'recipe', values, 'a mapping')
    hints = get_type_hints(cls)
    known = {entry.name: entry for entry in fields(cls)}
    for key in values:
        require(key in known, f'{prefix}{key}', key, f'one of {sorted(known)}')
    arguments = {}
    for key, entry in known.items():
        if key in values:
            arguments[key] = _convert(hints[key], values[key], f'{prefix}{key}', folder)
        else:
            right = entry.default is not MISSING or entry.default_factory is not MISSING
            require(right, f'{prefix}{key}', None, 'a value; the key is missing')
    section = cls(**arguments)
    for key, entry in known.items():
        of = f'{prefix}{entry.metadata.get("of")}'
        lost = key not in values and is_wanted(entry.metadata, section)
        require(not lost, f'{prefix}{key}', None, f'a value, because {of} is on; it is missing')
    return section


def _convert(wanted: Any, value: Any, key: str, folder: Path | None) -> Any:
    if wanted is LabelSet:
        return _label_set(value, key, folder)
    if key == 'model':
        wanted = _network_class(value)
    if get_origin(wanted) is Literal:
        require_choice(key, value, get_args(wanted))
        return value
    if isinstance(wanted, type) and is_dataclass(wanted):
        return _build(wanted, value, prefix=f'{key}.', folder=folder)
    if get_origin(wanted) is tuple:
        require(isinstance(value, list | tuple), key, value, 'a list')
        return tuple(_convert(get_args(wanted)[0], item, key, folder) for item in value)
    if get_origin(wanted) is dict:
        texts = isinstance(value, dict) and all(
            isinstance(word, str) for pair in value.items() for word in pair
        )
        require(texts, key, value, 'a table of names, each to another one')
        return dict(value)
    number = _as_number(value) if wanted is float else None
    if number is not None:
        return number
    right = wanted is not float and isinstance(value, wanted)
    exact = right and (wanted is bool or not isinstance(value, bool))
    require(exact, key, value, f'a value of type {wanted.__name__}')
    return value


def _as_number(value: Any) -> float | None:
    """A finite number, also one like ``1e-4``, which is a text to YAML; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _network_class(values: Any) -> type:
    require(isinstance(values, dict), 'model', values, 'a mapping')
    network = values.get('network')
    known = isinstance(network, str) and network in NETWORKS
    require(known, 'model.network', network, f'one of {sorted(NETWORKS)}')
    return NETWORKS[network]


def _label_set(value: Any, key: str, folder: Path | None) -> LabelSet:
    try:
        if isinstance(value, dict):
            return LabelSet.from_dict(value)
        require(isinstance(value, str), key, value, 'a name, a path, or the classes themselves')
        return find_label_set(value, folder=folder)
    except LabelError as error:
        raise RecipeError(f'recipe key {key!r}: {error}') from error
