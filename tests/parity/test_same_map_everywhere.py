# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch, ONNX Runtime and the node give the same panoptic maps and the same panoptic quality.

The node runs whatever library suits the computer, perhaps in a lower precision: it is held to the
same library without a node, and ONNX Runtime to PyTorch.

A small network with random weights is exported; a short drive goes through the real node over DDS
in the runtime environment (no torch there); PyTorch labels the same JPEG frames here.
"""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from tests.fakes.small_networks import lively_model, make_checkpoint, make_small_recipe
from training.checkpoint import save_checkpoint
from training.data.cityscapes import INSTANCE_FACTOR
from training.data.formats import open_data_set
from training.evaluate import main as evaluate
from training.evaluation.panoptic_submission import PanopticSubmission, SubmittedImage
from training.export import export
from training.export_wrapper import round_weights
from training.models.upsnet import UPSNet
from training.recipe.recipe import Recipe
from training.torch_backend import TorchBackend
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    cityscapes_label_set,
)
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

ROOT = Path(__file__).parents[2]
FRAMES = 6
IMAGE_TOPIC = '/camera/image_raw/compressed'
TRUTH_TOPIC = '/camera/ground_truth/panoptic/image'


def run(*command: str) -> None:
    """Run a command of the project and show its output when it fails."""
    result = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    )
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-4000:]


@pytest.fixture(scope='module')
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short drive of 256x128 pixels."""
    bag = tmp_path_factory.mktemp('drive') / 'bag'
    run(
        sys.executable, '-m', 'training.synthetic', '--bag', str(bag),
        '--frames', str(FRAMES), '--size', '256x128', '--seed', '3', '--rate', '4',
    )  # fmt: skip
    return bag


@pytest.fixture(scope='module')
def frames(drive: Path) -> list[np.ndarray]:
    """The drive's frames as the node decodes them: BGR uint8 [128, 256, 3]."""
    return [
        cv2.imdecode(message.data, cv2.IMREAD_COLOR) for message in messages_of(drive, IMAGE_TOPIC)
    ]


def messages_of(drive: Path, topic: str) -> list[Any]:
    with AnyReader([drive]) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        return [
            reader.deserialize(raw, connection.msgtype)
            for connection, _, raw in reader.messages(connections)
        ]


@dataclass(frozen=True)
class Replay:
    """One network as checkpoint and exported model, and what the node made of the drive."""

    recipe: Recipe
    model: UPSNet
    checkpoint: Path
    exported: Path
    labels: dict[int, np.ndarray]  # uint16 [128, 256] by place in the drive


