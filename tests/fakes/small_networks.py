# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Small networks: recipes of the combined baseline on a small input, and lively random weights."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn

from training.build import build_model
from training.checkpoint import Checkpoint
from training.models.pixels import PixelNormalisation
from training.models.pspnet import PSPNet
from training.models.upsnet import UPSNet
from training.recipe.reading import recipe_from_dict
from training.recipe.recipe import Recipe

RECIPES = Path(__file__).parents[2] / 'config' / 'training'
SIZE = (96, 160)  # of the small recipe's input


def make_small_recipe() -> Recipe:
    """The tiny recipe on a 160x96 input, with a few iterations in single precision."""
    values = yaml.safe_load((RECIPES / 'upsnet_tiny_synthetic.yaml').read_text())
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
    values = yaml.safe_load((RECIPES / 'ablation_pspnet.yaml').read_text())
    small = make_small_recipe().to_dict()
    values['data'] = small['data'] | data
    values['optimisation'] = small['optimisation']
    values['monitoring'] = small['monitoring']
    values['model'] |= {'blocks': [1, 1, 1, 1], 'width': 8, 'pyramid_channels': 8}
    return recipe_from_dict(values)


def lively_model(recipe: Recipe, *, seed: int = 0) -> UPSNet:
    """Random weights, scaled so that candidates are confident and varied but not saturated."""
    torch.manual_seed(seed)
    model = build_model(recipe).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.normal_(std=0.1)
                module.running_var.uniform_(0.5, 2.0)
        for conv in model.semantic_head.convs:
            conv.offset.weight.normal_(std=0.01)
        image = torch.from_numpy(smooth_image(seed)).permute(2, 0, 1).float() - 110
        output = model.pyramid_output(image[None])
        scale_layer(model.rpn.objectness, torch.cat(output.rpn_logits, dim=1), spread=3.0)
        logits, deltas = model.box_outputs(output.levels, model.proposals(output, [SIZE]))
        scale_layer(model.box_head.class_logits, logits, spread=3.0)
        scale_layer(model.box_head.box_deltas, deltas, spread=0.5)
        scale_layer(model.semantic_head.score, model.semantic_head(output.levels[:4]), spread=3.0)
    return model


def scale_layer(layer: torch.nn.Module, values: torch.Tensor, *, spread: float) -> None:
    layer.weight.mul_(spread / values.std())


def smooth_image(seed: int) -> np.ndarray:
    """Random colours that vary slowly, like an image; uint8 [96, 160, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def make_checkpoint(recipe: Recipe, model: UPSNet) -> Checkpoint:
    return replace(Checkpoint.from_weights(recipe, model.state_dict()), step=4, seconds=1.0)


class CellNetwork(PSPNet):
    """To be computed by hand: logit c of a cell is the mean of channel c over its 4x4 pixels."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.normalise = PixelNormalisation('caffe')
        self.num_stuff, self.num_things = 2, 1
        self.nothing = nn.Parameter(torch.zeros(1))
        self.seen: list[tuple[int, ...]] = []
        self.eval()

    def semantic_logits_quarter(self, images: Tensor) -> Tensor:
        """``[B, 3, H / 4, W / 4]``, and a note of the images' size."""
        self.seen.append(tuple(images.shape[2:]))
        return F.avg_pool2d(images, 4)
