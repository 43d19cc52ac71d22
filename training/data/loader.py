# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches for training: shuffled epochs over images and their mirror images."""

from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from training.data.augmentation import make_sample, scale_factor
from training.data.cityscapes import Frame, read_image, read_label_image
from training.data.sample import IGNORE, Sample
from upsnet_ros.core.geometry import PAD_VALUE
from upsnet_ros.core.labels import LabelSet


class TrainingSet(Dataset):
    """Samples of a list of frames; index ``2 * i + 1`` is the mirror image of frame i.

    Args:
        frames: Files.
        label_set: Classes.
        short_sides: Sizes one of which is drawn per image, in pixels.
        max_long_side: Longest allowed long side in pixels.
        seed: Seed of the drawn sizes.
    """

    def __init__(
        self,
        frames: list[Frame],
        label_set: LabelSet,
        *,
        short_sides: tuple[int, ...],
        max_long_side: int,
        seed: int,
    ) -> None:
        self.frames = frames
        self.label_set = label_set
        self.short_sides = short_sides
        self.max_long_side = max_long_side
        self.seed = seed

    def __len__(self) -> int:
        return 2 * len(self.frames)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """Sample for (index, draw); the draw number of the run makes sizes reproducible."""
        index, draw = key
        frame = self.frames[index // 2]
        image = read_image(frame.image)
        labels = read_label_image(frame.instances, self.label_set)
        short_side = np.random.default_rng((self.seed, draw)).choice(self.short_sides)
        scale = scale_factor(
            image.shape[:2], short_side=int(short_side), max_long_side=self.max_long_side
        )
        return make_sample(
            frame.name,
            image,
            labels,
            scale=scale,
            flip=bool(index % 2),
            num_stuff=self.label_set.num_stuff,
        )


class EndlessBatches(Sampler):
    """Batches of (index, draw) from shuffled epochs, starting anywhere in the run.

    Every sample of a batch gets the draw number of the batch, so that one short side serves the
    whole batch.

    Args:
        length: Number of samples in an epoch.
        batch_size: Samples per batch.
        seed: Seed of the epochs' orders.
        start: First batch, to resume.
        count: Batches in the whole run.
    """

    def __init__(self, length: int, *, batch_size: int, seed: int, start: int, count: int) -> None:
        self.length = length
        self.batch_size = batch_size
        self.seed = seed
        self.start = start
        self.count = count

    def __len__(self) -> int:
        return max(self.count - self.start, 0)

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        order: np.ndarray | None = None
        order_epoch = -1
        for batch in range(self.start, self.count):
            keys = []
            for position in range(batch * self.batch_size, (batch + 1) * self.batch_size):
                epoch, offset = divmod(position, self.length)
                if epoch != order_epoch:
                    order = np.random.default_rng((self.seed, epoch)).permutation(self.length)
                    order_epoch = epoch
                keys.append((int(order[offset]), batch))
            yield keys


def make_loader(dataset: TrainingSet, batches: EndlessBatches, *, workers: int) -> DataLoader:
    """Loader of sample lists; the samples of a batch share one padded size."""
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=_share_size,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
        worker_init_fn=_limit_threads,
    )


def _limit_threads(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _share_size(samples: list[Sample]) -> list[Sample]:
    """Pad the samples of a batch to their common height and width."""
    height = max(sample.image.shape[1] for sample in samples)
    width = max(sample.image.shape[2] for sample in samples)
    return [pad_sample(sample, height=height, width=width) for sample in samples]


def pad_sample(sample: Sample, *, height: int, width: int) -> Sample:
    """The sample on a larger canvas: mean colour, void, no mask outside."""
    old_h, old_w = sample.image.shape[1:]
    if (old_h, old_w) == (height, width):
        return sample
    image = torch.tensor(PAD_VALUE, dtype=torch.uint8).view(3, 1, 1).repeat(1, height, width)
    image[:, :old_h, :old_w] = sample.image
    semantic = torch.full((height, width), IGNORE, dtype=torch.uint8)
    semantic[:old_h, :old_w] = sample.semantic
    masks = torch.zeros((len(sample.masks), height, width), dtype=torch.bool)
    masks[:, :old_h, :old_w] = sample.masks
    return Sample(
        sample.name,
        image,
        semantic,
        sample.boxes,
        sample.classes,
        masks,
        sample.size,
        sample.scale,
    )
