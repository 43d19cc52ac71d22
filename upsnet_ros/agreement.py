# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Do two backends say the same? Compared frame by frame: candidates, logits, panoptic labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from operator import attrgetter

import numpy as np

from upsnet_ros.backends.backend import Backend
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput
from upsnet_ros.manifest import ModelManifest

MINIMUM_CANDIDATES = 2  # a comparison without candidates proves nothing


@dataclass(frozen=True)
class Tolerance:
    """How far two backends may differ.

    Attributes:
        equal_pixels: least mean share of equal pixels of the panoptic labels.
        matched: least share of the candidates above the score threshold, of both backends, that
            the other has too.
        box: pixels; candidates further apart are not the same.
        score: largest difference of the scores of a matched pair.
        semantic: largest difference of semantic logits.
        mask: largest difference of the mask logits of a matched pair.
    """

    equal_pixels: float
    matched: float
    box: float
    score: float
    semantic: float
    mask: float


# The same arithmetic in another order.
EXACT = Tolerance(equal_pixels=0.999, matched=0.99, box=0.05, score=1e-3, semantic=5e-3, mask=0.05)

# An engine beside its ONNX file. TensorRT fuses and orders sums as it likes; in half precision
# every layer rounds to 11 bits, and a candidate at the score threshold may come or go.
ENGINE_TOLERANCES = {
    'fp32': Tolerance(
        equal_pixels=0.999, matched=0.99, box=0.5, score=0.01, semantic=0.05, mask=0.5
    ),
    'fp16': Tolerance(
        equal_pixels=0.995, matched=0.95, box=4.0, score=0.2, semantic=1.0, mask=5.0
    ),
}


@dataclass(frozen=True)
class Agreement:
    """How far two backends agree over some frames.

    Attributes:
        frames: frames compared.
        equal_pixels: mean share of pixels with the same panoptic label.
        worst_equal_pixels: the same of the worst frame.
        candidates: candidates above the score threshold, of both backends together.
        matched: share of them that the other backend has too: same class, box close enough.
        semantic_difference: largest difference of semantic logits.
        score_difference: largest difference of matched scores.
        mask_difference: largest difference of matched mask logits.
    """

    frames: int = 0
    equal_pixels: float = 0.0
    worst_equal_pixels: float = 0.0
    candidates: int = 0
    matched: float = 0.0
    semantic_difference: float = 0.0
    score_difference: float = 0.0
    mask_difference: float = 0.0

    def to_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)

    def problems(self, tolerance: Tolerance) -> list[str]:
        """Each figure that is out of its tolerance, with the limit; NaN always is."""
        return [
            f'{name} is {getattr(self, name):.6g}, expected {figure.relation} '
            f'{figure.limit(tolerance):g}'
            for name, figure in self._wrong(tolerance).items()
            if figure.limit
        ]

    def _wrong(self, tolerance: Tolerance) -> dict[str, _Figure]:
        return {f.name: f for f in _FIGURES if not f.fits(getattr(self, f.name), tolerance)}

    def table(self, tolerance: Tolerance) -> str:
        """Every figure beside its limit, one a line; an exclamation mark where it is out of it."""
        return '\n'.join(f.line(getattr(self, f.name), tolerance) for f in _FIGURES)

    def require(self, tolerance: Tolerance, who: str) -> None:
        """Refuse a disagreement.

        Args:
            tolerance: what is allowed.
            who: the two, for the message, for example `PyTorch and ONNX Runtime`.

        Raises:
            ModelError: a figure is out of its tolerance, or nothing was found to compare.
        """
        wrong = self._wrong(tolerance)
        if self.candidates < MINIMUM_CANDIDATES and not wrong.keys() - {'candidates', 'matched'}:
            raise ModelError(
                f'nothing shows that {who} agree: {self.candidates} objects found in '
                f'{self.frames} frames, expected at least {MINIMUM_CANDIDATES}; compare on other '
                'or more images, or train the model until it finds objects'
            )
        if wrong:
            problems = '; '.join(self.problems(tolerance))
            raise ModelError(f'{who} disagree over {self.frames} frames: {problems}')

    def __str__(self) -> str:
        """Return the figures as a sentence."""
        return (
            f'on {self.frames} frames {100 * self.equal_pixels:.4f} % of pixels equal (worst '
            f'frame {100 * self.worst_equal_pixels:.4f} %), {100 * self.matched:.2f} % of '
            f'{self.candidates} candidates matched; largest differences: semantic logits '
            f'{self.semantic_difference:.1e}, scores {self.score_difference:.1e}, mask logits '
            f'{self.mask_difference:.1e}'
        )


