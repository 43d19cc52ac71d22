# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Recipe of what is written and measured while training."""

from dataclasses import dataclass

from training.recipe.errors import require


@dataclass(frozen=True, kw_only=True)
class MonitoringRecipe:
    """What is written and measured while training, all in steps."""

    save_every: int  # steps between checkpoints
    validate_every: int = 0  # steps between validations; 0 = never
    validation_images: int = 0  # of data.validation_split; 0 = all
    picture_every: int = 0  # steps between pictures in the TensorBoard log; 0 = never

    def __post_init__(self) -> None:
        require(self.save_every > 0, 'monitoring.save_every', self.save_every, 'at least 1')
        for key in ('validate_every', 'validation_images', 'picture_every'):
            value = getattr(self, key)
            require(value >= 0, f'monitoring.{key}', value, '0 or more')
