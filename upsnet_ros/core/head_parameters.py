# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checks of the parameters that turn a network's answer into labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from upsnet_ros.core.errors import ParameterError


def check_share(name: str, value: float) -> float:
    """Return a number from 0 to 1, or raise ParameterError."""
    if not (math.isfinite(value) and 0.0 <= value <= 1.0):
        raise ParameterError(f'{name} is {value}, expected a number from 0 to 1')
    return float(value)


def check_area(name: str, value: float) -> int:
    """Return a whole number of pixels, or raise ParameterError."""
    if not math.isfinite(value) or value != int(value) or value < 0:
        raise ParameterError(
            f'{name} is {value}, expected a whole number of pixels, 0 for no limit'
        )
    return int(value)


def check_choice(name: str, value: str, choices: Sequence[str]) -> str:
    """Return one of the choices, or raise ParameterError."""
    if value not in choices:
        raise ParameterError(f"{name} is '{value}', expected one of {', '.join(choices)}")
    return value
