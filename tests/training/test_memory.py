# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What to do about a step that does not fit: what the run allows first, then what a new one."""

import re
from dataclasses import replace

import pytest
import torch

from training.memory import MemoryExhausted, memory_guard
from training.recipe.recipe import Recipe
from training.train import FREE_OPTIMISATION_KEYS

DEVICE = torch.device('cpu')


def advice(recipe: Recipe, *, images: int) -> str:
    with pytest.raises(MemoryExhausted) as caught:
        with memory_guard(recipe, images=images, device=DEVICE):
            raise MemoryError
    return str(caught.value)


def test_what_a_run_may_go_on_with_comes_first(small_recipe: Recipe) -> None:
    same, new = advice(small_recipe, images=2).split('in a new --output')
    assert 'going on from the last checkpoint' in same
    found = re.findall(r'--set optimisation\.(\w+)', same)
    assert tuple(found) == FREE_OPTIMISATION_KEYS
    assert 'optimisation.precision' in new
    assert 'data.train_short_sides (now [96])' in new


def test_only_what_can_still_be_lowered_is_named(small_recipe: Recipe) -> None:
    values = replace(small_recipe.optimisation, gradient_checkpointing=True, precision='bfloat16')
    text = advice(replace(small_recipe, optimisation=values), images=1)
    assert 'a step with 1 image at once' in text
    assert '--set' not in text and 'going on' not in text
    assert 'data.max_long_side' in text
