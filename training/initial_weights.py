# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The weights a recipe starts from, put into a new network."""

import logging
from pathlib import Path

import torch
import torch.distributed as dist

from training.checkpoint import load_checkpoint
from training.initial.backbones import load_caffe_backbone, load_torchvision_backbone
from training.initial.other_model import load_other_model
from training.models.pspnet import PSPNet
from training.models.upsnet import UPSNet
from training.recipe.errors import RecipeError, require
from training.recipe.recipe import Recipe

LOGGER = logging.getLogger(__name__)

FILES = {
    'caffe': 'a MSRA/Caffe ResNet (.pth)',
    'checkpoint': 'a checkpoint of ours (.pt)',
}


def initialise(model: UPSNet | PSPNet, recipe: Recipe, path: Path | None) -> None:
    """Give a new network the weights that its recipe asks for.

    Args:
        model: The recipe's network with random weights; changed in place.
        recipe: The run's recipe.
        path: File of the weights; None where the recipe needs none.

    Raises:
        RecipeError: If a file is missing, not wanted, or a checkpoint of another kind of network.
        ModelError: If the weights cannot be read or do not fit.
    """
    weights = recipe.initial.weights
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
            _load_checkpoint(model, recipe, path)
    if weights != 'none':
        _tell('initial weights: %s', path or "torchvision's")


def _load_checkpoint(model: UPSNet | PSPNet, recipe: Recipe, path: Path) -> None:
    checkpoint = load_checkpoint(path)
    _check_same_input(recipe, checkpoint.recipe, path)
    # The same rows on every process.
    generator = torch.Generator().manual_seed(recipe.optimisation.seed)
    report = load_other_model(
        model, checkpoint.best_weights, recipe.initial.head_rows, generator=generator
    )
    _tell('%s', report)


def _check_same_input(recipe: Recipe, other: Recipe, path: Path) -> None:
    """Refuse what has the same shapes and computes something else."""
    for key in ('stride_in', 'pixels'):
        wanted, found = getattr(recipe.model, key), getattr(other.model, key)
        expected = f'{found!r}, because the weights in {path} were trained with that'
        require(wanted == found, f'model.{key}', wanted, expected)
    if recipe.initial.head_rows == 'same':
        names, others = (
            [entry.name for entry in values.data.label_set.classes] for values in (recipe, other)
        )
        if names != others:
            _tell('the classes of %s have other names than data.label_set; check them', path)


def _tell(text: str, *values: object) -> None:
    if not dist.is_initialized() or dist.get_rank() == 0:
        LOGGER.info(text, *values)
