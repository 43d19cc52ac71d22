# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batches of samples, made ahead by other processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch.utils.data import DataLoader

from training.data.errors import DataError
from training.data.sample import IGNORE, Sample
from training.data.sharded_batches import ShardedBatches
from training.data.training_set import TrainingSet
from training.data.worker_watch import LoadingFailure, WatchedReads
from upsnet_ros.core.geometry import PAD_VALUE

BATCHES_AHEAD = 2  # per worker


class SampleLoader:
    """This process's batches in order; the samples of a batch share one padded size.

    Args:
        samples: Makes the samples.
        batches: Says which.
        workers: Processes that make them; 0 makes them here.
        pin_memory: Whether the samples come in page-locked memory, for a GPU.
    """

    def __init__(
        self,
        samples: TrainingSet,
        batches: ShardedBatches,
        *,
        workers: int,
        pin_memory: bool = False,
    ) -> None:
        self._reads = WatchedReads(samples, workers)
        self._loader = DataLoader(
            self._reads,
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=_share_size,
            persistent_workers=workers > 0,
            prefetch_factor=BATCHES_AHEAD if workers else None,
            worker_init_fn=self._reads.start_worker,
            pin_memory=pin_memory,
            generator=torch.Generator(),  # leaves the process's own randomness alone
        )

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[list[Sample]]:
        """The batches.

        Raises:
            UpsnetError: If a file cannot be used or a worker died; names the file.
        """
        with self.deaths_named():
            for batch in self._loader:
                try:
                    if isinstance(batch, LoadingFailure):
                        raise batch.error
                    yield batch
                finally:
                    # An error that its own traceback leads back to would keep the workers until
                    # the garbage is collected, and then they no longer hear that they may go.
                    del batch

    @contextmanager
    def deaths_named(self) -> Iterator[None]:
        """Name the file in the error of a worker that died while this block ran.

        PyTorch raises that error wherever the main process is when the system reports the death,
        so the block must hold the work on the batches as well.

        Raises:
            DataError: If a worker died.
        """
        try:
            yield
        except RuntimeError as error:
            if not str(error).startswith('DataLoader worker'):
                raise
            raise DataError(self._reads.explain_death(str(error))) from error


def _share_size(samples: list[Sample | LoadingFailure]) -> list[Sample] | LoadingFailure:
    """Pad the samples of a batch to their common height and width."""
    whole = []
    for sample in samples:
        if isinstance(sample, LoadingFailure):
            return sample
        whole.append(sample)
    height = max(sample.image.shape[1] for sample in whole)
    width = max(sample.image.shape[2] for sample in whole)
    return [pad_sample(sample, height=height, width=width) for sample in whole]


def pad_sample(sample: Sample, *, height: int, width: int) -> Sample:
    """The sample on a larger canvas: mean colour, void, no object outside."""
    old_h, old_w = sample.image.shape[1:]
    if (old_h, old_w) == (height, width):
        return sample
    image = torch.tensor(PAD_VALUE, dtype=torch.uint8).repeat(height, width, 1).permute(2, 0, 1)
    image[:, :old_h, :old_w] = sample.image
    semantic = torch.full((height, width), IGNORE, dtype=torch.uint8)
    semantic[:old_h, :old_w] = sample.semantic
    instances = torch.full((height, width), -1, dtype=torch.int16)
    instances[:old_h, :old_w] = sample.instances
    return replace(sample, image=image, semantic=semantic, instances=instances)