@dataclass(frozen=True)
class _Figure:
    """A figure of an agreement.

    Attributes:
        name: of the attribute.
        label: what people call it.
        limit: what it is held to; None for one that is only told.
        is_least: whether the limit is the least value.
        write: the figure as text.
        write_limit: its limit as text.
    """

    name: str
    label: str
    limit: Callable[[Tolerance], float] | None
    is_least: bool = True
    write: Callable[[float], str] = '{:.2g}'.format
    write_limit: Callable[[float], str] = '{:g}'.format

    @property
    def relation(self) -> str:
        return '>=' if self.is_least else '<='

    def fits(self, value: float, tolerance: Tolerance) -> bool:
        if self.limit is None:
            return True
        limit = self.limit(tolerance)
        return value >= limit if self.is_least else value <= limit

    def line(self, value: float, tolerance: Tolerance) -> str:
        mark = '  ' if self.fits(value, tolerance) else '! '
        line = f'{mark}{self.label:38}{self.write(value):>12}'
        if self.limit is None:
            return line
        return f'{line}  {self.relation} {self.write_limit(self.limit(tolerance))}'


def _share(name: str, label: str, limit: Callable[[Tolerance], float] | None) -> _Figure:
    return _Figure(
        name,
        label,
        limit,
        write=lambda share: f'{100 * share:.3f} %',
        write_limit=lambda share: f'{100 * share:g} %',
    )


def _difference(name: str, label: str) -> _Figure:
    label = f'largest difference of {label}'
    return _Figure(f'{name}_difference', label, attrgetter(name), is_least=False)


_FIGURES = (
    _Figure('frames', 'frames', lambda tolerance: 1, write='{:d}'.format),
    _Figure('candidates', 'candidates', lambda tolerance: MINIMUM_CANDIDATES, write='{:d}'.format),
    _share('equal_pixels', 'equal pixels', attrgetter('equal_pixels')),
    _share('matched', 'candidates that both have', attrgetter('matched')),
    _share('worst_equal_pixels', 'equal pixels of the worst frame', None),
    _difference('semantic', 'semantic logits'),
    _difference('score', 'scores'),
    _difference('mask', 'mask logits'),
)


@dataclass(frozen=True)
class CandidateMatch:
    """Candidates of one output that another has too.

    Attributes:
        found: how many the other has.
        total: how many there are.
        score_difference: largest difference of the scores of those found.
        mask_difference: largest difference of their mask logits.
    """

    found: int
    total: int
    score_difference: float
    mask_difference: float


def compare_backends(
    first: Backend,
    second: Backend,
    manifest: ModelManifest,
    images: Iterable[np.ndarray],
    *,
    box_tolerance: float,
) -> Agreement:
    """Run two backends of one model on images, one image at a time.

    Args:
        first: one backend.
        second: the other, of the same input size.
        manifest: of the model.
        images: uint8 [H, W, 3] BGR, any sizes.
        box_tolerance: pixels; candidates further apart are not the same.

    Raises:
        ModelError: an answer cannot be used, for example because it holds NaN.
    """
    head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
    threshold = manifest.panoptic_head['score_threshold']
    semantic, equal = [0.0], []
    matches: list[CandidateMatch] = []
    for image in images:
        geometry = InputGeometry.fit(image_size=image.shape[:2], input_size=first.input_size)
        placed = place_image(image, geometry, pad_value=manifest.input.pad_value)
        answers = first.infer(placed), second.infer(placed)
        semantic.append(np.abs(answers[0].semantic_logits - answers[1].semantic_logits).max())
        labels = [head(answer, geometry).label_image for answer in answers]
        equal.append(float((labels[0] == labels[1]).mean()))
        for one, other in (answers, answers[::-1]):
            matches.append(match_candidates(one, other, threshold=threshold, box=box_tolerance))
    total = sum(match.total for match in matches)
    return Agreement(
        frames=len(equal),
        equal_pixels=float(np.mean(equal)) if equal else 0.0,
        worst_equal_pixels=min(equal, default=0.0),
        candidates=total,
        matched=sum(match.found for match in matches) / max(total, 1),
        semantic_difference=float(np.max(semantic)),  # np.max keeps a NaN, max() would lose it
        score_difference=float(np.max([0.0, *(match.score_difference for match in matches)])),
        mask_difference=float(np.max([0.0, *(match.mask_difference for match in matches)])),
    )


def match_candidates(
    first: NetworkOutput, second: NetworkOutput, *, threshold: float, box: float
) -> CandidateMatch:
    """Look for the candidates of the first output above a score in the second.

    Args:
        first: one answer.
        second: the other.
        threshold: least score.
        box: most that a coordinate may differ [px].
    """
    chosen = np.flatnonzero(first.scores[: first.count] > threshold)
    found, score_difference, mask_difference = 0, 0.0, 0.0
    for index in chosen:
        distance = np.abs(second.boxes[: second.count] - first.boxes[index]).max(axis=1)
        distance[second.classes[: second.count] != first.classes[index]] = np.inf
        other = int(distance.argmin()) if len(distance) else -1
        if other < 0 or not distance[other] <= box:
            continue
        found += 1
        score = abs(float(first.scores[index] - second.scores[other]))
        mask = float(np.abs(first.mask_logits[index] - second.mask_logits[other]).max())
        score_difference = max(score_difference, score)
        mask_difference = max(mask_difference, mask)
    return CandidateMatch(found, len(chosen), score_difference, mask_difference)
