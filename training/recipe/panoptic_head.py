# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the panoptic head at inference."""

from dataclasses import dataclass
from typing import Any, Literal

from training.recipe.errors import require, require_choice
from upsnet_ros.core.labelling import LABEL_RESOLUTIONS


@dataclass(frozen=True, kw_only=True)
class PanopticHeadRecipe:
    """How the two heads' outputs become one label per pixel."""

    # 'unified': the paper's panoptic head; 'heuristic': merge of Kirillov et al.
    kind: Literal['unified', 'heuristic']
    score_threshold: float
    mask_overlap_threshold: float
    stuff_area_limit: int  # pixels of the camera image
    predict_unknown: bool = False  # the unknown channel
    # 'majority': the paper's rule; 'detection': the box head's class
    instance_class: Literal['majority', 'detection']
    label_resolution: str  # 'input_frame' (published) or 'image'

    def __post_init__(self) -> None:
        for key in ('score_threshold', 'mask_overlap_threshold'):
            value = getattr(self, key)
            require(0 <= value <= 1, f'panoptic_head.{key}', value, '0 to 1')
        limit = self.stuff_area_limit
        require(limit >= 0, 'panoptic_head.stuff_area_limit', limit, '0 or more pixels')
        resolution = self.label_resolution
        require_choice('panoptic_head.label_resolution', resolution, LABEL_RESOLUTIONS)

    def parameters(self) -> dict[str, Any]:
        """Keyword arguments of ``upsnet_ros.core.panoptic_head.PanopticHead``."""
        return {name: value for name, value in vars(self).items() if name != 'kind'}
