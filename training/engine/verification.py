# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""An engine beside ONNX Runtime on the same images, in a process of its own.

python -m training.engine.verification ENGINE IMAGES.npz
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from upsnet_ros.agreement import ENGINE_TOLERANCES, Agreement, compare_backends
from upsnet_ros.backends.select import create_backend
from upsnet_ros.backends.tensorrt_backend import TensorRtBackend
from upsnet_ros.core.errors import ModelError, UpsnetError
from upsnet_ros.core.model_files import source_beside
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.manifest import ModelManifest

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 1800.0
LOG_TAIL = 1500  # characters


def verify_engine(engine: Path, images: list[np.ndarray], *, precision: str) -> Agreement:
    """Compare an engine with the ONNX file that it was made from.

    Args:
        engine: The engine, with its record, the model and its manifest beside it.
        images: uint8 ``[H, W, 3]`` BGR, any sizes.
        precision: ``fp32`` or ``fp16``: what may differ.

    Raises:
        ModelError: If it differs more than is allowed, or the process died.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'images.npz'
        np.savez(path, *images)
        command = [sys.executable, '-m', 'training.engine.verification', str(engine), str(path)]
        try:
            done = subprocess.run(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LONGEST_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                f'the engine gave no answer to {len(images)} images within {LONGEST_SECONDS:g} s'
            ) from error
    answer = _last_object(done.stdout)
    if done.returncode or 'agreement' not in answer:
        reason = (
            answer.get('error') or f'code {done.returncode}: {done.stderr[-LOG_TAIL:].strip()}'
        )
        raise ModelError(f'the engine was built but does not run: {reason}')
    agreement = Agreement(**answer['agreement'])
    tolerance = ENGINE_TOLERANCES[precision]
    if agreement.problems(tolerance):
        raise ModelError(
            'TensorRT and ONNX Runtime disagree, see the lines with an exclamation mark:\n'
            f'{agreement.table(tolerance)}'
        )
    return agreement


class TakingTurns:
    """A backend of several cameras as one of a single one: every image in the next camera's place.

    The other places keep the images before, so an answer for the wrong camera is seen.

    Args:
        backend: Of any number of cameras.
    """

    name = 'tensorrt'

    def __init__(self, backend: TensorRtBackend) -> None:
        self._backend = backend
        self._turn = 0
        self._images = [np.zeros((*backend.input_size, 3), np.uint8)] * backend.cameras
        self.input_size = backend.input_size
        self.device, self.precision = backend.device, backend.precision

    def infer(self, image_bgr: np.ndarray) -> NetworkOutput:
        """The answer for one image."""
        place = self._turn % len(self._images)
        self._turn += 1
        self._images[place] = image_bgr
        return self._backend.infer_batch(self._images)[place]

    def close(self) -> None:
        """Free the network's memory."""
        self._backend.close()


def compare_on(engine: Path, images: list[np.ndarray]) -> Agreement:
    """Run both on images, in this process.

    Raises:
        UpsnetError: If one of them cannot be loaded or run.
    """
    manifest = ModelManifest.load(engine)
    onnx_path = source_beside(engine, '.onnx')
    reference = create_backend(onnx_path, ModelManifest.load(onnx_path), name='onnxruntime')
    backend = TensorRtBackend(engine, manifest, trial_timeout_s=None)  # this is the trial
    try:
        return compare_backends(
            reference,
            TakingTurns(backend),
            manifest,
            images,
            box_tolerance=ENGINE_TOLERANCES['fp16'].box,
        )
    finally:
        backend.close()
        reference.close()


def _last_object(text: str) -> dict[str, Any]:
    for line in reversed(text.splitlines()):
        try:
            values = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(values, dict):
            return values
    return {}


def main(arguments: list[str]) -> int:
    """Entry point; returns the exit code."""
    engine, path = map(Path, arguments)
    with np.load(path, allow_pickle=False) as stored:
        images = [stored[name] for name in stored.files]
    try:
        print(json.dumps({'agreement': compare_on(engine, images).to_dict()}), flush=True)
    except UpsnetError as error:
        print(json.dumps({'error': str(error)}), flush=True)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
