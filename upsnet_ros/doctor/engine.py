# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Whether a TensorRT engine fits this computer, and runs in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Iterator

from upsnet_ros.backends.cuda_runtime import CudaRuntime, load_cuda_library
from upsnet_ros.backends.engine_record import (
    EngineRecord,
    Surroundings,
    read_fitting_engine,
)
from upsnet_ros.backends.tensorrt_runtime import load_tensorrt_library
from upsnet_ros.backends.trial_process import run_trial, trial_command
from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.doctor.finding import Finding, fine, refused, wrong
from upsnet_ros.doctor.model import engine_beside
from upsnet_ros.doctor.subject import Subject
from upsnet_ros.manifest import ModelManifest

RECORD = 'engine'
TRIAL = 'engine trial'


def check_record(subject: Subject) -> Iterator[Finding]:
    """What the engine was built with beside what is here; nothing of it is loaded."""
    if not subject.is_engine:
        yield fine(RECORD, engine_beside(subject))
        return
    try:
        record = EngineRecord.load(subject.model_path)
        manifest = ModelManifest.load(subject.model_path)
        cuda = CudaRuntime(load_cuda_library())
        surroundings = Surroundings.of(load_tensorrt_library(), cuda, manifest)
        problems = record.problems(surroundings)
        if not problems:
            read_fitting_engine(subject.model_path, surroundings)
    except UpsnetError as error:
        yield refused(RECORD, error)
        return
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
    try:
        run_trial(trial_command(subject.model_path))
    except UpsnetError as error:
        yield refused(TRIAL, error)
        return
    seconds = time.perf_counter() - start
    yield fine(TRIAL, f'loaded and run once in {seconds:.1f} s', seconds=round(seconds, 3))
