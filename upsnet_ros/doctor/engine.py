# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a TensorRT engine fits this computer, runs, and agrees with ONNX Runtime."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from upsnet_ros.agreement import (
    ENGINE_TOLERANCES,
    MINIMUM_CANDIDATES,
    Agreement,
    Tolerance,
    compare_backends,
)
from upsnet_ros.backends.cuda_runtime import CudaRuntime, load_cuda_library
from upsnet_ros.backends.engine_record import (
    EngineRecord,
    Surroundings,
    read_fitting_engine,
)
from upsnet_ros.backends.select import ONNX_RUNTIME, create_backend
from upsnet_ros.backends.tensorrt_runtime import load_tensorrt_library
from upsnet_ros.core.model_files import source_beside
from upsnet_ros.doctor.finding import Finding, Subject, doubtful, fine, wrong
from upsnet_ros.doctor.model import engine_beside, open_backend, read_frames, try_engine
from upsnet_ros.manifest import ModelManifest

RECORD = 'engine'
TRIAL = 'engine trial'
COMPARISON = 'engine and ONNX Runtime'


def check_record(subject: Subject) -> Iterator[Finding]:
    """What the engine was built with beside what is here; nothing of it is loaded."""
    if not subject.is_engine:
        yield fine(RECORD, engine_beside(subject))
        return
    record = EngineRecord.load(subject.model_path)
    manifest = ModelManifest.load(subject.model_path)
    cuda = CudaRuntime(load_cuda_library())
    surroundings = Surroundings.of(load_tensorrt_library(), cuda, manifest)
    problems = record.problems(surroundings)
    if not problems:
        read_fitting_engine(subject.model_path, surroundings)
    for problem in problems:
        yield wrong(
            RECORD,
            problem,
            expected='an engine that was built on this computer',
            remedy=record.build_command(subject.model_path),
        )
    if not problems:
        yield fine(
            RECORD,
            f'{record.precision}, deformable convolution by {record.deform_conv}, built by '
            f'TensorRT {record.tensorrt} for {record.gpu.name} on {record.built}, images at once: '
            f'{record.cameras}; it fits',
            **record.to_dict(),
        )


def check_trial(subject: Subject) -> Iterator[Finding]:
    """Load and run the engine where a crash ends nothing else."""
    if not subject.is_engine:
        return
    start = time.perf_counter()
    problem = try_engine(subject.model_path)
    seconds = time.perf_counter() - start
    if problem:
        yield doubtful(
            TRIAL,
            f'the engine runs, but labels are made by the processor: {problem}',
            expected='labels that the GPU makes, as the panoptic head does',
            remedy='do what the end of the log says; until then each image takes longer',
        )
        return
    yield fine(TRIAL, f'loaded and run once in {seconds:.1f} s', seconds=round(seconds, 3))


def check_comparison(subject: Subject) -> Iterator[Finding]:
    """Compare labels, objects and logits on a few images."""
    if not subject.is_engine:
        return
    source = source_beside(subject.model_path, '.onnx')
    if not source.is_file():
        yield doubtful(
            COMPARISON,
            f"'{source}' does not exist, so nothing was compared",
            expected='the ONNX file from which the engine was built, beside it',
            remedy='copy it there',
        )
        return
    tolerance = ENGINE_TOLERANCES[EngineRecord.load(subject.model_path).precision]
    yield judge_agreement(_compare(subject, tolerance), tolerance)


def _compare(subject: Subject, tolerance: Tolerance) -> Agreement:
    """Run both on the same images.

    Raises:
        UpsnetError: one of them cannot be loaded or run, or there are no images.
    """
    images = read_frames(subject)
    manifest = ModelManifest.load(subject.model_path)
    source = source_beside(subject.model_path, '.onnx')
    reference = create_backend(source, ModelManifest.load(source), name=ONNX_RUNTIME)
    with closing(reference), closing(open_backend(subject, manifest)) as engine:
        return compare_backends(reference, engine, manifest, images, box_tolerance=tolerance.box)


def judge_agreement(agreement: Agreement, tolerance: Tolerance) -> Finding:
    """Say whether two backends agree well enough; images without objects prove less."""
    problems = agreement.problems(tolerance)
    is_empty = agreement.candidates < MINIMUM_CANDIDATES
    if is_empty:
        problems = [line for line in problems if not line.startswith(('candidates', 'matched'))]
    values = agreement.to_dict()
    if problems:
        return wrong(
            COMPARISON,
            f'they disagree: {"; ".join(problems)}',
            expected='differences that the precision of the engine explains',
            remedy='build the engine again (python -m training.build_engine), with --precision '
            'fp32 if that does not help',
            **values,
        )
    if is_empty:
        return doubtful(
            COMPARISON,
            f'{agreement}',
            expected=f'at least {MINIMUM_CANDIDATES} objects in the images, else they are not '
            'compared',
            remedy='give images of the camera with objects in them (--images)',
            **values,
        )
    return fine(COMPARISON, f'{agreement}', **values)
