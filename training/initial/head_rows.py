# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Rows of a COCO network's heads for the classes of Cityscapes.

Source: facts of the published models, section 4 (what the published ResNet-101 for Cityscapes
started from).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from training.initial.weight_file import (
    InitialWeightsError,
    problem_of,
    refuse_problems,
)

# For every class of Cityscapes the class of COCO whose row it takes; None: COCO has no such class.
# Box classes: background first, things in the order of the label sets.
BOX_CLASSES = (0, 1, None, 3, 8, 6, 7, 4, 2)
# Semantic classes: Cityscapes' train ids, the 133 classes of COCO panoptic with stuff first.
SEMANTIC_CLASSES = (
    *(20, 43, 49, 51, 37, None, 62, None, 36, None, 39),  # road to sky
    *(53, None, 55, 60, 58, 59, 56, 54),  # person to bicycle
)
COCO_BOX_CLASSES, COCO_SEMANTIC_CLASSES = 81, 133


@dataclass(frozen=True)
class HeadLayer:
    """A layer whose rows belong to classes.

    Attributes:
        name: Of the layer in a network's state dict.
        classes: For every new class the old one, or None.
        old_classes: Classes of the old layer.
        rows: Rows of one class, one after another.
    """

    name: str
    classes: tuple[int | None, ...]
    old_classes: int
    rows: int = 1


HEAD_LAYERS = (
    HeadLayer('box_head.class_logits', BOX_CLASSES, COCO_BOX_CLASSES),
    HeadLayer('box_head.box_deltas', BOX_CLASSES, COCO_BOX_CLASSES, rows=4),
    HeadLayer('mask_head.logits', BOX_CLASSES, COCO_BOX_CLASSES),
    HeadLayer('semantic_head.score', SEMANTIC_CLASSES, COCO_SEMANTIC_CLASSES),
    HeadLayer('score', SEMANTIC_CLASSES, COCO_SEMANTIC_CLASSES),  # PSPNet's two
    HeadLayer('auxiliary_score', SEMANTIC_CLASSES, COCO_SEMANTIC_CLASSES),
)


def remap_rows(old: Tensor, layer: HeadLayer, generator: torch.Generator) -> Tensor:
    """Rows for the new classes.

    Args:
        old: ``[old_classes * rows, ...]``, weight or bias.
        layer: What becomes of which row.
        generator: Draws the rows of classes that are new, from a Gaussian with the mean and the
            standard deviation of the whole old tensor.

    Returns:
        ``[len(layer.classes) * rows, ...]``.
    """
    by_class = old.view(layer.old_classes, layer.rows, *old.shape[1:])
    mean, deviation = old.mean(), old.std(correction=0)
    new = []
    for source in layer.classes:
        if source is None:
            noise = torch.randn(by_class.shape[1:], generator=generator, dtype=old.dtype)
            new.append(mean + deviation * noise)
        else:
            new.append(by_class[source])
    return torch.cat(new)


def remap_heads(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Tensor]:
    """The tensors of a Cityscapes network's heads, from those of a COCO network.

    Args:
        own: State dict of the Cityscapes network.
        weights: State dict of the COCO network.
        generator: See :func:`remap_rows`.

    Raises:
        InitialWeightsError: If a layer is missing or has not the rows of these data sets.
    """
    heads = [
        (f'{layer.name}.{part}', layer) for layer in HEAD_LAYERS for part in ('weight', 'bias')
    ]
    present = [(name, layer) for name, layer in heads if name in own]
    if not present:
        raise InitialWeightsError('the network has no head whose rows belong to classes')
    problems = []
    for name, layer in present:
        columns = own[name].shape[1:]
        new = torch.empty(len(layer.classes) * layer.rows, *columns, device='meta')
        old = torch.empty(layer.old_classes * layer.rows, *columns, device='meta')
        for tensor, wanted, place in (
            (own[name], new, 'in the network, for Cityscapes'),
            (weights.get(name), old, 'in the checkpoint, for COCO'),
        ):
            problem = problem_of(tensor, wanted)
            problems += [f'{name}: {problem} {place}'] if problem else []
    refuse_problems(problems, "initial.head_rows 'coco_to_cityscapes' does not fit")
    return {name: remap_rows(weights[name], layer, generator) for name, layer in present}
