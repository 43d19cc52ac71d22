# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An engine of the tiny model for `FakeTensorRt`, with all that lies beside it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from tests.fakes.fake_tensorrt import CONTENT
from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.backends.engine_record import EngineRecord, current_platform
from upsnet_ros.manifest import ModelManifest


def record_values(manifest: ModelManifest, **changes: Any) -> dict[str, Any]:
    """Return the content of a correct record of `CONTENT`, with some fields changed."""
    return {
        'format_version': 1,
        'engine_sha256': hashlib.sha256(CONTENT).hexdigest(),
        'onnx_sha256': manifest.sha256,
        'model_sha256': manifest.sha256,
        'model_name': manifest.name,
        'precision': 'fp16',
        'deform_conv': 'plugin',
        'plugin_ptx_sha256': 'a' * 64,
        'cameras': 1,
        'tensorrt': '10.16.1',
        'cuda_runtime': '13.0',
        'cuda_driver': '13.0',
        'gpu': {'name': 'Fake GPU', 'compute_capability': '8.7', 'integrated': False},
        'platform': current_platform(),
        'input': {
            'name': manifest.input.name,
            'shape': list(manifest.input.shape),
            'dtype': manifest.input.dtype,
        },
        'outputs': {name: output.to_dict() for name, output in manifest.outputs.items()},
        'verification': {'frames': 2, 'equal_labels_percent': 99.8},
        'built': '2026-11-25T12:00:00+00:00',
        **changes,
    }


def write_tiny_engine(folder: Path, **changes: Any) -> Path:
    """Write `model.onnx`, `model.json`, `model.engine` and its record; return the engine's path.

    Keywords are fields of the record to be changed.
    """
    manifest = ModelManifest.load(write_tiny_model(folder))
    path = folder / 'model.engine'
    path.write_bytes(CONTENT)
    EngineRecord.from_dict(record_values(manifest, **changes)).write(path)
    return path
