# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: everything needed to go on as if nothing had happened, written atomically."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import nn

from training.initial.weight_file import read_torch_file
from training.recipe.errors import RecipeError
from training.recipe.reading import recipe_from_dict
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ModelError

FORMAT_VERSION = 2


@dataclass
class Checkpoint:
    """State of a training run after ``step`` steps.

    All that is random in a run starts anew from the seed at every step, so no state of a
    generator is part of it.

    Attributes:
        recipe: The run's recipe.
        step: Steps done.
        model: Weights that are being trained.
        averaged: Averaged weights, or None; these are evaluated and exported.
        optimiser: State of the optimiser; empty for weights that were not trained here.
        scaler: State of the loss scaling of half precision; empty without.
        best_quality: Best panoptic quality of a validation so far [%]; -1 before the first.
        seconds: Time spent training so far.
    """

    recipe: Recipe
    step: int
    model: dict[str, torch.Tensor]
    averaged: dict[str, torch.Tensor] | None
    optimiser: dict[str, Any]
    scaler: dict[str, Any]
    best_quality: float
    seconds: float

    @classmethod
    def from_weights(cls, recipe: Recipe, weights: dict[str, torch.Tensor]) -> 'Checkpoint':
        """A checkpoint of weights that come from elsewhere, to evaluate, export or fine-tune."""
        return cls(recipe, 0, weights, None, {}, {}, -1.0, 0.0)

    @property
    def best_weights(self) -> dict[str, torch.Tensor]:
        """The averaged weights where there are some, the trained ones otherwise."""
        return self.averaged if self.averaged is not None else self.model


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write the file under another name first, so that a reader never sees half of it."""
    values = dict(vars(checkpoint), recipe=checkpoint.recipe.to_dict(), version=FORMAT_VERSION)
    temporary = path.with_suffix('.partial')
    try:
        with temporary.open('wb') as file:
            torch.save(values, file)
            file.flush()
            os.fsync(file.fileno())  # a machine that loses power keeps the old or the new one
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)  # of a full disk


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint without executing anything in it.

    Raises:
        ModelError: If the file is missing, damaged or of another format.
        RecipeError: If its recipe is of another version of the project.
    """
    if not path.is_file():
        raise ModelError(f'no checkpoint at {path}; give the .pt file that training wrote')
    read = read_torch_file(path, 'a checkpoint that training wrote')
    values: dict[str, Any] = read if isinstance(read, dict) else {}
    version = values.pop('version', None)
    if values and all(isinstance(value, torch.Tensor) for value in values.values()):
        raise ModelError(
            f'{path} holds bare weights, without the recipe and the names of their classes that a '
            'checkpoint of this project has; a published .pth file is converted by '
            '"python -m training.import_official"'
        )
    if version != FORMAT_VERSION:
        raise ModelError(
            f'{path}: checkpoint version {version}, expected {FORMAT_VERSION}; a published .pth '
            'file is converted by "python -m training.import_official"'
        )
    expected = {field.name for field in fields(Checkpoint)}
    if set(values) != expected:
        raise ModelError(
            f'{path}: checkpoint holds {sorted(values)}, expected {sorted(expected)}; '
            'the file is damaged or was not written by this project'
        )
    try:
        values['recipe'] = recipe_from_dict(values['recipe'])
    except RecipeError as error:
        raise RecipeError(
            f'{path} holds a recipe of another version of this project, or none: {error}'
        ) from error
    return Checkpoint(**values)


def load_weights(model: nn.Module, weights: dict[str, torch.Tensor]) -> None:
    """Load weights that must fit the model exactly.

    Raises:
        ModelError: If a name or a shape does not fit.
    """
    try:
        model.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(
            f'the weights belong to another network: {error}; give a checkpoint of this recipe'
        ) from error
