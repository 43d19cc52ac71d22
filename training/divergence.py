# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The error of a training run whose numbers are not finite any more."""

from upsnet_ros.core.errors import UpsnetError


class TrainingDiverged(UpsnetError):
    """A feature, a loss or a gradient is not a finite number; says which, where and for what.

    Args:
        what: What is not finite.
        images: Names of the images of the batch.
    """

    def __init__(self, what: str, images: list[str]) -> None:
        super().__init__(
            f'{what} (images {", ".join(images)}); lower optimisation.learning_rate or lengthen '
            'the warm-up, then go on from the last checkpoint'
        )
