# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Watches the worker's thread, and replaces it when it died or hangs.

A thread that hangs in a library cannot be ended. It is given up with the model that it uses: it
can never publish again, and the next thread loads a model of its own before its first frame.
Should the library come back, the old thread ends and its model is freed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rclpy.impl.rcutils_logger import RcutilsLogger

from upsnet_ros.node.batching import BatchLimits
from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.engine_slot import EngineSlot
from upsnet_ros.node.frame_processor import FrameProcessor
from upsnet_ros.node.recovery import FailureState, Recovery
from upsnet_ros.node.worker import FrameWorker

# Loading and warming up a model takes longer than a frame.
RELOAD_PATIENCE = 10


@dataclass(frozen=True)
class WorkerState:
    """What diagnostics say of the worker.

    Attributes:
        failures: the failures so far.
        restarts: how often the thread was replaced.
        reloads: how often the model was loaded anew.
        busy_for_s: seconds that it spent on what it does now, 0 while it waits for a frame.
        is_reloading: True while the model is loaded anew.
    """

    failures: FailureState
    restarts: int
    reloads: int
    busy_for_s: float
    is_reloading: bool


class Supervisor:
    """Owns the worker of a configured node; its methods are called by the executor's thread.

    Args:
        cameras: whose frames the worker takes.
        processor: works on them.
        engines: the model.
        recovery: counts the failures, also for the processor.
        batch_tolerance_s: most seconds between stamps of frames that are taken together now.
        after: a thread of an earlier worker that has to end first.
        logger: the node's logger.
    """

    def __init__(
        self,
        cameras: Sequence[CameraState],
        processor: FrameProcessor,
        *,
        engines: EngineSlot,
        recovery: Recovery,
        batch_tolerance_s: Callable[[], float],
        after: threading.Thread | None,
        logger: RcutilsLogger,
    ) -> None:
        self._engines = engines
        self._recovery = recovery
        self._logger = logger
        self._restarts = 0
        self.worker = FrameWorker(
            cameras,
            processor,
            limits=lambda: BatchLimits(engines.engine.max_batch, batch_tolerance_s()),
            prepare=lambda: recovery.reload_if_wanted(self._reload),
            after=after,
        )

    @property
    def state(self) -> WorkerState:
        """What the worker does and what befell it."""
        return WorkerState(
            failures=self._recovery.state,
            restarts=self._restarts,
            reloads=self._engines.reloads,
            busy_for_s=self.worker.busy_for_s,
            is_reloading=self._engines.is_reloading,
        )

    def start(self) -> None:
        """Starts the worker of a new activation."""
        self._recovery.begin()
        self.worker.start()

    def check(self, *, timeout_s: float) -> str:
        """Replaces a thread that died or hangs.

        Args:
            timeout_s: longest time for frames that were taken together, 0 for any.

        Returns:
            Why the node has to be deactivated; empty when it has not.
        """
        death, busy = self.worker.death, self.worker.busy_for_s
        patience = timeout_s * (RELOAD_PATIENCE if self._engines.is_reloading else 1)
        if death:
            self._logger.error(f'the worker died of {death}; another one takes over')
            self._recovery.record_failure(f'the worker died of {death}')
            self._replace()
        elif timeout_s and busy > patience:
            reason = f'the worker has made no progress for {busy:.1f} s, limit {patience:g} s'
            self._logger.error(f'{reason}; it is given up')
            self._recovery.record_hang(reason)
            self.worker.abandon(reason)
            self._engines.disown()
            self._replace()
        return self._recovery.state.stop_reason

    def _replace(self) -> None:
        """Starts another thread, unless the node is to stop anyway."""
        if not self._recovery.state.stop_reason:
            self._restarts += 1
            self.worker.start()

    def _reload(self) -> None:
        """Loads the model anew, in the worker's thread."""
        self._logger.warning('the model is loaded anew after failures')
        self._engines.reload()
        self._logger.info('the model was loaded anew')
