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
from upsnet_ros.node.engine_slot import EngineSlot
from upsnet_ros.node.frame_processor import FrameProcessor
from upsnet_ros.node.intake import Intake, frame_store
from upsnet_ros.node.output_settings import OutputSettings
from upsnet_ros.node.outputs import CameraOutputs, destroy_outputs
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.qos import COMPLETE_OUTPUT_QOS, OUTPUT_QOS
from upsnet_ros.node.recovery import Recovery
from upsnet_ros.node.supervisor import Supervisor
from upsnet_ros.node.timing import NodeTiming

# With the wake-up of the executor, a publication that hangs and the end of the process: under two
# seconds after a signal.
WORKER_TIMEOUT_S, RECEIPT_TIMEOUT_S = 1.0, 0.2


class ConfiguredParts:
    """Everything that depends on the model, put together. Used by the executor's thread.

    Attributes:
        engines: the model.
        cameras: what is known of each camera.
        outputs: the publishers of each camera, by its name.
        timing: of the last frames.
        recovery: counts failures.
        processor: works on frames.
        supervisor: owns the worker.
        intake: the way of images into the node.
        unfinished: a worker's thread that did not end when it was told to; None where all did.

    Args:
        node: publishes and subscribes.
        engines: the loaded model; closed by `release`.
        parameters: gives the values that hold now.
        after: a worker's thread of an earlier configuration that has to end first.

    Raises:
        UpsnetError: a publisher or subscription is impossible; nothing is left behind.
    """

    def __init__(
        self,
        node: LifecycleNode,
        engines: EngineSlot,
        *,
        parameters: Callable[[], NodeParameters],
        after: threading.Thread | None,
    ) -> None:
        values = parameters()
        self._node = node
        self.engines = engines
        self.unfinished = after
        self.outputs: dict[str, CameraOutputs] = {}
        self.cameras = [CameraState(n, store=frame_store(values)) for n in values.camera_names]
        self.timing = NodeTiming(values.camera_names, limit_ms=values.max_processing_time)
        self.recovery = Recovery(max_failures=values.max_consecutive_failures)
        self.processor = self._make_processor(values)
        self.supervisor = Supervisor(
            self.cameras,
            self.processor,
            engines=engines,
            recovery=self.recovery,
            batch_tolerance_s=lambda: parameters().batch_tolerance,
            after=after,
            logger=node.get_logger(),
        )
        try:
            self._create_outputs(values)
            self.intake = Intake(
                node,
                self.cameras,
                parameters=parameters,
                on_frame=self.supervisor.worker.notify,
                on_camera_info=self.processor.camera_infos.__setitem__,
            )
        except BaseException:
            self._free()
            raise

    def _make_processor(self, values: NodeParameters) -> FrameProcessor:
        """What the worker does with frames."""
        return FrameProcessor(
            lambda: self.engines.engine.pipeline,
            outputs=self.outputs,
            views=camera_views(values.camera_names, values.regions_of_interest, values.rotations),
            max_image_pixels=values.max_image_pixels,
            settings=OutputSettings.of(values),
            timing=self.timing,
            recovery=self.recovery,
            ros_time_s=lambda: self._node.get_clock().now().nanoseconds * 1e-9,
            logger=self._node.get_logger(),
        )

    def _create_outputs(self, values: NodeParameters) -> None:
        """The publishers of each camera."""
        engine = self.engines.engine
        for name in values.camera_names:
            self.outputs[name] = CameraOutputs(
                self._node,
                camera=name,
                label_set=engine.pipeline.label_set,
                model=engine.model,
                score_threshold=engine.pipeline.manifest.panoptic_head['score_threshold'],
                qos=COMPLETE_OUTPUT_QOS if values.process_all else OUTPUT_QOS,
            )

    def apply(self, values: NodeParameters) -> None:
        """Hands accepted changes on; the next frame heeds them."""
        self.engines.tune()
        self.timing.limit_ms = values.max_processing_time
        self.recovery.max_failures = values.max_consecutive_failures
        self.processor.settings = OutputSettings.of(values)
        self.processor.max_image_pixels = values.max_image_pixels

    def begin_anew(self) -> None:
        """Forgets all that was measured by a clock that has been set back."""
        self.intake.begin_anew()
        self.timing.clear()

    def open(self) -> None:
        """Publishes the class tables, starts the worker and subscribes to the cameras."""
        self.processor.camera_infos.clear()  # meanwhile another camera may have taken the place
        for outputs in self.outputs.values():
            outputs.publish_class_info(self.processor.settings)
        self.supervisor.start()
        self.intake.open()

    def close(self) -> None:
        """Unsubscribes, forgets waiting frames and stops the worker; may be called again."""
        try:
            self.intake.close()
        finally:
            worker = self.supervisor.worker
            was_given_up = worker.is_given_up
            if not worker.stop(timeout_s=WORKER_TIMEOUT_S) and not was_given_up:
                self._node.get_logger().warning(
                    f'the frame in work takes longer than {WORKER_TIMEOUT_S} s; what is not '
                    'published yet is lost'
                )
            self.unfinished = worker.unfinished

    def release(self) -> None:
        """Closes, then frees publishers and model; each step is taken, whatever the last did."""
        with ExitStack() as steps:
            steps.callback(self._free)
            self.close()

    def _free(self) -> None:
        """Destroys the publishers and closes the model."""
        try:
            destroy_outputs(self.outputs, receipt_timeout_s=RECEIPT_TIMEOUT_S)
        finally:
            self.engines.close()
