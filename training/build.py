# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The one seam between recipes and code: builds objects from a recipe's values."""

import torch

from training.checkpoint import Checkpoint, load_weights
from training.losses.criterion import Criterion, LossWeights, TargetChoices
from training.losses.semantic_criterion import SemanticCriterion
from training.models.box_head import BoxHead
from training.models.fpn import FeaturePyramid
from training.models.mask_head import MaskHead
from training.models.pspnet import PSPNet
from training.models.resnet import ResNet
from training.models.rpn import RegionProposalHead
from training.models.semantic_head import SemanticHead
from training.models.upsnet import ProposalLimits, UPSNet
from training.optimisation import Schedule, build_optimiser
from training.recipe.model import ModelRecipe, PspNetRecipe
from training.recipe.recipe import Recipe


def build_model(recipe: Recipe) -> UPSNet | PSPNet:
    """The recipe's network with random weights."""
    if isinstance(recipe.model, PspNetRecipe):
        return _build_pspnet(recipe, recipe.model)
    return _build_upsnet(recipe, recipe.model)


def _build_upsnet(recipe: Recipe, values: ModelRecipe) -> UPSNet:
    labels = recipe.data.label_set
    backbone = _build_backbone(recipe, dilated=False, deformable_stages=values.deformable_stages)
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
            in_channels=channels,
            channels=values.box_channels,
            num_classes=labels.num_things + 1,
            temperature=values.class_temperature,
        ),
        mask_head=MaskHead(
            in_channels=channels,
            channels=values.mask_channels,
            num_layers=values.mask_layers,
            num_classes=labels.num_things + 1,
        ),
        semantic_head=_build_semantic_head(values, num_classes=labels.num_classes),
        num_stuff=labels.num_stuff,
        num_things=labels.num_things,
        pixels=values.pixels,
        anchor_scale=values.anchor_scale,
        canonical_size=values.canonical_size,
        train_proposals=ProposalLimits(recipe.losses.train_pre_nms, recipe.losses.train_post_nms),
        test_proposals=ProposalLimits(values.test_pre_nms, values.test_post_nms),
        test_candidates=values.test_candidates,
    )


def _build_semantic_head(values: ModelRecipe, *, num_classes: int) -> SemanticHead | None:
    if not values.semantic_channels:
        return None
    return SemanticHead(
        in_channels=values.fpn_channels,
        channels=values.semantic_channels,
        num_classes=num_classes,
    )


def _build_pspnet(recipe: Recipe, values: PspNetRecipe) -> PSPNet:
    labels = recipe.data.label_set
    return PSPNet(
        backbone=_build_backbone(recipe, dilated=True, deformable_stages=()),
        pyramid_bins=values.pyramid_bins,
        pyramid_channels=values.pyramid_channels,
        dropout=values.dropout,
        num_classes=labels.num_classes,
        num_stuff=labels.num_stuff,
        num_things=labels.num_things,
        pixels=values.pixels,
        normalisation=values.normalisation,
    )


def _build_backbone(
    recipe: Recipe, *, dilated: bool, deformable_stages: tuple[int, ...]
) -> ResNet:
    values = recipe.model
    return ResNet(
        blocks=values.blocks,
        width=values.width,
        stride_in=values.stride_in,
        normalisation=values.normalisation,
        frozen_stages=values.frozen_stages,
        deformable_stages=deformable_stages,
        dilated=dilated,
        checkpoint_gradients=recipe.optimisation.gradient_checkpointing,
    )


def build_criterion(recipe: Recipe) -> Criterion | SemanticCriterion:
    """The recipe's losses."""
    values = recipe.losses
    if isinstance(recipe.model, PspNetRecipe):
        return SemanticCriterion(weight=values.semantic, auxiliary=values.auxiliary)
    return Criterion(
        LossWeights(values.semantic, values.semantic_roi, values.panoptic),
        TargetChoices(
            rois_per_image=values.rois_per_image,
            foreground_rois=values.foreground_rois,
            keep_share=values.keep_share,
            predict_unknown=values.predict_unknown,
            full_resolution_semantic=values.full_resolution_semantic,
            crop_features=values.semantic_roi_crop == 'features',
            draw_polygons=values.mask_targets == 'polygon',
            match_crowds=values.crowd_regions == 'match',
        ),
    )


def build_schedule(recipe: Recipe) -> Schedule:
    """The recipe's learning rates; rate and length follow the images per step."""
    values = recipe.optimisation
    return Schedule(
        rate=values.rate,
        steps=values.steps,
        warmup=values.warmup_iterations,
        shape=values.schedule,
        decay_at=tuple(values.in_steps(point) for point in values.decay_at),
    )


def build_recipe_optimiser(recipe: Recipe, model: torch.nn.Module) -> torch.optim.Optimizer:
    """The recipe's optimiser."""
    values = recipe.optimisation
    return build_optimiser(
        model,
        kind=values.optimiser,
        momentum=values.momentum,
        weight_decay=values.weight_decay,
        bias_multiplier=values.bias_multiplier,
    )


def load_trained_model(checkpoint: Checkpoint) -> UPSNet | PSPNet:
    """A checkpoint's network in evaluation mode, with its averaged weights if there are some.

    Raises:
        ModelError: If the weights do not fit the checkpoint's own recipe.
    """
    model = build_model(checkpoint.recipe)
    load_weights(model, checkpoint.best_weights)
    return model.eval()
