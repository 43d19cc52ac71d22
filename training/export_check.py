# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Does ONNX Runtime say what PyTorch says? Compared on images that were not traced."""

from pathlib import Path

import numpy as np

from training.models.upsnet import UPSNet
from training.torch_backend import TorchBackend
from upsnet_ros.agreement import EXACT, Agreement, compare_backends
from upsnet_ros.backends.select import create_backend
from upsnet_ros.manifest import ModelManifest


def compare(model: UPSNet, onnx_path: Path, images: list[np.ndarray]) -> Agreement:
    """Run both runtimes on images.

    Args:
        model: The network in evaluation mode.
        onnx_path: Exported model beside its manifest.
        images: uint8 ``[H, W, 3]`` BGR, any sizes.
    """
    manifest = ModelManifest.load(onnx_path)
    runtime = create_backend(onnx_path, manifest, name='onnxruntime')
    reference = TorchBackend(model, input_size=runtime.input_size)
    try:
        return compare_backends(reference, runtime, manifest, images, box_tolerance=EXACT.box)
    finally:
        runtime.close()


def require_agreement(agreement: Agreement) -> None:
    """Refuse an export that ONNX Runtime does not run as PyTorch does.

    Raises:
        ModelError: If a figure is out of its tolerance.
    """
    agreement.require(EXACT, 'PyTorch and ONNX Runtime')
