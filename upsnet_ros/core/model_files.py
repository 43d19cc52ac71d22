# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The files of a model: how they lie beside each other, and their JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from upsnet_ros.core.errors import ModelError

ENGINE_SUFFIX = '.engine'


def engine_record_path(engine_path: Path) -> Path:
    """Where the record of an engine lies."""
    return engine_path.with_name(engine_path.name + '.json')


def source_beside(engine_path: Path, suffix: str) -> Path:
    """Where the ONNX file or the manifest lies from which an engine was built.

    Args:
        engine_path: the engine.
        suffix: `.onnx` or `.json`.
    """
    own = engine_path.with_suffix(suffix)
    return own if own.is_file() else engine_path.with_name('model' + suffix)


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
    except (ValueError, RecursionError) as error:
        raise ModelError(
            f"{what} '{path}' is not JSON ({error}); copy it again, or {remedy}"
        ) from error


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write a JSON file in one step, so that no reader sees half of it.

    Raises:
        OSError: it cannot be written.
        ValueError: a value is no JSON, such as infinity; nothing is written then.
    """
    text = json.dumps(values, indent=2, allow_nan=False) + '\n'
    partial = path.with_name(path.name + '.partial')
    partial.write_text(text, encoding='utf-8')
    partial.replace(path)
