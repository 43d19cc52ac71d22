# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The other networks of the combined baseline, as small as the small UPSNet."""

from pathlib import Path
from typing import Any

import yaml

from tests.fakes.small_recipe import make_small_recipe
from training.recipe.reading import recipe_from_dict
from training.recipe.recipe import Recipe

PSPNET = Path(__file__).parents[2] / 'config' / 'training' / 'ablation_pspnet.yaml'


def make_mask_rcnn_recipe() -> Recipe:
    """The instance half of the small UPSNet."""
    values = make_small_recipe().to_dict()
    values['model'] |= {'network': 'mask_rcnn', 'semantic_channels': []}
    values['losses'] |= {'semantic': 0.0, 'semantic_roi': 0.0, 'panoptic': 0.0}
    values['losses'] |= {'predict_unknown': False, 'keep_share': 1.0}
    values['panoptic_head'] |= {'kind': 'heuristic'}
    return recipe_from_dict(values)


def make_pspnet_recipe(**data: Any) -> Recipe:
    """A PSPNet on the small UPSNet's images; keyword arguments replace keys of ``data``."""
    values = yaml.safe_load(PSPNET.read_text())
    small = make_small_recipe().to_dict()
    values['data'] = small['data'] | data
    values['optimisation'] = small['optimisation']
    values['monitoring'] = small['monitoring']
    values['model'] |= {'blocks': [1, 1, 1, 1], 'width': 8, 'pyramid_channels': 8}
    return recipe_from_dict(values)
