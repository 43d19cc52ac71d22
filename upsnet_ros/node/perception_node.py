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
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_srvs.srv import SetBool

from upsnet_ros.node.camera import CameraState
from upsnet_ros.node.camera_views import camera_views
from upsnet_ros.node.diagnostics_output import DiagnosticsOutput
from upsnet_ros.node.engine import Engine, PipelineLoader, load_engine, thresholds
from upsnet_ros.node.engine_slot import EngineSlot
from upsnet_ros.node.frame_processor import FrameProcessor
from upsnet_ros.node.intake import Intake, frame_store
from upsnet_ros.node.output_settings import OutputSettings
from upsnet_ros.node.outputs import CameraOutputs, destroy_outputs
from upsnet_ros.node.parameter_server import ParameterServer
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.publication_qos import COMPLETE_OUTPUT_QOS, OUTPUT_QOS
from upsnet_ros.node.recovery import Recovery
from upsnet_ros.node.spinning import CallbackFailures
from upsnet_ros.node.status_report import NodeParts
from upsnet_ros.node.stoppable_loading import StoppableLoading
from upsnet_ros.node.supervisor import Supervisor
from upsnet_ros.node.timing import NodeTiming
from upsnet_ros.node.transitions import Lifecycle

# With the wake-up of the executor, a publication that hangs and the end of the process: under two
# seconds after a signal.
WORKER_TIMEOUT_S, RECEIPT_TIMEOUT_S = 1.0, 0.2
WATCHDOG_PERIOD_S = 0.2
ANY_STEP_BACK = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1))
SUCCESS, ERROR = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.ERROR


