# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The error of a recipe, and the check that raises it."""

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
