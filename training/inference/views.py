# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Multi-scale and mirrored testing: semantic logits averaged over several views of an image.

Source: paper section 4 and its supplement. Which resolution the logits are averaged at is not
said there, and the published code has no such test; here it is that of the single-scale logits.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from upsnet_ros.core.geometry import SIDE_MULTIPLE, InputGeometry
from upsnet_ros.core.structures import SEMANTIC_STRIDE

# Label set and test short side: the short sides of the paper's multi-scale test, in pixels.
PAPER_SHORT_SIDES = {
    ('coco', 800): tuple(range(480, 1121, 64)),
    ('cityscapes', 1024): tuple(range(704, 1345, 64)),
}
SMALLEST_FACTOR, LARGEST_FACTOR, FACTORS = 0.7, 1.3, 11


@dataclass(frozen=True)
class View:
    """One way to show an image to a network.

    Attributes:
        short_side: Short side of the resized image in pixels.
        max_long_side: Its longest long side in pixels.
        mirrored: Whether left and right are exchanged.
    """

    short_side: int
    max_long_side: int
    mirrored: bool = False

    def geometry(self, image_size: tuple[int, int]) -> InputGeometry:
        """How an image of (height, width) lies in the input."""
        return InputGeometry.for_short_side(
            image_size, short_side=self.short_side, max_long_side=self.max_long_side
        )

    def of(self, image_bgr: np.ndarray) -> np.ndarray:
        """The image, mirrored if the view is."""
        return image_bgr[:, ::-1] if self.mirrored else image_bgr


def multi_scale_sides(label_set: str, short_side: int) -> tuple[int, ...]:
    """Short sides of a multi-scale test, ascending.

    Args:
        label_set: Name of the label set.
        short_side: That of the single-scale test in pixels.

    Returns:
        The paper's list for its label sets at their published size. Otherwise eleven sides from
        0.7 to 1.3 times the single-scale one, rounded to multiples of 32, each once.
    """
    published = PAPER_SHORT_SIDES.get((label_set, short_side))
    if published is not None:
        return published
    factors = np.linspace(SMALLEST_FACTOR, LARGEST_FACTOR, FACTORS)
    sides = np.rint(factors * short_side / SIDE_MULTIPLE).astype(int) * SIDE_MULTIPLE
    return tuple(sorted({max(side, SIDE_MULTIPLE) for side in sides.tolist()}))


def make_views(base: View, *, short_sides: Sequence[int] = (), flip: bool = False) -> list[View]:
    """The views of a test.

    Args:
        base: The single-scale view.
        short_sides: Sizes instead of that of the base; the longest side grows with them.
        flip: Whether every view is also shown mirrored.
    """
    views = [base]
    if short_sides:
        ratio = base.max_long_side / base.short_side
        views = [View(side, round(side * ratio)) for side in short_sides]
    mirrored = [View(v.short_side, v.max_long_side, mirrored=True) for v in views]
    return [*views, *mirrored] if flip else views


def average_views(
    logits_of: Callable[[View], Tensor],
    views: Sequence[View],
    *,
    base: InputGeometry,
) -> Tensor:
    """Mean of the semantic logits of several views of one image.

    Args:
        logits_of: Gives ``[S, H / 4, W / 4]`` over the padded input of a view.
        views: At least one.
        base: Geometry of the answer.

    Returns:
        float32 ``[S, h, w]`` at a quarter of the base's input.
    """
    total: Tensor | None = None
    for view in views:
        geometry = view.geometry((base.image_height, base.image_width))
        placed = move_logits(logits_of(view).float(), geometry, base, mirrored=view.mirrored)
        total = placed if total is None else total + placed
    assert total is not None  # there is at least one view
    return total / len(views)


def move_logits(
    logits: Tensor, source: InputGeometry, target: InputGeometry, *, mirrored: bool
) -> Tensor:
    """Logits of one geometry where those of another lie: bilinear, clamped at the borders.

    Scales and mirror image are exact: the cell at position u of the image, counted from the left
    in pixels of the image, is read at u, or at the image's width minus u.

    Args:
        logits: ``[S, h, w]`` at a quarter of the source's input.
        source: Geometry of the logits.
        target: Geometry of the answer, for an image of the same size.
        mirrored: Whether the source shows the mirror image.

    Returns:
        ``[S, h, w]`` at a quarter of the target's input.
    """
    ratio = source.scale / target.scale
    rows = _positions(target.input_height, ratio)
    columns = _positions(target.input_width, ratio)
    if mirrored:
        width = source.image_width * source.scale / SEMANTIC_STRIDE
        columns = width - 1 - columns  # positions count from the middle of the first cell
    return _sample(_sample(logits, rows, dim=1), columns, dim=2)


def _positions(target_side: int, ratio: float) -> Tensor:
    """Cells of the source, as real numbers, at which each cell of the target lies: float64."""
    middles = torch.arange(target_side // SEMANTIC_STRIDE, dtype=torch.float64) + 0.5
    return middles * ratio - 0.5


def _sample(values: Tensor, positions: Tensor, *, dim: int) -> Tensor:
    """Linear interpolation along one axis."""
    last = values.shape[dim] - 1
    low = positions.floor()
    shape = [-1 if axis == dim else 1 for axis in range(values.ndim)]
    share = (positions - low).to(values).view(shape)
    low = low.long().to(values.device)
    before = values.index_select(dim, low.clamp(0, last))
    after = values.index_select(dim, (low + 1).clamp(0, last))
    return before * (1 - share) + after * share
