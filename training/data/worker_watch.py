# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the processes that read images are doing, so that an error there names its file."""

import os
import re
import signal
from dataclasses import dataclass

import cv2
import torch
from torch.utils.data import Dataset, get_worker_info

from training.data.errors import DataError
from training.data.sample import Sample
from training.data.sharded_batches import Key
from training.data.training_set import TrainingSet
from upsnet_ros.core.errors import UpsnetError

IDLE = -1


@dataclass(frozen=True)
class LoadingFailure:
    """What a worker hands over instead of a sample; raised there, its message would be buried."""

    error: UpsnetError


class WatchedReads(Dataset):
    """A training set that notes which sample each worker is making.

    Args:
        samples: The training set.
        workers: Number of worker processes, 0 for none.

    Attributes:
        notes: int64 ``[workers, 2]`` in shared memory: process id and index of the sample, -1
            between samples. A note outlives the worker that left it.
    """

    def __init__(self, samples: TrainingSet, workers: int) -> None:
        self.samples = samples
        self.notes = torch.full((workers, 2), IDLE, dtype=torch.long).share_memory_()

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, key: Key) -> Sample | LoadingFailure:
        """The sample, or why there is none."""
        self._note(key[0])
        try:
            return self.samples[key]
        except UpsnetError as error:
            return LoadingFailure(error)
        except (OSError, MemoryError, cv2.error) as error:
            frame = self.samples.frame_of(key[0])
            return LoadingFailure(DataError(f'{frame.image}: cannot be read: {error!r}'))
        finally:
            self._note(IDLE)

    def start_worker(self, worker: int) -> None:
        """Prepare a worker process: one thread, and interrupts left to the main process."""
        cv2.setNumThreads(0)
        torch.set_num_threads(1)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.notes[worker, 0] = os.getpid()

    def explain_death(self, message: str) -> str:
        """The message about a worker that died, with the file it was busy with.

        Args:
            message: PyTorch's, with the process ids of the dead.
        """
        dead = {int(number) for number in re.findall(r'\d+', message)}
        files = {
            str(self.samples.frame_of(index).image)
            for process, index in self.notes.tolist()
            if process in dead and index != IDLE
        }
        busy = f'while reading {" and ".join(sorted(files))}' if files else 'between two images'
        return (
            f'a process that reads images died {busy}: {message.strip()}. The system kills it '
            'when memory is short: give fewer --workers, or in a container more shared memory '
            '(docker --shm-size)'
        )

    def _note(self, index: int) -> None:
        worker = get_worker_info()
        if worker is not None:
            self.notes[worker.id, 1] = index
