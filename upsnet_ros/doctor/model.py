# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The model: its manifest, its hash, whether it labels images, and how fast."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from tqdm import trange

from upsnet_ros.backends.backend import Backend
from upsnet_ros.backends.engine_trial import run_trial, trial_command
from upsnet_ros.backends.select import create_backend
from upsnet_ros.backends.tensorrt_backend import TensorRtBackend
from upsnet_ros.core.errors import ImageError, ParameterError
from upsnet_ros.core.labels import UNKNOWN_LABEL
from upsnet_ros.core.model_files import ENGINE_SUFFIX
from upsnet_ros.doctor.finding import (
    Finding,
    Subject,
    doubtful,
    fine,
    judged,
    level_of,
)
from upsnet_ros.installed_files import find_installed
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

LABELS = 'labels'
SPEED = 'speed'
RUNS = 10
WARM_UPS = 2
SLOWEST_RATE = 5.0  # images per second; most cameras deliver 10 to 30
STAGES = ('preprocess', 'inference', 'panoptic_head')
# Images on which a model is tried: the user's, those of the package, or a drawn one.
BUNDLED = 'config/golden_frames'
ENDINGS = ('.jpg', '.jpeg', '.png')
DRAWN_SIZE = (512, 1024)  # height, width


def check_model(subject: Subject) -> Iterator[Finding]:
    """Manifest and hash, as the node checks them."""
    manifest = ModelManifest.load(subject.model_path)
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
    manifest = ModelManifest.load(subject.model_path)
    images = read_frames(subject)
    with PanopticPipeline(open_backend(subject, manifest, to_label=True), manifest) as pipeline:
        results = [pipeline.process(image).panoptic for image in images]
        backend = pipeline.backend
    instances = sum(len(result.instances) for result in results)
    known = float(np.mean([(result.label_image != UNKNOWN_LABEL).mean() for result in results]))
    found = (
        f'{backend.name} on {backend.device} in {backend.precision} found {instances} object(s) '
        f'in {len(images)} images and gave {100 * known:.1f} % of the pixels a class'
    )
    yield judged(
        LABELS,
        found,
        level_of(known > 0),
        expected='at least one pixel with a class',
        remedy='give images of the camera the model was trained for (--images), or export the '
        'model again',
        images=len(images),
        instances=instances,
        known_share=known,
    )


def engine_beside(subject: Subject) -> str:
    """What an ONNX file's user may want to know of engines."""
    engine = subject.model_path.with_suffix(ENGINE_SUFFIX)
    if engine.is_file():
        return f"none asked for; '{engine}' lies beside the model (--model examines it)"
    return 'none asked for, the model is an ONNX file'


def check_speed(subject: Subject) -> Iterator[Finding]:
    """Median milliseconds of each stage, without ROS and with nothing else to do."""
    manifest = ModelManifest.load(subject.model_path)
    with PanopticPipeline(open_backend(subject, manifest, to_label=True), manifest) as pipeline:
        times = measure_speed(pipeline, subject)
        has_graph = getattr(pipeline.backend, 'uses_graph', True)
        backend = pipeline.backend
    yield judge_speed(times, f'{backend.name} on {backend.device} in {backend.precision}')
    if not has_graph:
        yield doubtful(
            'CUDA graph',
            'the engine runs without one, which costs the processor time',
            expected='the whole network recorded as one graph',
            remedy='look for the reason in the log of the engine trial, or build the engine again',
        )


def measure_speed(pipeline: PanopticPipeline, subject: Subject) -> dict[str, float]:
    """Median milliseconds of each stage and of the total.

    Raises:
        UpsnetError: there are no images, or the model fails on one.
    """
    images = read_frames(subject)
    runs = []
    for index in trange(WARM_UPS + RUNS, desc='measuring speed', leave=False, disable=None):
        runs.append(pipeline.process(images[index % len(images)]).timing_ms)
    return {stage: median(run[stage] for run in runs[WARM_UPS:]) for stage in runs[0]}


def judge_speed(times: dict[str, float], where: str) -> Finding:
    """Say how fast that is.

    Args:
        times: milliseconds of each stage and of the total.
        where: library and device.
    """
    rate = 1e3 / max(times['total'], 1e-3)
    stages = ', '.join(f'{stage.replace("_", " ")} {times[stage]:.1f} ms' for stage in STAGES)
    found = f'{stages}: {times["total"]:.1f} ms per image, {rate:.1f} images per second ({where})'
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores:  # figures of a busy computer are those of nobody
        found += f'; other programs were at work too (load {load:.1f} on {cores} cores)'
    return judged(
        SPEED,
        found,
        level_of(rate >= SLOWEST_RATE),
        expected=f'at least {SLOWEST_RATE:g} images per second',
        remedy='use a TensorRT engine on a GPU, more cores, or a model with a smaller input',
        **{f'{stage}_ms': round(duration, 3) for stage, duration in times.items()},
    )


@cache
def try_engine(path: Path) -> str:
    """Try an engine once, where a crash ends nothing else.

    Returns:
        Why its labels are made by the processor; '' where the GPU makes them.

    Raises:
        ModelError: it does not run.
    """
    return run_trial(trial_command(path))


def open_backend(subject: Subject, manifest: ModelManifest, *, to_label: bool = False) -> Backend:
    """Load the model as the node would, but without more than one trial of an engine.

    Args:
        subject: what is looked at.
        manifest: of its model.
        to_label: whether images are going to be labelled, on the GPU where the trial allows it.

    Raises:
        UpsnetError: it cannot be loaded, or the backend does not run this kind of file.
    """
    if subject.is_engine and subject.needs_tensorrt:
        with_labels = to_label and not try_engine(subject.model_path)
        return TensorRtBackend(
            subject.model_path, manifest, trial_timeout_s=None, with_labels=with_labels
        )
    return create_backend(subject.model_path, manifest, name=subject.backend)


def read_frames(subject: Subject) -> list[np.ndarray]:
    """Images to run the model on, uint8 [H, W, 3] BGR of any sizes, at least one.

    Raises:
        ImageError: the user's folder has none, or one cannot be decoded.
        ParameterError: no image is asked for.
    """
    if subject.frames < 1:
        raise ParameterError(f'--frames is {subject.frames}, expected at least 1')
    folder = subject.images or find_installed(BUNDLED)
    if folder is None:
        return [draw_frame()]
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in ENDINGS)
    if not paths:
        raise ImageError(
            f"'{folder}' has no image, expected JPEG or PNG files of the camera; check --images"
        )
    count = min(subject.frames, len(paths))
    return [_read(paths[index * len(paths) // count]) for index in range(count)]


def _read(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ImageError(
            f"'{path}' cannot be decoded, expected a JPEG or PNG file; remove it or --images"
        )
    return image


def draw_frame() -> np.ndarray:
    """An image that is the same everywhere, uint8 [H, W, 3] BGR: sky, ground, blocks, texture."""
    height, width = DRAWN_SIZE
    rows, columns = np.mgrid[:height, :width]
    image = np.empty((height, width, 3), np.uint8)
    image[..., 0] = np.where(rows < height // 2, 230 - rows // 4, 90)
    image[..., 1] = np.where(rows < height // 2, 190 - rows // 6, 90 + columns // 64)
    image[..., 2] = np.where(rows < height // 2, 150, 95 + (rows // 8 + columns // 8) % 2)
    for index, left in enumerate(range(64, width - 160, 224)):
        top, size = height // 2 - 16, 64 + 24 * index
        image[top : top + size, left : left + size] = (30 + 50 * index, 40, 200 - 40 * index)
    return image
