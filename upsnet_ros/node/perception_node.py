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
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.clock import Clock, ClockType, JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool

from upsnet_ros.core.errors import UpsnetError
from upsnet_ros.core.own_process import give_back_memory
from upsnet_ros.node.configured_parts import ConfiguredParts
from upsnet_ros.node.diagnostics import DiagnosticsOutput, NodeReport
from upsnet_ros.node.engine import Engine, ModelLoading, PipelineLoader, load_engine
from upsnet_ros.node.parameter_server import ParameterServer
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.process import Fault, GuardedCallbacks, MiddlewarePulse

WATCHDOG_PERIOD_S = 0.2
ANY_STEP_BACK = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1))
SUCCESS, ERROR = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.ERROR
LAST_RESORT = 'error processing'
STATE_AFTER = {
    'configure': 'inactive',
    'activate': 'active',
    'deactivate': 'inactive',
    'cleanup': 'unconfigured',
    'shutdown': 'finalized',
    LAST_RESORT: 'unconfigured',
}
LEAVE_MEMORY = ('deactivate', 'cleanup')


class Lifecycle:
    """Runs transitions and remembers how the last one ended.

    rclpy turns an exception in a transition into ERROR without a word of what it was. Here every
    one is logged with its reason, and ends in the return value that leaves the node in a defined
    state.

    Attributes:
        state: name of the state that the node is in.
        failure: why the last transition failed, or why the node had to stop; empty otherwise.

    Args:
        logger: the node's logger.
    """

    def __init__(self, logger: RcutilsLogger) -> None:
        self.state = 'unconfigured'
        self.failure = ''
        self._logger = logger

    @property
    def is_finalized(self) -> bool:
        """True after a shutdown, or when nothing else helped; the node can only be destroyed."""
        return self.state == 'finalized'

    def run(
        self,
        name: str,
        action: Callable[[], None],
        *,
        undo: Callable[[], None] = lambda: None,
        failed: TransitionCallbackReturn = TransitionCallbackReturn.FAILURE,
    ) -> TransitionCallbackReturn:
        """Runs the work of a transition.

        Args:
            name: of the transition.
            action: the work.
            undo: undoes what the work began.
            failed: what to return when the work raised.

        Returns:
            SUCCESS, or `failed` after the reason was logged and the work undone.
        """
        try:
            action()
        except Exception as error:
            is_explained = isinstance(error, UpsnetError) and str(error).strip()
            trace = ''.join(traceback.format_exception(error))
            unforeseen = f'{type(error).__name__}: {error}\n{trace}'
            reason = str(error) if is_explained else unforeseen
            self._logger.error(f'{name} failed: {reason}')
            first_line = next(line for line in reason.splitlines() if line.strip())
            self.failure = f'{name} failed: {first_line}'
            undo()
            if name == LAST_RESORT:
                self.state = 'finalized'
            return failed
        self.state = STATE_AFTER[name]
        if name != LAST_RESORT:
            self.failure = ''
        self._logger.info(f'{name}: {self.state}')
        if name in LEAVE_MEMORY:
            give_back_memory()
        return TransitionCallbackReturn.SUCCESS


