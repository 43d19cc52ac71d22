# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The error of what does not fit into memory, with what would make it fit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ModelError


class MemoryExhausted(ModelError):
    """A step or an image needs more memory than the device has; says what to lower."""


@contextmanager
def memory_guard(recipe: Recipe, *, images: int, device: torch.device) -> Iterator[None]:
    """Turn an allocation that fails in a step into a :class:`MemoryExhausted`.

    Args:
        recipe: The run's recipe.
        images: Images that are in memory at once on this device.
        device: Where they are.
    """
    with _guard(lambda: _advice(recipe, images, device)):
        yield


@contextmanager
def validation_memory_guard(recipe: Recipe, *, device: torch.device) -> Iterator[None]:
    """Turn an allocation that fails in a validation into a :class:`MemoryExhausted`."""
    data = recipe.data
    with _guard(
        lambda: (
            f'a validation at data.test_short_side {data.test_short_side} does not fit into the '
            f'memory of {device} beside the training; go on from the last checkpoint with --set '
            'monitoring.validate_every=0 --set monitoring.picture_every=0 and measure checkpoints '
            'with training.evaluate. Nothing saved is lost'
        )
    ):
        yield


@contextmanager
def image_memory_guard(image_size: tuple[int, int], *, device: torch.device) -> Iterator[None]:
    """Turn an allocation that fails while an image is labelled into a :class:`MemoryExhausted`.

    Args:
        image_size: Its height and width in pixels.
        device: Of the network.
    """
    height, width = image_size
    with _guard(
        lambda: (
            f'an image of {width}x{height} pixels does not fit into the memory of {device}; give '
            'a smaller --short-side and --max-long-side, end what else uses that memory, or take '
            'a device with more (--device cpu)'
        )
    ):
        yield


@contextmanager
def _guard(advice: Callable[[], str]) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_out_of_memory(error):
            raise
        raise MemoryExhausted(advice()) from error


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or 'out of memory' in text
        or "can't allocate memory" in text
    )


def _advice(recipe: Recipe, images: int, device: torch.device) -> str:
    values = recipe.optimisation
    same, other = [], []  # ways with which the run may go on, or must begin anew
    if images > 1:
        parts = values.accumulation_steps * images
        same.append(f'--set optimisation.accumulation_steps={parts} (one image at a time)')
    if not values.gradient_checkpointing:
        same.append('--set optimisation.gradient_checkpointing=true (about a third more time)')
    if values.precision == 'float32':
        other.append('--set optimisation.precision=bfloat16')
    sides = list(recipe.data.train_short_sides)
    other.append(f'lower data.train_short_sides (now {sides}) and data.max_long_side')
    ways = [f'going on from the last checkpoint: {"; ".join(same)}'] if same else []
    ways.append(f'in a new --output, for it changes what is learned: {"; ".join(other)}')
    return (
        f'a step with {images} image{"s" if images > 1 else ""} at once does not fit into the '
        f'memory of {device}; in this order try, {"; then, ".join(ways)}. Nothing saved is lost'
    )