@pytest.fixture(scope='module')
def replay(
    drive: Path, frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Replay:
    folder = tmp_path_factory.mktemp('replay')
    recipe = make_small_recipe()
    model = lively_model(recipe)
    images = []
    for index, frame in enumerate(frames):
        images.append(folder / f'{index}.png')
        cv2.imwrite(str(images[-1]), frame)
    path = folder / 'model' / 'model.onnx'
    checkpoint = make_checkpoint(recipe, model)
    save_checkpoint(checkpoint, folder / 'final.pt')
    export(checkpoint, images, path.parent)
    # One frame a second: the node leaves out what comes too fast for a busy machine.
    run(
        sys.executable, '.ci/environment.py', 'exec', 'runtime', '--', 'python', '-m',
        'upsnet_ros.evaluation.demo', '--bag', str(drive), '--output', str(folder / 'demo'),
        '--model', str(path), '--camera-hz', '1',
    )  # fmt: skip
    # A frame may still be lost on the way, but hardly any: named by its stamp in the drive.
    stamps = [
        message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        for message in messages_of(drive, IMAGE_TOPIC)
    ]
    labels = {
        stamps.index(int(file.stem)): cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        for file in (folder / 'demo' / 'labels' / 'camera').glob('*.png')
    }
    assert len(frames) == FRAMES and len(labels) >= FRAMES - 2
    return Replay(recipe, model, folder / 'final.pt', path, labels)


def test_torch_runtime_and_node_agree(replay: Replay, frames: list[np.ndarray]) -> None:
    manifest = ModelManifest.load(replay.exported)
    size = (manifest.input.height, manifest.input.width)
    torch_backend = TorchBackend(round_weights(replay.model), input_size=size)
    head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
    pipeline = PanopticPipeline.load(replay.exported)  # in the backend and precision of the node
    reference = PanopticPipeline.load(replay.exported, backend='onnxruntime')
    seen = set()
    for index, from_node in replay.labels.items():
        frame = frames[index]
        from_runtime = pipeline.process(frame).panoptic.label_image
        geometry = InputGeometry.fit(image_size=frame.shape[:2], input_size=size)
        from_torch = head(torch_backend.infer(place_image(frame, geometry)), geometry).label_image
        np.testing.assert_array_equal(from_node, from_runtime)
        from_reference = reference.process(frame).panoptic.label_image
        assert (from_torch == from_reference).mean() >= 0.999
        seen |= set(np.unique(from_node).tolist())
    assert len(seen) >= 4  # the comparison is of maps with something in them


@pytest.fixture
def data_set(drive: Path, replay: Replay, frames: list[np.ndarray], tmp_path: Path) -> Path:
    """The frames that the node labelled and their truth, in Cityscapes layout."""
    label_ids = np.array([entry.dataset_id for entry in cityscapes_label_set().classes])
    for index, truth in enumerate(messages_of(drive, TRUTH_TOPIC)):
        if index not in replay.labels:
            continue
        values = np.frombuffer(truth.data, np.uint16).reshape(truth.height, truth.width)
        known = values != UNKNOWN_LABEL
        classes = label_ids[np.where(known, values >> INSTANCE_BITS, 0)]
        instances = (values & MAX_INSTANCE).astype(int)
        single = classes * INSTANCE_FACTOR + instances - 1
        ids = np.where(known, np.where(instances > 0, single, classes), 0).astype(np.uint16)
        name = f'drive_000000_{index:06d}'
        for kind, suffix, pixels in (
            ('leftImg8bit', 'leftImg8bit', frames[index]),
            ('gtFine', 'gtFine_instanceIds', ids),
        ):
            path = tmp_path / kind / 'val' / 'drive' / f'{name}_{suffix}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), pixels)
    return tmp_path


def test_checkpoint_export_and_runtime_have_the_same_quality(
    replay: Replay, data_set: Path, frames: list[np.ndarray], tmp_path: Path
) -> None:
    submission = PanopticSubmission(tmp_path / 'runtime', cityscapes_label_set())
    pipeline = PanopticPipeline.load(replay.exported, backend='onnxruntime')
    for index in replay.labels:
        labels = pipeline.process(frames[index]).panoptic.label_image
        submission.write(f'drive_000000_{index:06d}', labels)
    reader = open_data_set(data_set, 'cityscapes', cityscapes_label_set())
    submission.finish([SubmittedImage.of(frame) for frame in reader.frames('val')])
    metrics = {}
    for name, arguments in (
        ('checkpoint', ['--model', str(replay.checkpoint), '--fixed-input']),
        ('export', ['--model', str(replay.exported)]),
        ('runtime', ['--predictions', str(submission.json_path)]),
    ):
        output = tmp_path / name
        command = [*arguments, '--data', str(data_set), '--output', str(output)]
        assert evaluate([*command, '--no-predictions']) == 0
        metrics[name] = json.loads((output / 'metrics.json').read_text())
    assert metrics['runtime']['pq'] == metrics['export']['pq']
    exported, trained = (metrics[name]['miou']['miou'] for name in ('export', 'checkpoint'))
    assert exported == pytest.approx(trained, abs=0.1)
    for group in ('all', 'things', 'stuff'):
        exported, trained = (metrics[name]['pq'][group] for name in ('export', 'checkpoint'))
        assert exported == pytest.approx(trained, abs=0.1)
    # Random weights hit no segment, but the segments that they make up count as well.
    assert sum(row['false_positives'] for row in metrics['runtime']['pq']['per_class']) > 20
