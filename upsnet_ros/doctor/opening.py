# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loading a model that was tried before."""

from __future__ import annotations

from upsnet_ros.backends.backend import Backend
from upsnet_ros.backends.select import create_backend
from upsnet_ros.backends.tensorrt_backend import TensorRtBackend
from upsnet_ros.doctor.subject import Subject
from upsnet_ros.manifest import ModelManifest


def open_backend(subject: Subject, manifest: ModelManifest) -> Backend:
    """Load the model as the node would, but without another trial of an engine.

    Raises:
        UpsnetError: it cannot be loaded, or the backend does not run this kind of file.
    """
    if subject.is_engine and subject.needs_tensorrt:
        return TensorRtBackend(subject.model_path, manifest, trial_timeout_s=None)
    return create_backend(subject.model_path, manifest, name=subject.backend)
