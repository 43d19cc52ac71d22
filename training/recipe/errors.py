# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What a recipe's keys are held to: the checks, their error, and keys that go with another."""

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from upsnet_ros.core.errors import UpsnetError


class RecipeError(UpsnetError):
    """A recipe that cannot be used; the message names the key."""


def require(condition: bool, key: str, received: Any, expected: str) -> None:
    """Raise a :class:`RecipeError` that names the key unless the condition holds."""
    if not condition:
        raise RecipeError(f'recipe key {key!r}: got {received!r}, expected {expected}')


def require_choice(key: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise a :class:`RecipeError` unless the value is one of the choices."""
    require(value in choices, key, value, f'one of {", ".join(map(repr, choices))}')


def detail(of: str, *, unused: Any, on: str | None = None) -> Any:
    """A key that belongs to another one: needed where that is on, left out where it is off.

    Args:
        of: Name of the other key, in the same section.
        unused: The value where it is left out.
        on: The other key's value that needs this one; None for any but 0 and false.
    """
    return field(default=unused, metadata={'of': of, 'on': on})


def is_wanted(metadata: Mapping[str, Any], section: Any) -> bool:
    """Whether a section needs a key of :func:`detail`; never any other one that has a default."""
    if 'of' not in metadata:
        return False
    value, on = getattr(section, metadata['of']), metadata['on']
    return bool(value) if on is None else value == on
