# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the network: UPSNet, Mask R-CNN alone, or PSPNet."""

from dataclasses import dataclass
from typing import Literal

from training.recipe.errors import require
from upsnet_ros.core.structures import CANDIDATE_SLOTS

MAX_TOP_K = 3840  # TensorRT's limit

StridePlacement = Literal['1x1', '3x3']
PixelFormat = Literal['caffe', 'torchvision']
Normalisation = Literal['frozen', 'batch', 'synchronised']


@dataclass(frozen=True, kw_only=True)
class ModelRecipe:
    """UPSNet, or its instance half alone (``mask_rcnn``)."""

    # 'mask_rcnn': no semantic head, for the combined baseline
    network: Literal['upsnet', 'mask_rcnn']
    blocks: tuple[int, ...]  # residual blocks of res2..res5
    width: int  # channels of the stem
    # '1x1': Caffe/MSRA (published); '3x3': torchvision's ImageNet weights
    stride_in: StridePlacement
    # 'caffe': BGR minus means (published); 'torchvision': RGB, mean and deviation
    pixels: PixelFormat
    normalisation: Normalisation  # 'frozen': published; 'synchronised': over all devices
    frozen_stages: int  # 2: stem and res2 are never trained (published); 0: everything is
    deformable_stages: tuple[int, ...] = ()  # backbone stages with deformable 3x3 convolutions
    fpn_channels: int
    fpn_global_average: bool = False  # average of res5 added to P5 (published COCO models)
    rpn_channels: int
    anchor_scale: float  # anchor side over stride; 8 in the published models
    canonical_size: float  # side in pixels of a box that belongs to P4; 224 published
    box_channels: int
    mask_channels: int
    mask_layers: int
    semantic_channels: tuple[int, ...] = ()  # widths of the deformable layers; none: mask_rcnn
    test_pre_nms: int
    test_post_nms: int
    test_candidates: int  # most candidates of the panoptic head; 100 published and at most
    class_temperature: float = 1.0  # divides the box head's logits at inference; 1: published

    def __post_init__(self) -> None:
        check_backbone(self)
        require(
            set(self.deformable_stages) <= {3, 4, 5},
            'model.deformable_stages',
            self.deformable_stages,
            'a subset of 3, 4, 5',
        )
        require(
            self.stride_in == '1x1' or not self.deformable_stages,
            'model.deformable_stages',
            self.deformable_stages,
            f"an empty list, because model.stride_in is '{self.stride_in}'",
        )
        has_semantic_head = bool(self.semantic_channels) and min(self.semantic_channels) > 0
        wanted = 'an empty list' if self.network == 'mask_rcnn' else 'the width of every layer'
        require(
            has_semantic_head == (self.network == 'upsnet'),
            'model.semantic_channels',
            self.semantic_channels,
            f"{wanted}, because model.network is '{self.network}'",
        )
        for key in ('test_pre_nms', 'test_post_nms'):
            value = getattr(self, key)
            limits = f"1 to {MAX_TOP_K}, TensorRT's top-k"
            require(1 <= value <= MAX_TOP_K, f'model.{key}', value, limits)
        require(
            1 <= self.test_candidates <= min(CANDIDATE_SLOTS, self.test_post_nms),
            'model.test_candidates',
            self.test_candidates,
            f'1 to {CANDIDATE_SLOTS}, and at most model.test_post_nms ({self.test_post_nms})',
        )
        for key in ('fpn_channels', 'rpn_channels', 'box_channels', 'mask_channels'):
            require(getattr(self, key) > 0, f'model.{key}', getattr(self, key), 'at least 1')
        require(self.mask_layers >= 0, 'model.mask_layers', self.mask_layers, '0 or more')
        require(self.anchor_scale > 0, 'model.anchor_scale', self.anchor_scale, 'above 0')
        value = self.class_temperature
        require(value > 0, 'model.class_temperature', value, 'above 0')
        require(self.canonical_size > 0, 'model.canonical_size', self.canonical_size, 'above 0')


@dataclass(frozen=True, kw_only=True)
class PspNetRecipe:
    """PSPNet (Zhao et al. 2017): the semantic half of the combined baseline MR-CNN-PSP."""

    network: Literal['pspnet']
    blocks: tuple[int, ...]  # residual blocks of res2..res5; res4 and res5 are dilated
    width: int  # channels of the stem
    stride_in: StridePlacement  # as in UPSNet
    pixels: PixelFormat  # as in UPSNet
    normalisation: Normalisation  # as in UPSNet
    frozen_stages: int
    pyramid_bins: tuple[int, ...]  # sides of the pooled maps; 1, 2, 3, 6 in PSPNet
    pyramid_channels: int  # of each pooled branch and of the final 3x3; 512 in PSPNet
    dropout: float = 0.0  # before the classifiers; 0.1 in PSPNet

    def __post_init__(self) -> None:
        check_backbone(self)
        bins = self.pyramid_bins
        require(min(bins, default=0) > 0, 'model.pyramid_bins', bins, 'sides of at least 1')
        value = self.pyramid_channels
        require(value > 0, 'model.pyramid_channels', value, 'at least 1')
        require(0 <= self.dropout < 1, 'model.dropout', self.dropout, '0 <= x < 1')


NETWORKS = {'upsnet': ModelRecipe, 'mask_rcnn': ModelRecipe, 'pspnet': PspNetRecipe}


def check_backbone(values: ModelRecipe | PspNetRecipe) -> None:
    """Raise RecipeError unless the keys of the ResNet fit together."""
    blocks = values.blocks
    good = len(blocks) == 4 and min(blocks) > 0
    require(good, 'model.blocks', blocks, 'four numbers from 1 up, res2..res5')
    require(values.width > 0, 'model.width', values.width, 'at least 1')
    frozen = values.frozen_stages
    require(0 <= frozen <= 5, 'model.frozen_stages', frozen, '0 to 5')
