# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weights of another network of ours, for fine-tuning."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.checkpoint import load_weights
from training.initial.head_rows import ClassMatch, remap_heads
from training.official_names import COUNTER
from upsnet_ros.core.errors import ParameterError


@dataclass(frozen=True)
class InitialReport:
    """Where a network's tensors come from, by name.

    Attributes:
        copied: Taken over as they were.
        remapped: Rows of heads, taken over class by class.
        random: Not in the other network, or of another shape there; left as they were.
        unused: Of the other network, not in this one, or of another shape here.
        classes: Whose rows went where; None where the classes are the same.
    """

    copied: tuple[str, ...]
    remapped: tuple[str, ...]
    random: tuple[str, ...]
    unused: tuple[str, ...]
    classes: ClassMatch | None = None

    def __str__(self) -> str:
        parts = [f'{len(self.copied)} tensors copied']
        for words, names in (
            ('remapped', self.remapped),
            ('left at random weights', self.random),
            ('of the other network unused', self.unused),
        ):
            if names:
                parts.append(f'{len(names)} {words} ({", ".join(names)})')
        tensors = '; '.join(parts)
        return f'{self.classes}\n{tensors}' if self.classes else tensors


def load_other_model(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    classes: ClassMatch | None,
    *,
    generator: torch.Generator | None = None,
) -> InitialReport:
    """Load the weights of another network.

    Args:
        model: Network to fine-tune; changed in place.
        weights: State dict of the other one.
        classes: None: they are the same, and everything must fit. Otherwise all that fits by name
            and shape is copied, and the rows of the heads follow their classes.
        generator: Draws the rows of classes that are new; needed with ``classes``.

    Raises:
        ModelError: If a name or a shape does not fit.
        ParameterError: If there is no generator and one is needed.
    """
    if classes is None:
        load_weights(model, dict(weights))
        return InitialReport(tuple(weights), (), (), ())
    if generator is None:
        raise ParameterError('rows of new classes are drawn: give a generator')
    own = model.state_dict()
    remapped = remap_heads(own, weights, classes, generator)
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
        random=tuple(name for name in own if name not in new and not name.endswith(COUNTER)),
        unused=tuple(name for name in weights if name not in new and not name.endswith(COUNTER)),
        classes=classes,
    )
