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
BOX_TOLERANCE = 0.05  # pixels; candidates further apart are not the same
SCORE_TOLERANCE = 1e-3  # of matched candidates
MASK_TOLERANCE = 0.05  # logits of matched candidates, absolute
MINIMUM_EQUAL_PIXELS = 0.999  # of the panoptic map, mean over the frames
MINIMUM_MATCHED = 0.99  # of the candidates above the score threshold, of both runtimes
MINIMUM_CANDIDATES = 2  # a comparison without candidates proves nothing


@dataclass(frozen=True)
class Agreement:
    """How far two runtimes agree over some frames.

    Attributes:
        frames: Frames compared.
        equal_pixels: Mean share of pixels with the same panoptic label.
        worst_equal_pixels: The same of the worst frame.
        candidates: Candidates above the score threshold, of both runtimes together.
        matched: Share of them that the other runtime has too: same class, box within 0.05 pixels.
        semantic_difference: Largest difference of semantic logits.
        score_difference: Largest difference of matched scores.
        mask_difference: Largest difference of matched mask logits.
    """

    frames: int = 0
    equal_pixels: float = 0.0
    worst_equal_pixels: float = 0.0
    candidates: int = 0
    matched: float = 0.0
    semantic_difference: float = 0.0
    score_difference: float = 0.0
    mask_difference: float = 0.0

    @classmethod
    def empty(cls) -> 'Agreement':
        """Nothing compared."""
        return cls()

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)

    def require(self) -> None:
        """Raise ModelError unless every tolerance holds."""
        at_least = {
            'frames': 1,
            'candidates': MINIMUM_CANDIDATES,
            'equal_pixels': MINIMUM_EQUAL_PIXELS,
            'matched': MINIMUM_MATCHED,
        }
        at_most = {
            'semantic_difference': SEMANTIC_TOLERANCE,
            'score_difference': SCORE_TOLERANCE,
            'mask_difference': MASK_TOLERANCE,
        }
        for limits, relation in ((at_least, '>='), (at_most, '<=')):
            for name, limit in limits.items():
                value = getattr(self, name)
                if not (value >= limit if relation == '>=' else value <= limit):
                    raise ModelError(
                        f'PyTorch and ONNX Runtime disagree: {name} is {value:.6g}, expected '
                        f'{relation} {limit:g} (over {self.frames} frames)'
                    )

    def __str__(self) -> str:
        return (
            f'PyTorch = ONNX Runtime on {self.frames} frames: {100 * self.equal_pixels:.4f} % of '
            f'pixels equal (worst frame {100 * self.worst_equal_pixels:.4f} %), '
            f'{100 * self.matched:.2f} % of {self.candidates} candidates matched; largest '
            f'differences: semantic logits {self.semantic_difference:.1e}, scores '
            f'{self.score_difference:.1e}, mask logits {self.mask_difference:.1e}'
        )


@dataclass(frozen=True)
class CandidateMatch:
    """Candidates of one output that another has too.

    Attributes:
        found: How many the other has.
        total: How many there are.
        score_difference: Largest difference of the scores of those found.
        mask_difference: Largest difference of their mask logits.
    """

    found: int
    total: int
    score_difference: float
    mask_difference: float


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
    semantic, equal = [0.0], []
    matches: list[CandidateMatch] = []
    for image in images:
        geometry = InputGeometry.fit(image_size=image.shape[:2], input_size=runtime.input_size)
        placed = place_image(image, geometry)
        first, second = reference.infer(placed), runtime.infer(placed)
        semantic.append(np.abs(first.semantic_logits - second.semantic_logits).max())
        labels = head(first, geometry).label_image, head(second, geometry).label_image
        equal.append(float((labels[0] == labels[1]).mean()))
        matches.append(match_candidates(first, second, threshold=threshold))
        matches.append(match_candidates(second, first, threshold=threshold))
    runtime.close()
    total = sum(match.total for match in matches)
    return Agreement(
        frames=len(images),
        equal_pixels=float(np.mean(equal)) if equal else 0.0,
        worst_equal_pixels=min(equal, default=0.0),
        candidates=total,
        matched=sum(match.found for match in matches) / max(total, 1),
        semantic_difference=float(np.max(semantic)),  # np.max keeps a NaN, max() would lose it
        score_difference=float(np.max([0.0, *(match.score_difference for match in matches)])),
        mask_difference=float(np.max([0.0, *(match.mask_difference for match in matches)])),
    )


def match_candidates(
    first: NetworkOutput, second: NetworkOutput, *, threshold: float
) -> CandidateMatch:
    """Look for the candidates of the first output above a score in the second."""
    chosen = np.flatnonzero(first.scores[: first.count] > threshold)
    found, score_difference, mask_difference = 0, 0.0, 0.0
    for index in chosen:
        distance = np.abs(second.boxes[: second.count] - first.boxes[index]).max(axis=1)
        distance[second.classes[: second.count] != first.classes[index]] = np.inf
        other = int(distance.argmin()) if len(distance) else -1
        if other < 0 or not distance[other] <= BOX_TOLERANCE:
            continue
        found += 1
        score = abs(float(first.scores[index] - second.scores[other]))
        mask = float(np.abs(first.mask_logits[index] - second.mask_logits[other]).max())
        score_difference, mask_difference = (
            max(score_difference, score),
            max(mask_difference, mask),
        )
    return CandidateMatch(found, len(chosen), score_difference, mask_difference)
