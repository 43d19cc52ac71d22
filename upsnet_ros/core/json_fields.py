# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Reading the fields of a JSON object one by one, so that a wrong one is named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from upsnet_ros.core.errors import ModelError

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


def read_json(path: Path, *, what: str, remedy: str) -> Any:
    """Return the content of a JSON file that lies beside a model.

    Args:
        path: the file.
        what: what the file is, for messages.
        remedy: how to get a new one, for messages.

    Raises:
        ModelError: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ModelError(
            f"{what} '{path}' cannot be read ({error.strerror}), expected it beside the model; "
            f'copy both files, or {remedy}'
        ) from error
    except ValueError as error:
        raise ModelError(
            f"{what} '{path}' is not JSON ({error}); copy it again, or {remedy}"
        ) from error
