# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An engine beside ONNX Runtime on the same images."""

from __future__ import annotations

from collections.abc import Iterator

from upsnet_ros.agreement import (
    ENGINE_TOLERANCES,
    MINIMUM_CANDIDATES,
    Agreement,
    Tolerance,
    compare_backends,
)
from upsnet_ros.backends.engine_record import EngineRecord
from upsnet_ros.backends.select import ONNX_RUNTIME, create_backend
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.model_files import source_beside
from upsnet_ros.doctor.finding import Finding, doubtful, fine, refused, wrong
from upsnet_ros.doctor.golden_frames import read_frames
from upsnet_ros.doctor.opening import open_backend
from upsnet_ros.doctor.subject import Subject
from upsnet_ros.manifest import ModelManifest

WHAT = 'engine and ONNX Runtime'


def check_comparison(subject: Subject) -> Iterator[Finding]:
    """Compare labels, objects and logits on a few images."""
    if not subject.is_engine:
        return
    source = source_beside(subject.model_path, '.onnx')
    if not source.is_file():
        yield doubtful(
            WHAT,
            f"'{source}' does not exist, so nothing was compared",
            expected='the ONNX file from which the engine was built, beside it',
            remedy='copy it there',
        )
        return
    try:
        tolerance = ENGINE_TOLERANCES[EngineRecord.load(subject.model_path).precision]
        agreement = _compare(subject, tolerance)
    except UpsnetError as error:
        yield refused(WHAT, error)
        return
    yield judge(agreement, tolerance)


def _compare(subject: Subject, tolerance: Tolerance) -> Agreement:
    """Run both on the same images.

    Raises:
        UpsnetError: one of them cannot be loaded or run, or there are no images.
    """
    images = read_frames(subject)
    manifest = ModelManifest.load(subject.model_path)
    source = source_beside(subject.model_path, '.onnx')
    reference = create_backend(source, ModelManifest.load(source), name=ONNX_RUNTIME)
    try:
        engine = open_backend(subject, manifest)
        try:
            return compare_backends(
                reference, engine, manifest, images, box_tolerance=tolerance.box
            )
        finally:
            engine.close()
    finally:
        reference.close()


def judge(agreement: Agreement, tolerance: Tolerance) -> Finding:
    """Say whether two backends agree well enough; images without objects prove less."""
    problems = agreement.problems(tolerance)
    is_empty = agreement.candidates < MINIMUM_CANDIDATES
    if is_empty:
        problems = [line for line in problems if not line.startswith(('candidates', 'matched'))]
    values = agreement.to_dict()
    if problems:
        return wrong(
            WHAT,
            f'they disagree: {"; ".join(problems)}',
            expected='differences that the precision of the engine explains',
            remedy='build the engine again (python -m training.build_engine), with --precision '
            'fp32 if that does not help',
            **values,
        )
    if is_empty:
        return doubtful(
            WHAT,
            f'{agreement}',
            expected=f'at least {MINIMUM_CANDIDATES} objects in the images, else they are not '
            'compared',
            remedy='give images of the camera with objects in them (--images)',
            **values,
        )
    return fine(WHAT, f'{agreement}', **values)
