# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Does ONNX Runtime say what PyTorch says? Compared on images that were not traced."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from training.models.upsnet import UPSNet
from training.torch_backend import TorchBackend
from upsnet_ros.backends.select import create_backend
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.manifest import ModelManifest

SEMANTIC_TOLERANCE = 5e-3  # logits, absolute
MATCHED_BOX_TOLERANCE = 0.05  # pixels
MINIMUM_EQUAL_PIXELS = 0.999  # of the panoptic map, mean over the frames
MINIMUM_MATCHED = 0.99  # candidates above the score threshold found by both


@dataclass(frozen=True)
class Agreement:
    """How far two runtimes agree over some frames.

    Attributes:
        frames: Frames compared.
        semantic_difference: Largest difference of semantic logits.
        equal_pixels: Mean share of pixels with the same panoptic label.
        worst_equal_pixels: The same of the worst frame.
        matched: Share of the candidates above the score threshold that the other runtime has too:
            same class, box within 0.05 pixels.
        candidates: Candidates compared.
    """

    frames: int
    semantic_difference: float
    equal_pixels: float
    worst_equal_pixels: float
    matched: float
    candidates: int

    @classmethod
    def empty(cls) -> 'Agreement':
        """Nothing compared."""
        return cls(0, 0.0, 0.0, 0.0, 0.0, 0)

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)

    def require(self) -> None:
        """Raise ModelError unless every tolerance holds."""
        checks = (
            ('frames', self.frames, '>=', 1),
            ('semantic_difference', self.semantic_difference, '<=', SEMANTIC_TOLERANCE),
            ('equal_pixels', self.equal_pixels, '>=', MINIMUM_EQUAL_PIXELS),
            ('matched', self.matched, '>=', MINIMUM_MATCHED),
        )
        for name, value, relation, limit in checks:
            if not (value <= limit if relation == '<=' else value >= limit):
                raise ModelError(
                    f'PyTorch and ONNX Runtime disagree: {name} is {value:.6g}, expected '
                    f'{relation} {limit:g} (over {self.frames} frames)'
                )

    def __str__(self) -> str:
        return (
            f'PyTorch = ONNX Runtime on {self.frames} frames: {100 * self.equal_pixels:.4f} % of '
            f'pixels equal (worst frame {100 * self.worst_equal_pixels:.4f} %), semantic logits '
            f'within {self.semantic_difference:.2e}, {100 * self.matched:.2f} % of '
            f'{self.candidates} candidates matched'
        )


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
    head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
    threshold = manifest.panoptic_head['score_threshold']
    differences, equal, found, total = [0.0], [], 0, 0
    for image in images:
        geometry = InputGeometry.fit(image_size=image.shape[:2], input_size=runtime.input_size)
        placed = place_image(image, geometry)
        first, second = reference.infer(placed), runtime.infer(placed)
        differences.append(float(np.abs(first.semantic_logits - second.semantic_logits).max()))
        labels = head(first, geometry).label_image, head(second, geometry).label_image
        equal.append(float((labels[0] == labels[1]).mean()))
        matched, candidates = match_candidates(first, second, threshold=threshold)
        found, total = found + matched, total + candidates
    runtime.close()
    return Agreement(
        frames=len(images),
        semantic_difference=max(differences),
        equal_pixels=float(np.mean(equal)) if equal else 0.0,
        worst_equal_pixels=min(equal, default=0.0),
        matched=found / total if total else 1.0,
        candidates=total,
    )


def match_candidates(
    first: NetworkOutput, second: NetworkOutput, *, threshold: float
) -> tuple[int, int]:
    """How many candidates of the first output the second has too, and how many there are."""
    chosen = np.flatnonzero(first.scores[: first.count] > threshold)
    if second.count == 0:
        return 0, len(chosen)
    found = 0
    for index in chosen:
        distance = np.abs(second.boxes[: second.count] - first.boxes[index]).max(axis=1)
        same = second.classes[: second.count] == first.classes[index]
        found += bool((same & (distance <= MATCHED_BOX_TOLERANCE)).any())
    return found, len(chosen)
