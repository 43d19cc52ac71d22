# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""PyTorch, ONNX Runtime and the node give the same panoptic map for the same frame.

A small network with random weights is exported; a short drive goes through the real node over DDS
in the runtime environment (no torch there); PyTorch labels the same JPEG frames here.
"""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from tests.fakes.lively_network import lively_model, make_checkpoint
from tests.fakes.small_recipe import make_small_recipe
from training.export import export
from training.export_wrapper import round_weights
from training.torch_backend import TorchBackend
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

ROOT = Path(__file__).parents[2]
FRAMES = 6
IMAGE_TOPIC = '/camera/image_raw/compressed'


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
    with AnyReader([drive]) as reader:
        connections = [c for c in reader.connections if c.topic == IMAGE_TOPIC]
        messages = [
            reader.deserialize(raw, connection.msgtype)
            for connection, _, raw in reader.messages(connections)
        ]
    return [cv2.imdecode(message.data, cv2.IMREAD_COLOR) for message in messages]


def test_torch_runtime_and_node_agree(
    drive: Path, frames: list[np.ndarray], tmp_path: Path
) -> None:
    recipe = make_small_recipe()
    model = lively_model(recipe)
    images = []
    for index, frame in enumerate(frames):
        images.append(tmp_path / f'{index}.png')
        cv2.imwrite(str(images[-1]), frame)
    path = tmp_path / 'model' / 'model.onnx'
    export(make_checkpoint(recipe, model), images, path.parent)
    output = tmp_path / 'demo'
    # One frame a second: the node leaves out what comes too fast for a busy machine.
    run(
        sys.executable, '.ci/environment.py', 'exec', 'runtime', '--', 'python', '-m',
        'upsnet_ros.evaluation.demo', '--bag', str(drive), '--output', str(output),
        '--model', str(path), '--rate-scale', '0.25',
    )  # fmt: skip
    manifest = ModelManifest.load(path)
    size = (manifest.input.height, manifest.input.width)
    torch_backend = TorchBackend(round_weights(model), input_size=size)
    head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
    pipeline = PanopticPipeline.load(path)
    # A frame may still be lost on the way, but hardly any: named by its place in the drive.
    labels = {int(file.stem): file for file in (output / 'labels').glob('*.png')}
    assert len(frames) == FRAMES and len(labels) >= FRAMES - 2
    seen = set()
    for index, file in sorted(labels.items()):
        frame = frames[index]
        from_node = cv2.imread(str(file), cv2.IMREAD_UNCHANGED)
        from_runtime = pipeline.process(frame).panoptic.label_image
        geometry = InputGeometry.fit(image_size=frame.shape[:2], input_size=size)
        from_torch = head(torch_backend.infer(place_image(frame, geometry)), geometry).label_image
        np.testing.assert_array_equal(from_node, from_runtime)
        assert (from_torch == from_runtime).mean() >= 0.999
        seen |= set(np.unique(from_node).tolist())
    assert len(seen) >= 4  # the comparison is of maps with something in them
