# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the weights that training starts from."""

from dataclasses import dataclass
from typing import Literal

from training.recipe.errors import require


@dataclass(frozen=True, kw_only=True)
class InitialRecipe:
    """Weights to start from."""

    # 'caffe': published; 'checkpoint': of ours
    weights: Literal['none', 'caffe', 'torchvision', 'checkpoint']
    # Of a checkpoint: of the same classes, or (published) moved to their Cityscapes namesakes.
    head_rows: Literal['same', 'coco_to_cityscapes'] = 'same'

    def __post_init__(self) -> None:
        require(
            self.head_rows == 'same' or self.weights == 'checkpoint',
            'initial.head_rows',
            self.head_rows,
            "'same', because initial.weights is not 'checkpoint'",
        )
