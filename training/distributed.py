# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The processes that train together: one, or those that ``torchrun`` started.

``torchrun --nproc-per-node=8 -m training.train ...`` on one machine; with ``--nnodes`` and
``--rdzv-endpoint`` on many.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from upsnet_ros.core.errors import UpsnetError

TIMEOUT = timedelta(hours=4)  # the first process may check a large data set on a slow disk


class DeviceError(UpsnetError):
    """A device that is asked for and not there, or processes that cannot reach each other."""


@dataclass(frozen=True)
class Processes:
    """This process among those that train together.

    Attributes:
        rank: Number of this process, from 0.
        world: Number of processes.
        device: Where this process computes.
    """

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes files and draws bars."""
        return self.rank == 0

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Mean over the processes of float values of one shape."""
        return self.total(values) / self.world

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over the processes of values of one shape."""
        if self.world == 1:
            return values
        values = values.to(self.device, copy=True)
        dist.all_reduce(values)
        return values

    def gather(self, data: bytes) -> list[bytes]:
        """What each process gives, of any length, in the order of their numbers."""
        if self.world == 1:
            return [data]
        own = torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0)
        length = torch.tensor([len(data)], device=self.device)
        lengths = [torch.zeros_like(length) for _ in range(self.world)]
        dist.all_gather(lengths, length)
        longest = max(int(value) for value in lengths)
        padded = torch.zeros(longest, dtype=torch.uint8, device=self.device)
        padded[: len(data)] = own.to(self.device)
        parts = [torch.zeros_like(padded) for _ in range(self.world)]
        dist.all_gather(parts, padded)
        return [
            part[: int(value)].cpu().numpy().tobytes()
            for part, value in zip(parts, lengths, strict=True)
        ]

    def follow_first(self, tensors: Iterable[torch.Tensor]) -> None:
        """Give tensors the values that they have on the first process, in place."""
        if self.world > 1:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.world > 1:
            dist.barrier()


def choose_device(name: str, *, local_rank: int) -> torch.device:
    """The device of a name.

    Args:
        name: ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``.
        local_rank: Number of this process on its machine.

    Raises:
        DeviceError: If there are not as many GPUs as processes.
    """
    if name == 'cpu' or (name == 'auto' and not torch.cuda.is_available()):
        return torch.device('cpu')
    count = torch.cuda.device_count()
    if local_rank >= count:
        raise DeviceError(
            f'process {local_rank} of this machine has no GPU: {count} found; start as many '
            'processes as there are GPUs (torchrun --nproc-per-node), or give --device cpu'
        )
    return torch.device('cuda', local_rank)


@contextmanager
def joined_processes(device: str) -> Iterator[Processes]:
    """Join the processes that ``torchrun`` started, leave them when all is done.

    Args:
        device: See :func:`choose_device`.

    Raises:
        DeviceError: If there is no such device, or the processes do not find each other.
    """
    rank, world = int(os.environ.get('RANK', 0)), int(os.environ.get('WORLD_SIZE', 1))
    chosen = choose_device(device, local_rank=int(os.environ.get('LOCAL_RANK', 0)))
    if chosen.type == 'cuda':
        torch.cuda.set_device(chosen)
    if world == 1:
        yield Processes(0, 1, chosen)
        return
    try:
        dist.init_process_group(
            'nccl' if chosen.type == 'cuda' else 'gloo',
            store=_meeting_place(),
            rank=rank,
            world_size=world,
            timeout=TIMEOUT,
        )
    except (RuntimeError, ValueError) as error:
        raise DeviceError(
            f'process {rank} of {world} does not find the others: {error}; start them with '
            'torchrun, and check --rdzv-endpoint and the network between the machines'
        ) from error
    yield Processes(rank, world, chosen)
    # Not after an error: leaving would wait for what the others still expect of this process,
    # before anybody has read the error. They end with it.
    dist.destroy_process_group()


def _meeting_place() -> dist.Store:
    """Where the processes leave their addresses, anew for every restart by ``torchrun``.

    The store outlives a restart, and addresses of the processes before it lead nowhere.
    """
    store, _, _ = next(dist.rendezvous('env://', timeout=TIMEOUT))
    attempt = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
    return dist.PrefixStore(f'attempt_{attempt}', store)
