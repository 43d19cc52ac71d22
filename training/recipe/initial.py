# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the weights that training starts from."""

from dataclasses import dataclass

from training.recipe.errors import require, require_choice


@dataclass(frozen=True, kw_only=True)
class InitialRecipe:
    """Weights to start from."""

    weights: str  # 'none', 'caffe' (published), 'torchvision', or 'checkpoint' of ours
    head_rows: str = 'same'  # of a checkpoint: or 'coco_to_cityscapes' classes (published)

    def __post_init__(self) -> None:
        choices = ('none', 'caffe', 'torchvision', 'checkpoint')
        require_choice('initial.weights', self.weights, choices)
        require_choice('initial.head_rows', self.head_rows, ('same', 'coco_to_cityscapes'))
        require(
            self.head_rows == 'same' or self.weights == 'checkpoint',
            'initial.head_rows',
            self.head_rows,
            "'same', because initial.weights is not 'checkpoint'",
        )