class PerceptionNode(LifecycleNode):
    """Cameras in, panoptic labels out.

    Attributes:
        lifecycle: the state that the node is in, and why the last transition failed.
        parts: what depends on the model; None while unconfigured.
        fault: why the process has to end and be started anew; None while it need not.
        callbacks: runs what the executor of the node has to do.
        given_parameters: the values that it was given at its start, by name, whether or not it
            has such parameters.

    Args:
        arguments: the command line, looked through for parameters that were given to another
            name than this node's.
        load_pipeline: makes the pipeline in place of the real one, for tests without a model.
        is_stopping: whether the process was asked to end, which breaks off loading a model.
        **options: handed on to rclpy's node.

    Raises:
        ParameterError: a parameter given at the start is impossible.
    """

    def __init__(
        self,
        *,
        arguments: Sequence[str] = (),
        load_pipeline: PipelineLoader | None = None,
        is_stopping: Callable[[], bool] = lambda: False,
        **options: Any,
    ) -> None:
        super().__init__(
            'perception_node', automatically_declare_parameters_from_overrides=True, **options
        )
        self._load_pipeline = load_pipeline
        self.lifecycle = Lifecycle(self.get_logger())
        self.callbacks = GuardedCallbacks(self.get_logger())
        self._enabled = True
        self._clock_jumps = 0
        self._unfinished: threading.Thread | None = None
        self.parts: ConfiguredParts | None = None
        self.fault: Fault | None = None
        self._parameter_server = ParameterServer(
            self,
            given=self.given_parameters,
            arguments=arguments,
            is_configured=lambda: self.parts is not None,
            apply=self._apply_parameters,
        )
        self._diagnostics = DiagnosticsOutput(
            self, report=self._report, parameters=lambda: self.parameters
        )
        self._loading = ModelLoading(
            is_stopping=is_stopping, meanwhile=self._diagnostics.publish_when_due
        )
        self._pulse = MiddlewarePulse(self)
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

    def declare_parameters(
        self, namespace: str, parameters: Any, ignore_override: bool = False
    ) -> list[Parameter]:
        """Declares parameters, as rclpy does; but first it notes those that the node was given.

        rclpy declares them all at once, while the node is made, if it is told to. That is the one
        public way to learn of them; but the node declares its own, each with its rule, and rclpy
        can declare none whose type it does not know, such as an empty list.
        """
        if not hasattr(self, 'given_parameters'):
            self.given_parameters: dict[str, Any] = {name: value for name, value, *_ in parameters}
            return []
        return super().declare_parameters(namespace, parameters, ignore_override)

    @property
    def parameters(self) -> NodeParameters:
        """The values that hold now."""
        return self._parameter_server.values

    @property
    def _configured(self) -> ConfiguredParts:
        """What depends on the model, in states in which there is one."""
        assert self.parts is not None, 'rclpy lets no unconfigured node be activated'
        return self.parts

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
            self._configured.open()

        def undo() -> None:
            self._configured.close()
            super(PerceptionNode, self).on_deactivate(state)

        return self._transition('activate', activate, undo=undo)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Closes intake and waits for the frame in work; what it computed is still published."""

        def deactivate() -> None:
            self._configured.close()
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
        result = self.lifecycle.run(name, action, **options)
        self._diagnostics.publish()
        return result

    def _configure(self) -> None:
        engine = self._loading.run(self._load_engine)
        facts = ', '.join(f'{key} {value}' for key, value in engine.facts().items())
        self.get_logger().info(f"model '{engine.model}': {facts}")
        self.parts = ConfiguredParts(
            self, engine, parameters=lambda: self.parameters, after=self._unfinished
        )
        self.parts.intake.enable(self._enabled)

    def _load_engine(self) -> Engine:
        """The model; called in a thread of its own."""
        return load_engine(self.parameters, load=self._load_pipeline)

    def _release(self) -> None:
        """Undoes configure; may be called in any state and again."""
        parts, self.parts = self.parts, None
        if parts is not None:
            try:
                parts.release()
            finally:
                self._unfinished = parts.worker.unfinished

    # --- faults

    def _watch(self) -> None:
        """Has the process end where middleware, worker or model are of no use any more."""
        if self.fault is not None:
            return
        self.fault = self._pulse.fault(
            turned_s=WATCHDOG_PERIOD_S, limit_s=self.parameters.watchdog_timeout
        )
        if self.fault is None and self.lifecycle.state == 'active':
            self.fault = self._configured.fault()
        if self.fault is not None:
            self.get_logger().fatal(
                f'{self.fault.reason}; the process ends with status {self.fault.status}, to be '
                'started anew'
            )
            self._diagnostics.publish_last()

    def _on_clock_jump(self, jump: TimeJump) -> None:
        """Forgets all that was measured by the clock as it was before it was set back."""
        self._clock_jumps += 1
        self.get_logger().warning(
            f'the clock jumped by {jump.delta.nanoseconds * 1e-9:.3f} s; all times are forgotten'
        )
        if self.parts is not None:
            self.parts.begin_anew()

    # --- parameters, service, diagnostics

    def _apply_parameters(self, parameters: NodeParameters) -> None:
        if self.parts is not None:
            self.parts.apply(parameters)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> Any:
        """Switches intake on or off without a change of state."""
        self._enabled = request.data
        if self.parts is not None:
            self.parts.intake.enable(self._enabled)
        response.success = True
        response.message = (
            f'intake {"on" if self._enabled else "off"}, node {self.lifecycle.state}'
        )
        return response

    def _report(self) -> NodeReport:
        return NodeReport(
            lifecycle_state=self.lifecycle.state,
            parts=self.parts,
            is_enabled=self._enabled,
            failure=self.fault.reason if self.fault is not None else self.lifecycle.failure,
            values={
                'parameters_without_effect': self._parameter_server.without_effect or 'none',
                'clock_jumps': self._clock_jumps,
                'loading_for_s': f'{self._loading.loading_for_s:.1f}',
                'middleware_silent_s': self._pulse.text,
                'callback_failures': self.callbacks.failures,
                'last_callback_failure': self.callbacks.last_failure or 'none',
            },
        )
