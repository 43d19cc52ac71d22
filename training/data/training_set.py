# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The samples of a training run."""

from typing import Any

from torch.utils.data import Dataset

from training.data.augmentation import make_crop, make_sample
from training.data.draws import sample_seed, short_side, variation_generator
from training.data.errors import DataError
from training.data.frames import Frame, FrameReader, size_mismatch
from training.data.sample import Sample
from training.data.sharded_batches import Key
from training.data.variation import Variation
from training.recipe.data import DataRecipe
from upsnet_ros.core.labels import LabelSet


class TrainingSet(Dataset):
    """Samples of a list of frames; index ``2 * i + 1`` is the mirror image of frame i.

    Args:
        reader: Reads the frames.
        frames: What to train on.
        label_set: Classes.
        recipe: Sizes, and whether squares are cut out.
        draw_polygons: Whether the samples have the objects' outlines.
        seed: Seed of the run.

    Raises:
        DataError: If there are no frames.
    """

    def __init__(
        self,
        reader: FrameReader,
        frames: list[Frame],
        label_set: LabelSet,
        *,
        recipe: DataRecipe,
        draw_polygons: bool,
        seed: int,
    ) -> None:
        if not frames:
            raise DataError('no frames to train on; check the data set and its label set')
        self.reader = reader
        self.frames = frames
        self.label_set = label_set
        self.recipe = recipe
        self.draw_polygons = draw_polygons
        self.seed = seed

    def __len__(self) -> int:
        return 2 * len(self.frames)

    def frame_of(self, index: int) -> Frame:
        """The frame that a sample is made of."""
        return self.frames[index // 2]

    def __getitem__(self, key: Key) -> Sample:
        """The sample of an index, with the size of its step and the choices of its position.

        Raises:
            UpsnetError: If a file cannot be used; names it.
        """
        index, step, position = key
        frame, values = self.frame_of(index), self.recipe
        image = self.reader.read_image(frame)
        labels = self.reader.read_label_image(frame)
        if labels.shape != image.shape[:2]:
            raise DataError(size_mismatch(frame, image.shape[:2], labels.shape))
        side = short_side(
            self.seed, step, values.train_short_sides, choice=values.short_side_choice
        )
        seed = sample_seed(self.seed, position)
        variation = Variation(values.augmentation, variation_generator(seed))
        window = variation.window(
            labels.shape, short_side=side, max_long_side=values.max_long_side
        )
        place = window.rows, window.columns
        image, labels = variation.hide(image[place], labels[place])
        options: dict[str, Any] = {
            'scale': window.scale,
            'flip': bool(index % 2),
            'alter': variation.alter,
            'seed': seed,
        }
        if values.train_crop:
            return make_crop(frame.name, image, labels, side=values.train_crop, **options)
        return make_sample(
            frame.name,
            image,
            labels,
            num_stuff=self.label_set.num_stuff,
            draw_polygons=self.draw_polygons,
            **options,
        )
