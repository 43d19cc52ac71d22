# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The demo model's recipe on a small input, with few and narrow layers."""

from pathlib import Path

import yaml

from training.recipe.reading import recipe_from_dict
from training.recipe.recipe import Recipe

TINY = Path(__file__).parents[2] / 'config' / 'training' / 'upsnet_tiny_synthetic.yaml'


def make_small_recipe() -> Recipe:
    """The tiny recipe on a 160x96 input, with a few iterations in single precision."""
    values = yaml.safe_load(TINY.read_text())
    values['data'] |= {
        'train_short_sides': [96],
        'max_long_side': 160,
        'test_short_side': 96,
        'test_max_long_side': 160,
        'input_height': 96,
        'input_width': 160,
    }
    values['model'] |= {'blocks': [1, 1, 1, 1], 'width': 8, 'fpn_channels': 16, 'box_channels': 32}
    values['losses'] |= {'rois_per_image': 16, 'foreground_rois': 8}
    values['optimisation'] |= {
        'iterations': 4,
        'warmup_iterations': 1,
        'batch_size': 2,
        'reference_batch_size': 2,
        'precision': 'float32',
    }
    values['monitoring'] = {'save_every': 200}
    return recipe_from_dict(values)
