# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the losses and their targets."""

from dataclasses import dataclass
from typing import Literal

from training.recipe.errors import detail, require


@dataclass(frozen=True, kw_only=True)
class LossRecipe:
    """Loss weights, targets and sampling."""

    semantic: float  # weight; those of the RPN, box and mask losses are 1
    semantic_roi: float = 0.0  # weight of the semantic loss inside true boxes (the RoI loss)
    panoptic: float  # weight; 0 = trained without panoptic head (UPSNet-C)
    auxiliary: float = 0.0  # weight of PSPNet's second classifier; 0.4 in PSPNet, 0 for others
    predict_unknown: bool = False  # true: a share of the instances is taught as unknown
    # Instances that stay known in the panoptic loss; 0.7 in the paper.
    keep_share: float = detail('predict_unknown', unused=1.0)
    # true: published; false: the paper's text (1/4)
    full_resolution_semantic: bool = detail('semantic', unused=True)
    # 'features': published; 'logits': the paper's text
    semantic_roi_crop: Literal['features', 'logits'] = detail('semantic_roi', unused='features')
    # 'polygon': outlines drawn at 28x28 (published); 'pixel': sampled
    mask_targets: Literal['polygon', 'pixel']
    # 'match': proposals on crowds are positives (published)
    crowd_regions: Literal['match', 'ignore']
    rois_per_image: int
    foreground_rois: int
    train_pre_nms: int
    train_post_nms: int

    def __post_init__(self) -> None:
        for key in ('semantic', 'semantic_roi', 'panoptic', 'auxiliary'):
            require(getattr(self, key) >= 0, f'losses.{key}', getattr(self, key), '0 or more')
        require(0 < self.keep_share <= 1, 'losses.keep_share', self.keep_share, '0 < x <= 1')
        require(
            self.predict_unknown or self.keep_share == 1,
            'losses.keep_share',
            self.keep_share,
            '1, because losses.predict_unknown is false',
        )
        for key in ('foreground_rois', 'train_pre_nms', 'train_post_nms'):
            require(getattr(self, key) > 0, f'losses.{key}', getattr(self, key), 'at least 1')
        require(
            self.foreground_rois <= self.rois_per_image,
            'losses.foreground_rois',
            self.foreground_rois,
            'at most losses.rois_per_image',
        )
