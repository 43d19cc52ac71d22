# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels of a frame over PyTorch's memory and streams."""

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from upsnet_ros.backends.cuda_work import KernelCall
from upsnet_ros.backends.frame_launches import ANSWER, FramePlan
from upsnet_ros.backends.loaded_kernels import LoadedKernels


def current_stream() -> int:
    """Handle of PyTorch's current stream."""
    return torch.cuda.current_stream().cuda_stream


class TorchFrame:
    """Memory and launches for images of one size; every method queues work and waits for nothing.

    Attributes:
        tensors: the arrays of the plan by name.
        before: launches before the network.
        after: launches behind it.
    """

    def __init__(
        self,
        kernels: LoadedKernels,
        plan: FramePlan,
        device: str,
        *,
        stream: Callable[[], int] = current_stream,
        made: Callable[[Tensor], None] = lambda tensor: None,
    ) -> None:
        """Allocate.

        Args:
            kernels: loaded in the context that PyTorch uses.
            plan: what to do.
            device: PyTorch's name of the device.
            stream: gives the handle of the stream to launch on.
            made: told of every tensor.
        """
        self._plan, self._stream = plan, stream
        self.tensors: dict[str, Tensor] = {}
        for name, array in plan.arrays.items():
            tensor = torch.empty(array.shape, dtype=getattr(torch, array.dtype), device=device)
            if name in plan.constants:
                tensor.copy_(torch.from_numpy(plan.constants[name].copy()))
            made(tensor)
            self.tensors[name] = tensor
        self.before = kernels.calls(plan, plan.before, self._address)
        self.after = kernels.calls(plan, plan.after, self._address)

    def _address(self, name: str) -> int:
        return self.tensors[name].data_ptr()

    def put_settings(self, settings: np.ndarray) -> None:
        """Hand over the thresholds, see `frame_launches.head_settings`."""
        self.tensors['settings'].copy_(torch.from_numpy(settings))

    def put_answer(self, answer: Mapping[str, Tensor]) -> None:
        """Hand over the network's answer for one image, by the names of the exported outputs."""
        for name in ANSWER:
            self.tensors[name].copy_(answer[name].reshape(self.tensors[name].shape))

    def clear(self) -> None:
        """Begin an image."""
        for name in self._plan.zeroed:
            self.tensors[name].zero_()

    def queue(self, calls: list[KernelCall]) -> None:
        """Queue launches, some or all of `before` or `after`."""
        for call in calls:
            call.queue(self._stream())

    def label(self) -> None:
        """Queue everything behind the network."""
        self.clear()
        self.queue(self.after)

    def results(self) -> dict[str, np.ndarray]:
        """Return what `frame_launches.read_result` reads; waits for it."""
        return {name: self.tensors[name].cpu().numpy() for name in self._plan.results}
