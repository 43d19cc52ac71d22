# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tiny data set and a tiny recipe that the training tests share."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from tests.fakes.small_networks import lively_model, make_checkpoint, make_small_recipe
from tests.fakes.town import write_frame
from training.checkpoint import save_checkpoint
from training.recipe.recipe import Recipe

# The networks are so small that threads wait for each other longer than they compute; processes
# that tests start inherit it.
torch.set_num_threads(1)
os.environ['OMP_NUM_THREADS'] = '1'


@pytest.fixture(scope='session')
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data set of three training frames and two validation frames of 160x96 pixels."""
    root = tmp_path_factory.mktemp('town')
    for index in range(3):
        write_frame(root, 'train', index, size=(96, 160))
    for index in range(3, 5):
        write_frame(root, 'val', index, size=(96, 160))
    return root


@pytest.fixture
def data(town: Path, tmp_path: Path) -> Path:
    """A copy of the tiny data set that a test may spoil."""
    return Path(shutil.copytree(town, tmp_path / 'data'))


@pytest.fixture(scope='session')
def small_recipe() -> Recipe:
    """See :func:`tests.fakes.small_networks.make_small_recipe`."""
    return make_small_recipe()


@pytest.fixture(scope='session')
def checkpoint(small_recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of the network that :func:`lively_model` makes of the small recipe."""
    path = tmp_path_factory.mktemp('checkpoint') / 'upsnet.pt'
    save_checkpoint(make_checkpoint(small_recipe, lively_model(small_recipe)), path)
    return path
