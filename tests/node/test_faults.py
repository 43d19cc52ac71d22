# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each fault that is injected into a running node has its outcome."""

import time

from tests.node.fake_pipeline import FakeLoader
from tests.node.fault_rig import FaultRig
from tests.node.node_harness import (
    half_blue_image,
    image_message,
    status_values,
    wait_until,
)
from upsnet_ros.core.errors import DeviceLostError
from upsnet_ros.node.frame_processor import ModelFailures
from upsnet_ros.node.process import ExitStatus

OK, WARN, ERROR = b'\x00', b'\x01', b'\x02'


class Died(BaseException):
    """What no boundary for exceptions holds back."""


def wait_for_fault(node: FaultRig, status: ExitStatus, *texts: str) -> None:
    """Waits until the process would end with a status, and its diagnostics say why."""
    wait_until(lambda: node.harness.node.fault is not None, 'the fault')
    assert node.harness.node.fault.status == status
    shown = node.wait_for('engine', lambda s: s.level == ERROR, 'the reason')
    for text in texts:
        assert text in shown.message


def test_a_worker_that_dies_ends_the_process(rig) -> None:
    node = rig()
    node.serve()
    node.harness.loader.pipeline.error = Died('of old age')
    node.fail()
    wait_for_fault(node, ExitStatus.WORKER_DIED, 'worker died', 'Died: of old age')
    node.wait_for('worker', lambda s: 'of old age' in s.message and s.level == ERROR, 'the same')


def test_a_worker_that_hangs_ends_the_process_and_never_publishes(rig) -> None:
    node = rig()
    node.serve()
    hanging = node.harness.loader.pipeline
    hanging.gate.clear()
    node.send()
    assert node.harness.set_parameters(watchdog_timeout=0.3).successful
    wait_for_fault(node, ExitStatus.NO_PROGRESS, 'no progress', 'limit 0.3 s')
    (camera,) = node.harness.node.parts.cameras
    assert (camera.snapshot().failed, camera.snapshot().processed) == (1, 1)
    assert 'no progress' in camera.snapshot().last_reason
    thread = node.harness.node.parts.worker.unfinished
    hanging.gate.set()
    thread.join(20)
    assert (camera.snapshot().failed, camera.snapshot().processed) == (1, 1)
    assert len(node.labels.messages) == 1


def test_failures_in_a_row_end_the_process(rig) -> None:
    node = rig(max_consecutive_failures=3)
    pipeline = node.harness.loader.pipeline
    pipeline.error = RuntimeError('device lost')
    node.fail(2)
    text = '2 failures in a row, limit 3: RuntimeError: device lost'
    node.wait_for('worker', lambda s: s.level == ERROR and s.message == text, text)
    pipeline.error = None
    node.serve()
    node.wait_for('worker', lambda s: s.level == OK, 'the end of the error')
    pipeline.error = RuntimeError('device lost')
    node.fail(2)
    assert node.harness.node.fault is None
    node.fail(1)
    wait_for_fault(node, ExitStatus.MODEL_FAILED, '3 failures in a row', 'device lost')


def test_a_lost_device_ends_the_process_at_once_whatever_the_limit(rig) -> None:
    node = rig(max_consecutive_failures=0)
    node.harness.loader.pipeline.error = DeviceLostError('illegal address; end this process')
    node.fail(1)
    wait_for_fault(node, ExitStatus.MODEL_FAILED, 'illegal address; end this process')


def test_without_limits_nothing_ends_the_process(rig) -> None:
    node = rig(max_consecutive_failures=0, watchdog_timeout=0.0)
    pipeline = node.harness.loader.pipeline
    pipeline.error = RuntimeError('device lost')
    node.fail(10)
    pipeline.error = None
    node.serve()
    assert node.harness.node.fault is None


def test_a_model_that_holds_up_the_executor_is_not_held_against_the_middleware(rig) -> None:
    holds = [0.0, 2.0]  # the limit several times over
    loader = FakeLoader(lambda pipeline: time.sleep(holds.pop(0)))
    node = rig(watchdog_timeout=0.3, loader=loader)

    def is_watched(engine) -> bool:
        return status_values(engine)['middleware_silent_s'] not in ('', 'not watched')

    node.wait_for('engine', is_watched, 'a sign of life of the middleware')
    for transition in ('deactivate', 'cleanup', 'configure', 'activate'):
        assert node.harness.change_state(transition)
    wait_until(lambda: node.raw.get_subscription_count() == 1, 'the new subscription')
    node.serve()
    assert node.harness.node.fault is None and not holds


def test_a_new_activation_is_not_judged_by_the_failures_of_the_last(rig) -> None:
    node = rig(max_consecutive_failures=2)
    node.harness.loader.pipeline.error = RuntimeError('device lost')
    node.fail()
    assert node.harness.change_state('deactivate') and node.harness.change_state('activate')
    wait_until(lambda: node.raw.get_subscription_count() == 1, 'the new subscription')
    node.fail()
    assert node.harness.node.parts.processor.failures == ModelFailures(
        2, 1, 'RuntimeError: device lost'
    )
    assert node.harness.node.fault is None


def test_memory_that_runs_out_costs_the_frame_and_says_what_to_do(rig) -> None:
    node = rig()
    node.harness.loader.pipeline.error = MemoryError()
    node.fail()
    status = node.wait_for('camera camera', lambda s: s.level == ERROR, 'the failure')
    assert 'out of memory' in status.message and 'smaller' in status.message
    node.harness.loader.pipeline.error = None
    node.serve()
    assert len(node.harness.loader.pipelines) == 1


def test_images_that_cannot_be_read_never_count_against_the_model(rig) -> None:
    node = rig(max_consecutive_failures=1)
    camera = node.harness.node.parts.cameras[0]
    for stamp in range(1, 6):
        node.raw.publish(image_message(half_blue_image(), encoding='64FC9', stamp=stamp))
        wait_until(lambda stamp=stamp: camera.snapshot().rejected == stamp, 'the rejection')
    assert node.harness.node.parts.processor.failures.total == 0
    assert len(node.harness.loader.pipelines) == 1


def test_a_model_file_that_is_replaced_is_reported_until_it_is_loaded(rig, tmp_path) -> None:
    path = tmp_path / 'model.onnx'
    path.write_bytes(b'the first')
    node = rig(model_path=str(path))
    node.wait_for('engine', lambda s: s.level == OK, 'a fine start')
    path.write_bytes(b'the second, which is longer')
    status = node.wait_for('engine', lambda s: s.level == WARN, 'the warning')
    assert 'restart or reconfigure' in status.message
    node.serve()  # with the one that was loaded
    for transition in ('deactivate', 'cleanup', 'configure'):
        assert node.harness.change_state(transition)
    node.wait_for('engine', lambda s: s.level == OK, 'the end of the warning')
    path.unlink()
    node.wait_for('engine', lambda s: s.level == WARN, 'the warning of a removed file')
