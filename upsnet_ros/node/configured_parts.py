# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What exists while the node is configured: from the way images come in to the publishers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

from rclpy.lifecycle import LifecycleNode

from upsnet_ros.core.image_view import camera_views
from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.engine import Engine
from upsnet_ros.node.frame_processor import FrameProcessor
from upsnet_ros.node.intake import Intake, frame_store
from upsnet_ros.node.outputs import CameraOutputs, destroy_outputs
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.process import ExitStatus, Fault
from upsnet_ros.node.qos import COMPLETE_OUTPUT_QOS, OUTPUT_QOS
from upsnet_ros.node.timing import NodeTiming
from upsnet_ros.node.worker import BatchLimits, FrameWorker

# With the wake-up of the executor, a publication that hangs and the end of the process: under two
# seconds after a signal.
WORKER_TIMEOUT_S, RECEIPT_TIMEOUT_S = 1.0, 0.2


class ConfiguredParts:
    """Everything that depends on the model, put together. Used by the executor's thread.

    Attributes:
        engine: the model.
        cameras: what is known of each camera.
        outputs: the publishers of each camera, by its name.
        timing: of the last frames.
        processor: works on frames.
        worker: the thread that it works in.
        intake: the way of images into the node.

    Args:
        node: publishes and subscribes.
        engine: the loaded model; closed by `release`.
        parameters: gives the values that hold now.
        after: a worker's thread of an earlier configuration that has to end first.

    Raises:
        UpsnetError: a publisher or subscription is impossible; nothing is left behind.
    """

    def __init__(
        self,
        node: LifecycleNode,
        engine: Engine,
        *,
        parameters: Callable[[], NodeParameters],
        after: threading.Thread | None,
    ) -> None:
        values = parameters()
        self._node = node
        self._parameters = parameters
        self.engine = engine
        self.cameras = [CameraState(n, store=frame_store(values)) for n in values.camera_names]
        self.timing = NodeTiming(values.camera_names, limit_ms=values.max_processing_time)
        self.outputs: dict[str, CameraOutputs] = {}
        self.processor = FrameProcessor(
            engine.pipeline,
            outputs=self.outputs,
            views=camera_views(values.camera_names, values.regions_of_interest, values.rotations),
            parameters=parameters,
            timing=self.timing,
            ros_time_s=lambda: node.get_clock().now().nanoseconds * 1e-9,
            logger=node.get_logger(),
        )
        self.worker = FrameWorker(
            self.cameras,
            self.processor,
            limits=lambda: BatchLimits(engine.max_batch, parameters().batch_tolerance),
            after=after,
        )
        try:
            engine.follow(values)
            self._create_outputs(values)
            self.intake = Intake(
                node,
                self.cameras,
                parameters=parameters,
                on_frame=self.worker.notify,
                on_camera_info=self.processor.camera_infos.__setitem__,
            )
        except BaseException:
            self._free()
            raise

    def _create_outputs(self, values: NodeParameters) -> None:
        pipeline = self.engine.pipeline
        for name in values.camera_names:
            self.outputs[name] = CameraOutputs(
                self._node,
                camera=name,
                label_set=pipeline.label_set,
                model=self.engine.model,
                score_threshold=pipeline.manifest.panoptic_head['score_threshold'],
                qos=COMPLETE_OUTPUT_QOS if values.process_all else OUTPUT_QOS,
            )

    def apply(self, values: NodeParameters) -> None:
        """Hands accepted changes on; the next frame heeds them."""
        self.engine.follow(values)
        self.timing.limit_ms = values.max_processing_time

    def begin_anew(self) -> None:
        """Forgets all that was measured by a clock that has been set back."""
        self.intake.begin_anew()
        self.timing.clear()

    def open(self) -> None:
        """Publishes the class tables, starts the worker and subscribes to the cameras."""
        self.processor.begin_anew()
        for outputs in self.outputs.values():
            outputs.publish_tables(self._parameters())
        self.worker.start()
        self.intake.open()

    def fault(self) -> Fault | None:
        """Why the process has to be started anew; None while it need not.

        A worker that hangs is given up: it never publishes again, and its frames are counted.
        """
        values, failures, busy_s = (
            self._parameters(),
            self.processor.failures,
            self.worker.busy_for_s,
        )
        if self.worker.death:
            return Fault(ExitStatus.WORKER_DIED, f'the worker died of {self.worker.death}')
        if values.watchdog_timeout and busy_s > values.watchdog_timeout:
            reason = (
                f'the worker has made no progress for {busy_s:.1f} s, limit '
                f'{values.watchdog_timeout:g} s'
            )
            self.worker.stop(timeout_s=0.0, reason=reason)
            return Fault(ExitStatus.NO_PROGRESS, reason)
        if failures.device_is_lost:
            return Fault(ExitStatus.MODEL_FAILED, failures.reason)
        if 0 < values.max_consecutive_failures <= failures.in_a_row:
            reason = f'{failures.in_a_row} failures in a row, the last: {failures.reason}'
            return Fault(ExitStatus.MODEL_FAILED, reason)
        return None

    def close(self) -> None:
        """Unsubscribes, forgets waiting frames and stops the worker; may be called again."""
        try:
            self.intake.close()
        finally:
            was_given_up = self.worker.is_given_up
            if not self.worker.stop(timeout_s=WORKER_TIMEOUT_S) and not was_given_up:
                self._node.get_logger().warning(
                    f'the frame in work takes longer than {WORKER_TIMEOUT_S} s; what is not '
                    'published yet is lost'
                )

    def release(self) -> None:
        """Closes, then frees publishers and model; each step is taken, whatever the last did."""
        with ExitStack() as steps:
            steps.callback(self._free)
            self.close()

    def _free(self) -> None:
        try:
            destroy_outputs(self.outputs, receipt_timeout_s=RECEIPT_TIMEOUT_S)
        finally:
            self.engine.pipeline.close()
