# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading JSON objects into what they are, so that a wrong field is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from upsnet_ros.core.errors import shorten

FieldError = Callable[[str, object, str], Exception]


class JsonFields:
    """Takes the fields of a JSON object one by one, and names the one that is wrong."""

    def __init__(self, prefix: str, values: Any, *, error: FieldError, version: int) -> None:
        """Keep an object.

        Args:
            prefix: the object's own dotted path with a dot at the end, or empty.
            values: the object.
            error: makes the exception of a field, what it held and what was expected.
            version: version of the format that is read, for the message of unknown fields.
        """
        if not isinstance(values, Mapping):
            raise error(prefix.rstrip('.') or '(whole file)', values, 'a JSON object')
        self._prefix = prefix
        self._left = dict(values)
        self._error = error
        self._version = version

    def take(self, name: str, is_right: Callable[[Any], bool], expected: str) -> Any:
        """Return a field's value, or raise the error if it is missing or not right."""
        if name not in self._left:
            raise self._error(self._prefix + name, 'nothing', expected)
        value = self._left.pop(name)
        if not is_right(value):
            raise self._error(self._prefix + name, value, expected)
        return value

    def refuse_others(self) -> None:
        """Raise the error if fields are left: a misspelt one must not pass unnoticed."""
        for name, value in self._left.items():
            raise self._error(
                self._prefix + name, value, f'no such field in format version {self._version}'
            )


def is_mapping(value: Any) -> bool:
    """Whether a value is a JSON object."""
    return isinstance(value, Mapping)


def is_text(value: Any) -> bool:
    """Whether a value is a text that is not empty."""
    return isinstance(value, str) and bool(value)


def is_sha256(value: Any) -> bool:
    """Whether a value is a SHA-256 as this package writes them."""
    return isinstance(value, str) and re.fullmatch('[0-9a-f]{64}', value) is not None


def from_plain(kind: Any, value: Any) -> Any:
    """A value of a type from plain JSON values, as `dataclasses.asdict` makes them.

    Args:
        kind: a dataclass, `tuple[X, ...]`, `dict[str, X]`, `X | None`, a type with a `from_dict`
            of its own, or a plain type; whatever is `Any` stays as it is.
        value: of JSON.

    Raises:
        KeyError: a field is missing or unknown.
        TypeError: a value is of another type.
    """
    if kind is Any:
        return value
    if get_origin(kind) in (Union, UnionType):
        (inner,) = (each for each in get_args(kind) if each is not type(None))
        return None if value is None else from_plain(inner, value)
    if get_origin(kind) is tuple:
        return tuple(from_plain(get_args(kind)[0], each) for each in _typed(list, value))
    if get_origin(kind) is dict:
        inner = get_args(kind)[1]
        return {name: from_plain(inner, each) for name, each in _typed(dict, value).items()}
    if hasattr(kind, 'from_dict'):
        return kind.from_dict(value)
    if is_dataclass(kind):
        return fields_from_plain(kind, value)
    return _typed((int, float) if kind is float else kind, value)


def fields_from_plain(kind: Any, values: Any) -> Any:
    """A dataclass from its fields: all that have no default, and no others.

    Raises:
        KeyError, TypeError: as `from_plain`.
    """
    types = get_type_hints(kind)
    given = set(_typed(dict, values))
    needed = {f.name for f in fields(kind) if f.default is f.default_factory is MISSING}
    if not needed <= given <= set(types):
        missing, unknown = sorted(needed - given), sorted(given - set(types))
        raise KeyError(f'{kind.__name__} lacks {missing} and has unknown {unknown}')
    return kind(**{name: from_plain(types[name], value) for name, value in values.items()})


def _typed(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f'{shorten(value)} is no {getattr(kind, "__name__", "number")}')
    return value
