# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The model: its manifest, its hash, and whether it labels images."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.model_files import ENGINE_SUFFIX
from upsnet_ros.doctor.finding import Finding, doubtful, fine, refused
from upsnet_ros.doctor.golden_frames import read_frames
from upsnet_ros.doctor.opening import open_backend
from upsnet_ros.doctor.subject import Subject
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

LABELS = 'labels'


def check_model(subject: Subject) -> Iterator[Finding]:
    """Manifest and hash, as the node checks them."""
    try:
        manifest = ModelManifest.load(subject.model_path)
    except UpsnetError as error:
        yield refused('model', error)
        return
    height, width = manifest.input_size
    yield fine(
        'model',
        f'{manifest.name}, input {width}x{height}, {manifest.label_set.num_classes} classes, '
        f"SHA-256 {manifest.sha256[:12]} as in its manifest ('{subject.model_path}')",
        name=manifest.name,
        path=str(subject.model_path),
        sha256=manifest.sha256,
    )


def check_labels(subject: Subject) -> Iterator[Finding]:
    """Whether the model is loaded and labels images."""
    try:
        manifest = ModelManifest.load(subject.model_path)
        images = read_frames(subject)
        with PanopticPipeline(open_backend(subject, manifest), manifest) as pipeline:
            results = [pipeline.process(image).panoptic for image in images]
            backend = pipeline.backend
    except UpsnetError as error:
        yield refused(LABELS, error)
        return
    instances = sum(len(result.instances) for result in results)
    known = float(np.mean([(result.label_image != UNKNOWN_LABEL).mean() for result in results]))
    found = (
        f'{backend.name} on {backend.device} found {instances} object(s) in {len(images)} images '
        f'and gave {100 * known:.1f} % of the pixels a class'
    )
    values = {'images': len(images), 'instances': instances, 'known_share': known}
    if known > 0:
        yield fine(LABELS, found, **values)
        return
    yield doubtful(
        LABELS,
        found,
        expected='at least one pixel with a class',
        remedy='give images of the camera the model was trained for (--images), or export the '
        'model again',
        **values,
    )


def engine_beside(subject: Subject) -> str:
    """What an ONNX file's user may want to know of engines."""
    engine = subject.model_path.with_suffix(ENGINE_SUFFIX)
    if engine.is_file():
        return f"none asked for; '{engine}' lies beside the model (--model examines it)"
    return 'none asked for, the model is an ONNX file'
