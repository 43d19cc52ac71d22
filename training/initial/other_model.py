# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights of another network of ours, for fine-tuning."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from training.checkpoint import load_weights
from training.initial.head_rows import remap_heads
from upsnet_ros.core.errors import ParameterError

HeadRows = Literal['same', 'coco_to_cityscapes']


@dataclass(frozen=True)
class InitialReport:
    """Where a network's tensors come from, by name.

    Attributes:
        copied: Taken over as they were.
        remapped: Rows of heads, taken over class by class.
        random: Not in the other network, or of another shape there; left as they were.
        unused: Of the other network, not in this one, or of another shape here.
    """

    copied: tuple[str, ...]
    remapped: tuple[str, ...]
    random: tuple[str, ...]
    unused: tuple[str, ...]

    def __str__(self) -> str:
        parts = [f'{len(self.copied)} tensors copied']
        for words, names in (
            ('remapped', self.remapped),
            ('left at random weights', self.random),
            ('of the other network unused', self.unused),
        ):
            if names:
                parts.append(f'{len(names)} {words} ({", ".join(names)})')
        return '; '.join(parts)


def load_other_model(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    head_rows: HeadRows,
    *,
    generator: torch.Generator | None = None,
) -> InitialReport:
    """Load the weights of another network.

    Args:
        model: Network to fine-tune; changed in place.
        weights: State dict of the other one.
        head_rows: ``'same'``: the classes are the same and everything must fit.
            ``'coco_to_cityscapes'``: all that fits by name and shape is copied, and rows of the
            heads become those of the other classes, as in the published fine-tuning.
        generator: Draws the rows of classes that COCO has not; needed for
            ``'coco_to_cityscapes'``.

    Raises:
        ModelError: If a name or a shape does not fit.
        ParameterError: If there is no generator and one is needed.
    """
    if head_rows == 'same':
        load_weights(model, dict(weights))
        return InitialReport(tuple(weights), (), (), ())
    if generator is None:
        raise ParameterError("head_rows 'coco_to_cityscapes' draws rows: give a generator")
    own = model.state_dict()
    remapped = remap_heads(own, weights, generator)
    copied = {
        name: weights[name]
        for name, tensor in own.items()
        if name not in remapped and name in weights and weights[name].shape == tensor.shape
    }
    new = copied | remapped
    load_weights(model, own | new)
    return InitialReport(
        copied=tuple(copied),
        remapped=tuple(remapped),
        random=tuple(name for name in own if name not in new),
        unused=tuple(name for name in weights if name not in new),
    )
