# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""How long the model takes for an image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from statistics import median

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.doctor.finding import Finding, doubtful, fine, refused
from upsnet_ros.doctor.golden_frames import read_frames
from upsnet_ros.doctor.opening import open_backend
from upsnet_ros.doctor.progress import ProgressBar
from upsnet_ros.doctor.subject import Subject
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

WHAT = 'speed'
RUNS = 10
WARM_UPS = 2
SLOWEST_RATE = 5.0  # images per second; most cameras deliver 10 to 30
STAGES = ('preprocess', 'inference', 'panoptic_head')


def check_speed(subject: Subject) -> Iterator[Finding]:
    """Median milliseconds of each stage, without ROS and with nothing else to do."""
    try:
        manifest = ModelManifest.load(subject.model_path)
        with PanopticPipeline(open_backend(subject, manifest), manifest) as pipeline:
            times = measure(pipeline, subject)
            has_graph = getattr(pipeline.backend, 'uses_graph', True)
            backend = pipeline.backend
    except UpsnetError as error:
        yield refused(WHAT, error)
        return
    yield judge(times, f'{backend.name} on {backend.device}')
    if not has_graph:
        yield doubtful(
            'CUDA graph',
            'the engine runs without one, which costs the processor time',
            expected='the whole network recorded as one graph',
            remedy='look for the reason in the log of the engine trial, or build the engine again',
        )


def measure(pipeline: PanopticPipeline, subject: Subject) -> dict[str, float]:
    """Median milliseconds of each stage and of the total.

    Raises:
        UpsnetError: there are no images, or the model fails on one.
    """
    images = read_frames(subject)
    runs = []
    with ProgressBar('measuring speed', WARM_UPS + RUNS) as bar:
        for index in range(WARM_UPS + RUNS):
            runs.append(pipeline.process(images[index % len(images)]).timing_ms)
            bar.step()
    return {stage: median(run[stage] for run in runs[WARM_UPS:]) for stage in runs[0]}


def judge(times: dict[str, float], where: str) -> Finding:
    """Say how fast that is.

    Args:
        times: milliseconds of each stage and of the total.
        where: library and device.
    """
    rate = 1e3 / max(times['total'], 1e-3)
    stages = ', '.join(f'{stage.replace("_", " ")} {times[stage]:.1f} ms' for stage in STAGES)
    found = f'{stages}: {times["total"]:.1f} ms per image, {rate:.1f} images per second ({where})'
    values = {f'{stage}_ms': round(duration, 3) for stage, duration in times.items()}
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores:  # figures of a busy computer are those of nobody
        found += f'; other programs were at work too (load {load:.1f} on {cores} cores)'
    if rate >= SLOWEST_RATE:
        return fine(WHAT, found, **values)
    return doubtful(
        WHAT,
        found,
        expected=f'at least {SLOWEST_RATE:g} images per second',
        remedy='use a TensorRT engine on a GPU, more cores, or a model with a smaller input',
        **values,
    )
