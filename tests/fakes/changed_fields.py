# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Correct contents of files with one thing wrong."""

from __future__ import annotations

import copy
from typing import Any


def with_field(values: dict[str, Any], field: str, value: object) -> dict[str, Any]:
    """Return a copy with one field changed, or removed if the value is `...`.

    Args:
        values: plain JSON values; not modified.
        field: dotted path.
        value: the new value.
    """
    changed = copy.deepcopy(values)
    *parents, last = field.split('.')
    target = changed
    for name in parents:
        target = target[name]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return changed
