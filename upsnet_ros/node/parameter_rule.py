# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What one parameter may be, and how a dataclass field carries that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from upsnet_ros.core.errors import ParameterError

MODEL_DEFAULT = -1
"""Value of a threshold that stands for what the model's manifest says."""


@dataclass(frozen=True)
class ParameterRule:
    """What a parameter may be and when it may change.

    Attributes:
        description: meaning, with the unit.
        minimum: least value of a number.
        maximum: greatest value of a number.
        choices: the allowed texts, empty when any text is allowed.
        may_be_model_default: also allows MODEL_DEFAULT, below the minimum.
        change: 'live' at any time, 'unconfigured' only in that state, 'never' after the start.
    """

    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    may_be_model_default: bool = False
    change: str = 'live'

    def check(self, name: str, value: Any) -> None:
        """Raises ParameterError when a value breaks the rule."""
        if self.choices and value not in self.choices:
            raise ParameterError(
                f"parameter '{name}' is '{value}', expected one of: {', '.join(self.choices)}"
            )
        if self.minimum is None or (self.may_be_model_default and value == MODEL_DEFAULT):
            return
        if not self.minimum <= value <= self.maximum:
            hint = f", or {MODEL_DEFAULT} for the model's own" if self.may_be_model_default else ''
            raise ParameterError(
                f"parameter '{name}' is {value}, expected {self.minimum} to {self.maximum}{hint}"
            )


def parameter(default: Any, description: str, **rule: Any) -> Any:
    """A dataclass field with its rule; lists are copied for each instance."""
    metadata = {'rule': ParameterRule(description, **rule)}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)