class PerceptionNode(LifecycleNode):
    """Cameras in, panoptic labels out.

    Attributes:
        lifecycle: the state that the node is in, and why the last transition failed.
        callback_failures: of the executor that spins the node, for the diagnostics.

    Args:
        load_pipeline: makes the pipeline in place of the real one, for tests without a model.
        is_stopping: whether the process was asked to end, which breaks off loading a model.
        **options: handed on to rclpy's node.

    Raises:
        ParameterError: a parameter given at the start is impossible.
    """

    def __init__(
        self,
        *,
        load_pipeline: PipelineLoader | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
        **options: Any,
    ) -> None:
        super().__init__('perception_node', **options)
        self._load_pipeline = load_pipeline
        self.lifecycle = Lifecycle(self.get_logger())
        self.callback_failures = CallbackFailures()
        self._enabled = True
        self._timing = NodeTiming()
        self._clock_jumps = 0
        self._engines: EngineSlot | None = None
        self._cameras: list[CameraState] = []
        self._outputs: dict[str, CameraOutputs] = {}
        self._intake: Intake | None = None
        self._processor: FrameProcessor | None = None
        self._recovery: Recovery | None = None
        self._supervisor: Supervisor | None = None
        self._unfinished: threading.Thread | None = None
        self._parameter_server = ParameterServer(
            self, is_configured=lambda: self._engines is not None, apply=self._apply_parameters
        )
        self._diagnostics = DiagnosticsOutput(
            self, parts=self._parts, parameters=lambda: self.parameters
        )
        self._loading = StoppableLoading(
            is_stopping=is_stopping, meanwhile=self._diagnostics.publish_when_due
        )
        steady = Clock(clock_type=ClockType.STEADY_TIME)  # a simulation's may stand still
        period = self.parameters.diagnostics_period
        self._steady_timers = (
            self.create_timer(period, self._diagnostics.publish, clock=steady),
            self.create_timer(WATCHDOG_PERIOD_S, self._watch, clock=steady),
        )
        self._jumps = self.get_clock().create_jump_callback(
            ANY_STEP_BACK, post_callback=self._on_clock_jump
        )
        self._enable_service = self.create_service(SetBool, '~/enable', self._on_enable)

    @property
    def parameters(self) -> NodeParameters:
        """The values that hold now."""
        return self._parameter_server.values

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

    def _transition(self, name: str, action: Any, **options: Any) -> TransitionCallbackReturn:
        """Runs a transition within its boundary and reports how it ended."""
        result = self.lifecycle.run(name, action, **options)
        self._diagnostics.publish()
        return result

    def _configure(self) -> None:
        """Loads the model, then creates everything that depends on it."""
        parameters = self.parameters
        self._engines = self._loading.run(
            lambda: EngineSlot(self._load_engine, tune=self._set_thresholds)
        )
        engine = self._engines.engine
        self._timing = NodeTiming(parameters.camera_names, limit_ms=parameters.max_processing_time)
        self._recovery = Recovery(max_failures=parameters.max_consecutive_failures)
        for name in parameters.camera_names:
            self._cameras.append(CameraState(name, store=frame_store(parameters)))
            self._outputs[name] = CameraOutputs(
                self,
                camera=name,
                label_set=engine.pipeline.label_set,
                model=engine.model,
                score_threshold=engine.pipeline.manifest.panoptic_head['score_threshold'],
                qos=COMPLETE_OUTPUT_QOS if parameters.process_all else OUTPUT_QOS,
            )
        self._processor = self._frame_processor(self._engines)
        self._supervisor = Supervisor(
            self._cameras,
            self._processor,
            engines=self._engines,
            recovery=self._recovery,
            batch_tolerance_s=lambda: self.parameters.batch_tolerance,
            after=self._unfinished,
            logger=self.get_logger(),
        )
        self._intake = Intake(
            self,
            self._cameras,
            parameters=lambda: self.parameters,
            on_frame=self._supervisor.worker.notify,
            on_camera_info=self._processor.camera_infos.__setitem__,
        )
        self._intake.enable(self._enabled)

    def _load_engine(self) -> Engine:
        """The model; also called by the worker's thread."""
        engine = load_engine(self.parameters, load=self._load_pipeline)
        facts = ', '.join(f'{key} {value}' for key, value in engine.facts().items())
        self.get_logger().info(f"model '{engine.model}': {facts}")
        return engine

    def _set_thresholds(self, engine: Engine) -> None:
        """Has the model follow the thresholds that hold now; also in the worker's thread."""
        engine.pipeline.set_thresholds(**thresholds(self.parameters, engine))

    def _frame_processor(self, engines: EngineSlot) -> FrameProcessor:
        """What the worker does with frames."""
        values = self.parameters
        return FrameProcessor(
            lambda: engines.engine.pipeline,
            outputs=self._outputs,
            views=camera_views(values.camera_names, values.regions_of_interest, values.rotations),
            max_image_pixels=values.max_image_pixels,
            settings=OutputSettings.of(values),
            timing=self._timing,
            recovery=self._recovery,
            ros_time_s=lambda: self.get_clock().now().nanoseconds * 1e-9,
            logger=self.get_logger(),
        )

    def _open_intake(self) -> None:
        """Publishes the class tables, starts the worker and subscribes to the cameras."""
        for outputs in self._outputs.values():
            outputs.publish_class_info(self._processor.settings)
        self._supervisor.start()
        self._intake.open()

    def _close_intake(self) -> None:
        """Unsubscribes, forgets waiting frames and stops the worker; may be called again."""
        try:
            if self._intake is not None:
                self._intake.close()
        finally:
            supervisor = self._supervisor
            if supervisor and not supervisor.worker.stop(timeout_s=WORKER_TIMEOUT_S):
                self.get_logger().warning(
                    f'the frame in work takes longer than {WORKER_TIMEOUT_S} s; its result is lost'
                )
                self._unfinished = supervisor.worker.unfinished

    def _release(self) -> None:
        """Undoes configure in reverse order; may be called in any state and again."""
        with ExitStack() as steps:  # each is taken, whatever becomes of those before
            if self._engines is not None:
                steps.callback(self._engines.close)
            steps.callback(self._cameras.clear)
            steps.callback(destroy_outputs, self._outputs, receipt_timeout_s=RECEIPT_TIMEOUT_S)
            steps.callback(self._forget_parts)
            self._close_intake()

    def _forget_parts(self) -> None:
        """The node is unconfigured from here on."""
        self._supervisor = self._intake = self._processor = self._recovery = self._engines = None

    # --- faults

    def _watch(self) -> None:
        """Has a worker that died or hangs replaced; deactivates the node where that is no use."""
        if self.lifecycle.state != 'active':
            return
        reason = self._supervisor.check(timeout_s=self.parameters.watchdog_timeout)
        if reason:
            self.get_logger().error(f'{reason}; the node is deactivated, activate it to try again')
            self.trigger_deactivate()
            if self.lifecycle.state == 'inactive':  # else its own failure is the graver one
                self.lifecycle.failure = f'deactivated: {reason}'
            self._diagnostics.publish()

    def _on_clock_jump(self, jump: TimeJump) -> None:
        """Forgets all that was measured by the clock as it was before it was set back."""
        self._clock_jumps += 1
        self.get_logger().warning(
            f'the clock jumped by {jump.delta.nanoseconds * 1e-9:.3f} s; all times are forgotten'
        )
        if self._intake is not None:
            self._intake.begin_anew()
        self._timing.clear()

    # --- parameters, service, diagnostics

    def _apply_parameters(self, parameters: NodeParameters) -> None:
        """Hands accepted changes on; the next frame heeds them."""
        self._timing.limit_ms = parameters.max_processing_time
        if self._engines is not None:
            self._engines.tune()
            self._recovery.max_failures = parameters.max_consecutive_failures
            self._processor.settings = OutputSettings.of(parameters)
            self._processor.max_image_pixels = parameters.max_image_pixels

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        """Switches intake on or off without a change of state."""
        self._enabled = request.data
        if self._intake is not None:
            self._intake.enable(self._enabled)
        response.success = True
        response.message = (
            f'intake {"on" if self._enabled else "off"}, node {self.lifecycle.state}'
        )
        return response

    def _parts(self) -> NodeParts:
        """What there is to say of the node now."""
        return NodeParts(
            self.lifecycle.state,
            self._enabled,
            self.lifecycle.failure,
            {
                'clock_jumps': self._clock_jumps,
                'loading_for_s': f'{self._loading.loading_for_s:.1f}',
                'callback_failures': self.callback_failures.total,
                'last_callback_failure': self.callback_failures.last or 'none',
            },
            self._engines.engine if self._engines is not None else None,
            self._supervisor.state if self._supervisor is not None else None,
            self._cameras,
            self._timing,
        )
