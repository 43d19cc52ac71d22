# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one seam between recipes and code: builds objects from a recipe's values."""

import torch

from training.checkpoint import Checkpoint, load_weights
from training.recipe.recipe import Recipe
from training.losses.criterion import Criterion, LossWeights
from training.models.box_head import BoxHead
from training.models.fpn import FeaturePyramid
from training.models.mask_head import MaskHead
from training.models.resnet import ResNet
from training.models.rpn import RegionProposalHead
from training.models.semantic_head import SemanticHead
from training.models.upsnet import ProposalLimits, UPSNet
from training.optimisation import Schedule, build_optimiser



def build_model(recipe: Recipe) -> UPSNet:
    """The recipe's network with random weights."""
    values = recipe.model
    labels = recipe.data.label_set
    backbone = ResNet(
        blocks=values.blocks,
        width=values.width,
        normalisation=values.normalisation,
        frozen_stages=values.frozen_stages,
        deformable_stages=values.deformable_stages,
    )
    channels = values.fpn_channels
    return UPSNet(
        backbone=backbone,
        pyramid=FeaturePyramid(
            in_channels=backbone.out_channels,
            channels=channels,
            global_average=values.fpn_global_average,
        ),
        rpn=RegionProposalHead(in_channels=channels, channels=values.rpn_channels),
        box_head=BoxHead(
            in_channels=channels, channels=values.box_channels, num_classes=labels.num_things + 1
        ),
        mask_head=MaskHead(
            in_channels=channels,
            channels=values.mask_channels,
            num_layers=values.mask_layers,
            num_classes=labels.num_things + 1,
        ),
        semantic_head=SemanticHead(
            in_channels=channels,
            channels=values.semantic_channels,
            num_classes=labels.num_classes,
        ),
        num_stuff=labels.num_stuff,
        num_things=labels.num_things,
        anchor_scale=values.anchor_scale,
        canonical_size=values.canonical_size,
        train_proposals=ProposalLimits(recipe.losses.train_pre_nms, recipe.losses.train_post_nms),
        test_proposals=ProposalLimits(values.test_pre_nms, values.test_post_nms),
        test_candidates=values.test_candidates,
    )


def build_criterion(recipe: Recipe, generator: torch.Generator) -> Criterion:
    """The recipe's losses."""
    values = recipe.losses
    return Criterion(
        weights=LossWeights(values.semantic, values.semantic_roi, values.panoptic),
        rois_per_image=values.rois_per_image,
        foreground_rois=values.foreground_rois,
        keep_share=values.keep_share,
        full_resolution_semantic=values.full_resolution_semantic,
        generator=generator,
    )


def build_schedule(recipe: Recipe) -> Schedule:
    """The recipe's learning rates, scaled linearly with the images per step."""
    values = recipe.optimisation
    return Schedule(
        rate=values.learning_rate * values.batch_size / values.reference_batch_size,
        iterations=values.iterations,
        warmup=values.warmup_iterations,
        shape=values.schedule,
        decay_at=values.decay_at,
    )


def build_recipe_optimiser(recipe: Recipe, model: UPSNet) -> torch.optim.Optimizer:
    """The recipe's optimiser."""
    values = recipe.optimisation
    return build_optimiser(
        model,
        kind=values.optimiser,
        momentum=values.momentum,
        weight_decay=values.weight_decay,
        bias_multiplier=values.bias_multiplier,
    )


def load_trained_model(checkpoint: Checkpoint) -> UPSNet:
    """A checkpoint's network in evaluation mode, with its averaged weights if there are some.

    Raises:
        ModelError: If the weights do not fit the checkpoint's own recipe.
    """
    model = build_model(checkpoint.recipe)
    load_weights(model, checkpoint.best_weights)
    return model.eval()
