# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of the weights that training starts from."""

from dataclasses import dataclass, field
from typing import Literal

from training.recipe.errors import require


@dataclass(frozen=True, kw_only=True)
class InitialRecipe:
    """Weights to start from."""

    # 'caffe': published; 'checkpoint': of ours
    weights: Literal['none', 'caffe', 'torchvision', 'checkpoint']
    # Of a checkpoint: of the same classes, or of others, each class taking its namesake's.
    head_rows: Literal['same', 'by_name'] = 'same'
    # For by_name: class of data.label_set: class of the checkpoint, where the names differ.
    renamed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(
            self.head_rows == 'same' or self.weights == 'checkpoint',
            'initial.head_rows',
            self.head_rows,
            "'same', because initial.weights is not 'checkpoint'",
        )
        require(
            not self.renamed or self.head_rows == 'by_name',
            'initial.renamed',
            self.renamed,
            "no names, because initial.head_rows is not 'by_name'",
        )
