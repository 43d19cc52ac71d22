# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The lifecycle node: which part exists in which state, and nothing else.

| state        | exists                                                                       |
|--------------|------------------------------------------------------------------------------|
| unconfigured | parameters, diagnostics, the enable service                                  |
| inactive     | also the warmed-up model and the publishers                                  |
| active       | also the subscriptions and the worker's thread                               |
"""

from __future__ import annotations

import threading
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool

from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.camera_views import camera_views
from upsnet_ros.node.diagnostics import EngineState, camera_status, engine_status
from upsnet_ros.node.engine import Engine, PipelineLoader, load_engine, thresholds
from upsnet_ros.node.frame_processor import FrameProcessor
from upsnet_ros.node.intake import Intake, frame_store
from upsnet_ros.node.outputs import CameraOutputs, OutputSettings
from upsnet_ros.node.parameter_server import ParameterServer
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.publication_qos import COMPLETE_OUTPUT_QOS, OUTPUT_QOS
from upsnet_ros.node.timing import NodeTiming
from upsnet_ros.node.timing_diagnostics import Deadline, timing_statuses
from upsnet_ros.node.transitions import guarded
from upsnet_ros.node.worker import FrameWorker

# With the wake-up of the executor and the end of the process: under two seconds after a signal.
WORKER_TIMEOUT_S = 1.2
SUCCESS = TransitionCallbackReturn.SUCCESS
ERROR = TransitionCallbackReturn.ERROR
STATE_AFTER = {
    'configure': 'inactive',
    'activate': 'active',
    'deactivate': 'inactive',
    'cleanup': 'unconfigured',
    'shutdown': 'finalized',
    'error processing': 'unconfigured',
}


class PerceptionNode(LifecycleNode):
    """Cameras in, panoptic labels out.

    Args:
        load_pipeline: makes the pipeline in place of the real one, for tests without a model.
        **options: handed on to rclpy's node.

    Raises:
        ParameterError: a parameter given at the start is impossible.
    """

    def __init__(self, *, load_pipeline: PipelineLoader | None = None, **options: Any) -> None:
        super().__init__('perception_node', **options)
        self._load_pipeline = load_pipeline
        self._state_name = 'unconfigured'
        self._last_failure = ''
        self._enabled = True
        self._timing = NodeTiming()
        self._engine: Engine | None = None
        self._cameras: list[CameraState] = []
        self._outputs: dict[str, CameraOutputs] = {}
        self._intake: Intake | None = None
        self._processor: FrameProcessor | None = None
        self._worker: FrameWorker | None = None
        self._unfinished: threading.Thread | None = None
        self._parameter_server = ParameterServer(
            self, is_configured=lambda: self._engine is not None, apply=self._apply_parameters
        )
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 1)
        self._diagnostics_timer = self.create_timer(
            self.parameters.diagnostics_period,
            self._publish_diagnostics,
            clock=Clock(clock_type=ClockType.STEADY_TIME),
        )
        self._enable_service = self.create_service(SetBool, '~/enable', self._on_enable)

    @property
    def parameters(self) -> NodeParameters:
        """The values that hold now."""
        return self._parameter_server.values

    @property
    def is_finalized(self) -> bool:
        """True after a shutdown transition; the node can only be destroyed then."""
        return self._state_name == 'finalized'

    # --- transitions

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Loads and warms the model and creates the publishers; FAILURE leaves nothing behind."""
        return self._transition('configure', self._configure, undo=self._release)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Starts the worker and opens intake."""

        def activate() -> None:
            # The publishers open in rclpy's own callback.
            if super(PerceptionNode, self).on_activate(state) != SUCCESS:
                raise RuntimeError('a publisher could not be activated')
            self._open_intake()

        def undo() -> None:
            self._close_intake()
            super(PerceptionNode, self).on_deactivate(state)

        return self._transition('activate', activate, undo=undo)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Closes intake and waits for the frame in work; what it computed is still published."""

        def deactivate() -> None:
            self._close_intake()
            if super(PerceptionNode, self).on_deactivate(state) != SUCCESS:
                raise RuntimeError('a publisher could not be deactivated')

        return self._transition('deactivate', deactivate, failed=ERROR)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Undoes configure."""
        return self._transition('cleanup', self._release, failed=ERROR)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Ends whatever the node is doing, from any state."""
        return self._transition('shutdown', self._release, failed=ERROR)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Brings the node back to unconfigured after a transition broke down."""
        return self._transition('error processing', self._release)

    def _transition(self, name: str, action: Any, *, undo: Any = None, **options: Any) -> Any:
        """Runs a transition within its boundary and remembers how it ended."""

        def on_failure(reason: str) -> None:
            self._last_failure = f'{name} failed: {reason}'
            if undo is not None:
                undo()

        result = guarded(name, action, on_failure=on_failure, logger=self.get_logger(), **options)
        if result == SUCCESS:
            self._state_name = STATE_AFTER[name]
            if name != 'error processing':
                self._last_failure = ''
            self.get_logger().info(f'{name}: {self._state_name}')
        self._publish_diagnostics()
        return result

    def _configure(self) -> None:
        """Loads the model, then creates everything that depends on it."""
        parameters = self.parameters
        self._engine = load_engine(parameters, load=self._load_pipeline)
        facts = ', '.join(f'{key} {value}' for key, value in self._engine.facts().items())
        self.get_logger().info(f"model '{self._engine.model}': {facts}")
        self._engine.pipeline.set_thresholds(**thresholds(parameters, self._engine))
        self._timing = NodeTiming(parameters.camera_names, limit_ms=parameters.max_processing_time)
        for name in parameters.camera_names:
            self._cameras.append(CameraState(name, store=frame_store(parameters)))
            self._outputs[name] = CameraOutputs(
                self,
                camera=name,
                label_set=self._engine.pipeline.label_set,
                model=self._engine.model,
                qos=COMPLETE_OUTPUT_QOS if parameters.process_all else OUTPUT_QOS,
            )
        self._processor = FrameProcessor(
            self._engine.pipeline,
            outputs=self._outputs,
            views=camera_views(
                parameters.camera_names, parameters.regions_of_interest, parameters.rotations
            ),
            max_image_pixels=parameters.max_image_pixels,
            settings=self._output_settings(),
            timing=self._timing,
            ros_time_s=lambda: self.get_clock().now().nanoseconds * 1e-9,
            logger=self.get_logger(),
        )
        self._worker = FrameWorker(self._cameras, self._processor, after=self._unfinished)
        self._intake = Intake(
            self,
            self._cameras,
            parameters=lambda: self.parameters,
            on_frame=self._worker.notify,
            on_camera_info=self._processor.camera_infos.__setitem__,
        )
        self._intake.enable(self._enabled)

    def _open_intake(self) -> None:
        """Publishes the class tables, starts the worker and subscribes to the cameras."""
        for outputs in self._outputs.values():
            outputs.publish_class_info()
        self._worker.start()
        self._intake.open()

    def _close_intake(self) -> None:
        """Unsubscribes, forgets waiting frames and stops the worker; may be called again."""
        if self._intake is not None:
            self._intake.close()
        if self._worker is not None and not self._worker.stop(timeout_s=WORKER_TIMEOUT_S):
            self.get_logger().warning(
                f'the frame in work takes longer than {WORKER_TIMEOUT_S} s; its result is lost'
            )

    def _release(self) -> None:
        """Undoes configure in reverse order; may be called in any state and again."""
        self._close_intake()
        if self._worker is not None:
            self._unfinished = self._worker.unfinished
        self._worker = self._intake = self._processor = None
        for outputs in self._outputs.values():
            outputs.destroy()
        self._outputs.clear()
        self._cameras.clear()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.pipeline.close()

    # --- parameters, service, diagnostics

    def _output_settings(self) -> OutputSettings:
        """What the parameters say of the outputs."""
        parameters = self.parameters
        return OutputSettings(
            publish_semantic=parameters.publish_semantic,
            publish_instances=parameters.publish_instances,
            publish_timing=parameters.publish_timing,
            overlay_alpha=parameters.overlay_alpha,
        )

    def _apply_parameters(self, parameters: NodeParameters) -> None:
        """Hands accepted changes on; the next frame heeds them."""
        self._timing.limit_ms = parameters.max_processing_time
        if self._engine is not None:
            self._engine.pipeline.set_thresholds(**thresholds(parameters, self._engine))
            self._processor.settings = self._output_settings()
            self._processor.max_image_pixels = parameters.max_image_pixels

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        """Switches intake on or off without a change of state."""
        self._enabled = request.data
        if self._intake is not None:
            self._intake.enable(self._enabled)
        response.success = True
        response.message = f'intake {"on" if self._enabled else "off"}, node {self._state_name}'
        return response

    def _publish_diagnostics(self) -> None:
        """Publishes the state of engine, cameras and times, whether or not frames arrive."""
        node = self.get_fully_qualified_name().lstrip('/')
        parameters, engine = self.parameters, self._engine
        model = engine.model if engine else ''
        state = EngineState(
            self._state_name,
            self._enabled,
            model,
            engine.facts() if engine else {},
            self._last_failure,
        )
        is_open = self._state_name == 'active' and self._enabled
        message = DiagnosticArray()
        message.header.stamp = self.get_clock().now().to_msg()
        message.status = [
            engine_status(node, state),
            *(
                camera_status(
                    node,
                    camera.snapshot(),
                    is_open=is_open,
                    stale_after_s=parameters.stale_after,
                )
                for camera in self._cameras
            ),
            *timing_statuses(
                node,
                self._timing,
                Deadline(parameters.max_processing_time, parameters.max_consecutive_delays),
                model=model,
            ),
        ]
        self._diagnostics.publish(message)
