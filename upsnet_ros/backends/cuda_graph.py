# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Work that is recorded once and launched as a whole, which spares the processor the queueing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from upsnet_ros.backends.cuda_runtime import CudaError, CudaRuntime
from upsnet_ros.core.errors import ModelError

_LOGGER = logging.getLogger(__name__)


class CudaGraph:
    """Recorded work of one stream."""

    def __init__(self, cuda: CudaRuntime, stream: Any, queue_work: Callable[[], None]) -> None:
        """Record.

        Args:
            cuda: the device.
            stream: where the work is queued, and later launched; nothing may be in work on it.
            queue_work: queues the work; may raise ModelError.

        Raises:
            ModelError: the work cannot be recorded; nothing is left recording then.
        """
        self._cuda = cuda
        self._stream = stream
        graph = _record(cuda, stream, queue_work)
        try:
            self._executable = cuda.instantiate(graph)
        finally:
            cuda.destroy_graph(graph)

    def launch(self) -> None:
        """Queue the recorded work on its stream."""
        self._cuda.launch(self._executable, self._stream)

    def free(self) -> None:
        """Free the recording, which must not be in work. A failure is only logged."""
        try:
            self._cuda.destroy_executable(self._executable)
        except CudaError as error:  # a device that is lost has freed it already
            _LOGGER.warning('the CUDA graph was not freed: %s', error)


def _record(cuda: CudaRuntime, stream: Any, queue_work: Callable[[], None]) -> Any:
    """Return the graph of queued work; the recording ends also when queueing fails."""
    cuda.begin_capture(stream)
    try:
        queue_work()
    except ModelError:
        _discard_recording(cuda, stream)
        raise
    return cuda.end_capture(stream)


def _discard_recording(cuda: CudaRuntime, stream: Any) -> None:
    """End a recording whose content is worth nothing."""
    try:
        cuda.destroy_graph(cuda.end_capture(stream))
    except CudaError as error:  # usual: a recording that failed gives no graph
        _LOGGER.debug('the recording gave no graph: %s', error)
