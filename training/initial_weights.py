# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The weights a recipe starts from, put into a new network."""

import logging
from pathlib import Path

import torch
import torch.distributed as dist

from training.checkpoint import load_checkpoint
from training.exported_model import load_exported_model
from training.initial.backbones import load_caffe_backbone, load_torchvision_backbone
from training.initial.head_rows import match_classes
from training.initial.other_model import load_other_model
from training.models.pspnet import PSPNet
from training.models.upsnet import UPSNet
from training.recipe.errors import RecipeError, require
from training.recipe.model import PspNetRecipe
from training.recipe.recipe import Recipe

LOGGER = logging.getLogger(__name__)

# What the weights were trained with, though any other value has the same shapes.
SAME_INPUT = ('stride_in', 'pixels')
# Sizes of what fine-tuning keeps: backbone, pyramid and heads.
SAME_SIZES = (
    *('blocks', 'width', 'fpn_channels', 'rpn_channels'),
    *('box_channels', 'mask_channels', 'mask_layers', 'pyramid_bins', 'pyramid_channels'),
)

FILES = {
    'caffe': 'a MSRA/Caffe ResNet (.pth)',
    'checkpoint': 'a checkpoint of ours (.pt) or an exported model (.onnx)',
}


def initialise(model: UPSNet | PSPNet, recipe: Recipe, path: Path | None) -> str | None:
    """Give a new network the weights that its recipe asks for.

    Args:
        model: The recipe's network with random weights; changed in place.
        recipe: The run's recipe.
        path: File of the weights; None where the recipe needs none.

    Returns:
        Where a checkpoint's classes and tensors went, as was told; None for other weights.

    Raises:
        RecipeError: If a file is missing, not wanted, or a checkpoint of another kind of network.
        ModelError: If the weights cannot be read or do not fit.
    """
    weights, report = recipe.initial.weights, None
    if weights == 'none':
        expected = f'another value, because there is a file of initial weights ({path})'
        require(path is None, 'initial.weights', weights, expected)
    elif weights == 'torchvision':
        load_torchvision_backbone(model.backbone, path)
    else:
        expected = f'{FILES[weights]} given with --initial'
        if path is None:
            raise RecipeError(
                f"recipe key 'initial.weights': got {weights!r}, expected {expected}"
            )
        if weights == 'caffe':
            load_caffe_backbone(model.backbone, path)
        else:
            report = _load_checkpoint(model, recipe, path)
    if weights != 'none':
        _tell('initial weights: %s', path or "torchvision's")
    if report:
        _tell('%s', report)
    return report


def _load_checkpoint(model: UPSNet | PSPNet, recipe: Recipe, path: Path) -> str:
    exported = path.suffix == '.onnx'
    checkpoint = load_exported_model(path) if exported else load_checkpoint(path)
    other, initial = checkpoint.recipe, recipe.initial
    for key in SAME_INPUT:
        wanted, found = getattr(recipe.model, key), getattr(other.model, key)
        expected = f'{found!r}, because the weights in {path} were trained with that'
        require(wanted == found, f'model.{key}', wanted, expected)
    if initial.head_rows == 'same':
        _check_same_classes(recipe, other, path)
        match = None
    else:
        _check_same_network(recipe, other, path)
        match = match_classes(recipe.data.label_set, other.data.label_set, initial.renamed)
    # The same rows on every process.
    generator = torch.Generator().manual_seed(recipe.optimisation.seed)
    return str(load_other_model(model, checkpoint.best_weights, match, generator=generator))


def _check_same_classes(recipe: Recipe, other: Recipe, path: Path) -> None:
    """Refuse other numbers of classes; tell of other names."""
    own, theirs = recipe.data.label_set, other.data.label_set
    numbers = [f'{s.num_stuff} stuff and {s.num_things} thing classes' for s in (own, theirs)]
    expected = (
        f"'by_name', because data.label_set '{own.name}' has {numbers[0]} and {path}, of "
        f"'{theirs.name}', has {numbers[1]}"
    )
    require(numbers[0] == numbers[1], 'initial.head_rows', 'same', expected)
    names = [[entry.name for entry in label_set.classes] for label_set in (own, theirs)]
    if names[0] != names[1]:
        _tell(
            'the classes of %s have other names than data.label_set; check them, or set '
            'initial.head_rows to by_name',
            path,
        )


def _check_same_network(recipe: Recipe, other: Recipe, path: Path) -> None:
    """Refuse a checkpoint of which not the whole network can be kept but for rows of classes.

    The layers of the semantic head may be others, as in the published fine-tuning; Mask R-CNN is
    an UPSNet without it.
    """
    own, theirs = recipe.model, other.model
    keys = [key for key in SAME_SIZES if hasattr(own, key)]
    if isinstance(own, PspNetRecipe) != isinstance(theirs, PspNetRecipe):
        keys = ['network']
    found = [
        f'model.{key} is {getattr(theirs, key)!r} there and {getattr(own, key)!r} here'
        for key in keys
        if getattr(theirs, key) != getattr(own, key)
    ]
    if found:
        raise RecipeError(
            f"{path} ('{other.name}') is of another network than the recipe: {', '.join(found)}; "
            'give the recipe the values of the checkpoint, or another checkpoint'
        )


def _tell(text: str, *values: object) -> None:
    if not dist.is_initialized() or dist.get_rank() == 0:
        LOGGER.info(text, *values)
