# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The file that a benchmark writes: what was measured, where, when and with which libraries."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any


def write_results(
    path: Path | None, name: str, libraries: tuple[ModuleType, ...], values: Mapping[str, Any]
) -> None:
    """Write the results as JSON.

    Args:
        path: the file, None for none; its folder is made.
        name: of the benchmark.
        libraries: what decides its figures.
        values: the figures, and the sizes they are of.
    """
    if path is None:
        return
    machine = {
        'processor': platform.processor(),
        'machine': platform.machine(),
        'cores': os.cpu_count(),
    }
    report = {
        'benchmark': name,
        'date': time.strftime('%Y-%m-%d'),
        'machine': machine,
        'versions': {library.__name__: library.__version__ for library in libraries},
        **values,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + '\n')
