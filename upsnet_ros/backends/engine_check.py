# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether an engine may be loaded here at all, found out without loading it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from upsnet_ros.backends.cuda_runtime import CudaRuntime
from upsnet_ros.backends.engine_record import BUILD_AGAIN, EngineRecord
from upsnet_ros.backends.surroundings import Surroundings, current_platform
from upsnet_ros.core.errors import ModelError
from upsnet_ros.manifest import ModelManifest


class StaleEngineError(ModelError):
    """An engine that was built for another computer, driver, TensorRT or model.

    Attributes:
        problems: what does not fit, one line each.
    """

    def __init__(self, engine_path: Path, problems: tuple[str, ...]) -> None:
        """Build the message from the attributes."""
        self.engine_path = engine_path
        self.problems = problems
        lines = '\n'.join(f'  - {problem}' for problem in problems)
        super().__init__(f"engine '{engine_path}' does not fit this computer:\n{lines}")

    def __reduce__(self) -> tuple[type, tuple[Path, tuple[str, ...]]]:
        """Keep the attributes across process borders, where exceptions are pickled."""
        return type(self), (self.engine_path, self.problems)


def read_surroundings(library: Any, cuda: CudaRuntime, manifest: ModelManifest) -> Surroundings:
    """Return what an engine must fit here.

    Args:
        library: the module `tensorrt`.
        cuda: the device.
        manifest: the model that the engine should be of.

    Raises:
        ModelError: there is no driver or no GPU.
    """
    return Surroundings(
        tensorrt=library.__version__,
        cuda_driver=cuda.driver_version(),
        gpu=cuda.gpu(),
        platform=current_platform(),
        model_sha256=manifest.sha256,
    )


def read_fitting_engine(
    engine_path: Path, surroundings: Surroundings
) -> tuple[bytes, EngineRecord]:
    """Return an engine's content and its record, if the record says that it can run here.

    Raises:
        ModelError: the engine or its record is missing, altered or truncated.
        StaleEngineError: it was built for something else.
    """
    record = EngineRecord.load(engine_path)
    problems = record.problems(surroundings)
    if problems:
        raise StaleEngineError(engine_path, problems)
    try:
        content = engine_path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"engine '{engine_path}' cannot be read ({error.strerror}); check the path of the "
            f'model, or {BUILD_AGAIN}'
        ) from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != record.engine_sha256:
        raise ModelError(
            f"engine '{engine_path}' has {len(content)} bytes of SHA-256 {digest}, its record "
            f'says {record.engine_sha256}: the file was truncated or altered; copy both files '
            f'again, or {BUILD_AGAIN}'
        )
    return content, record
