# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What an evaluation can measure: checkpoints, exported models, engines, predictions in files."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.build import load_trained_model
from training.checkpoint import load_checkpoint
from training.data.frames import Frame
from training.evaluation.frame_loop import Answer
from training.evaluation.prediction_files import PredictionFiles
from training.inference.assembly import TrainedNetwork, build_head, build_labeller
from training.inference.fixed_input import FixedInput
from training.inference.labeller import Labelled, Labeller
from training.inference.options import InferenceOptions
from training.memory import image_memory_guard
from upsnet_ros.backends.select import ONNX_RUNTIME, TENSORRT, create_backend
from upsnet_ros.core.errors import ParameterError
from upsnet_ros.core.labels import UNKNOWN_LABEL, LabelSet
from upsnet_ros.core.model_files import ENGINE_SUFFIX
from upsnet_ros.core.structures import PanopticResult
from upsnet_ros.manifest import ModelManifest

EXPORTED = ('.onnx', ENGINE_SUFFIX)


@dataclass(frozen=True)
class Subject:
    """What is measured.

    Attributes:
        answer: Labels a frame.
        label_set: The classes of its labels.
        data: Section ``data`` of the recipe it was trained with, as far as it is known.
        files: Where it came from: paths and sha256, as plain JSON values.
        head: Name and parameters of the panoptic head; empty for predictions in files.
        detection_kind: ``'detections'``, ``'candidates'``, or None where there are none.
    """

    answer: Answer
    label_set: LabelSet
    data: dict[str, Any]
    files: dict[str, Any]
    head: dict[str, Any] = field(default_factory=dict)
    detection_kind: str | None = None


def open_model(
    path: Path,
    semantic_path: Path | None,
    options: InferenceOptions,
    device: torch.device,
    *,
    find_detections: bool,
) -> Subject:
    """Load a checkpoint, a pair of them, an exported model or an engine.

    Args:
        path: Checkpoint (``.pt``), exported model (``.onnx``) or TensorRT engine (``.engine``).
        semantic_path: Checkpoint whose semantic logits are used instead.
        options: How it is tested.
        device: Of checkpoints.
        find_detections: Whether average precision will be asked for.

    Raises:
        UpsnetError: If a file is missing or damaged, or the options cannot be had with it.
    """
    if path.suffix in EXPORTED:
        labeller, data = _load_exported(path, semantic_path, options, find_detections)
    else:
        network = _load_network(path, device)
        semantic = _load_network(semantic_path, device) if semantic_path else None
        labeller = build_labeller(
            network, options, semantic=semantic, find_detections=find_detections
        )
        data = network.recipe.to_dict()['data']
    head = labeller.head

    def answer(frame: Frame, image: np.ndarray, truth: np.ndarray) -> Labelled:
        with image_memory_guard(image.shape[:2], device=device):
            return labeller.label(image, truth)

    return Subject(
        answer,
        head.label_set,
        data,
        files=_described('', path) | (_described('semantic_', semantic_path)),
        head={'head': type(head).__name__, 'parameters': head.parameters},
        detection_kind=labeller.network.detection_kind if find_detections else None,
    )


def open_predictions(path: Path, label_set: LabelSet) -> Subject:
    """Predictions of any method, written in COCO panoptic format.

    Args:
        path: The JSON file, or a folder that holds one.
        label_set: Classes; their data-set ids are the category ids.

    Raises:
        UpsnetError: If a file is missing or malformed.
    """
    predictions = PredictionFiles(path, label_set)

    def answer(frame: Frame, image: np.ndarray, truth: np.ndarray) -> Labelled:
        labels = predictions.read(frame.name, image.shape[:2])
        unknown = float(np.mean(labels == UNKNOWN_LABEL))
        return Labelled(PanopticResult(labels, (), unknown), None)

    return Subject(answer, label_set, {}, files=_described('', predictions.path))


def _load_network(path: Path, device: torch.device) -> TrainedNetwork:
    checkpoint = load_checkpoint(path)
    return TrainedNetwork(load_trained_model(checkpoint).to(device), checkpoint.recipe)


def _load_exported(
    path: Path, semantic_path: Path | None, options: InferenceOptions, find_detections: bool
) -> tuple[Labeller, dict[str, Any]]:
    if semantic_path is not None:
        raise ParameterError('--semantic-model beside an exported model; expected two checkpoints')
    manifest = ModelManifest.load(path)
    name = TENSORRT if path.suffix == ENGINE_SUFFIX else ONNX_RUNTIME
    backend = create_backend(path, manifest, name=name)
    network = FixedInput(
        backend, pad_value=manifest.input.pad_value, find_detections=find_detections
    )
    head = build_head(manifest.label_set, dict(manifest.panoptic_head), options, kind='unified')
    return Labeller(network, head), manifest.recipe.get('data', {})


def _described(prefix: str, path: Path | None) -> dict[str, Any]:
    if path is None:
        return {f'{prefix}path': None}
    with path.open('rb') as file:
        digest = hashlib.file_digest(file, 'sha256').hexdigest()
    return {f'{prefix}path': str(path), f'{prefix}sha256': digest}
