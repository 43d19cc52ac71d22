# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Each fault that is injected into a running node has its outcome, and the node serves again."""

from collections.abc import Callable, Iterator

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from tests.node.fake_pipeline import FakeLoader, FakePipeline, missing_model
from tests.node.fault_rig import FaultRig, check_accounts
from tests.node.node_harness import (
    half_blue_image,
    image_message,
    status_values,
    wait_until,
)

OK, WARN, ERROR = b'\x00', b'\x01', b'\x02'


class Died(BaseException):
    """What no boundary for exceptions holds back."""


@pytest.fixture
def rig(start_node) -> Iterator[Callable[..., FaultRig]]:
    rigs = []

    def start(**options) -> FaultRig:
        rigs.append(FaultRig(start_node(diagnostics_period=0.05, **options)))
        return rigs[-1]

    yield start
    for started in rigs:
        check_accounts(started.harness)


def worker_values(status: DiagnosticStatus) -> tuple[str, str, str]:
    values = status_values(status)
    return values['failures'], values['worker_restarts'], values['model_reloads']


def test_a_worker_that_dies_is_replaced_and_reported_until_a_frame_succeeds(rig) -> None:
    node = rig()
    node.serve()
    node.harness.loader.pipeline.error = Died('of old age')
    node.fail()
    status = node.wait_for('worker', lambda s: s.level == ERROR, 'the error')
    assert 'Died: of old age' in status.message and 'limit 5' in status.message
    node.harness.loader.pipeline.error = None
    wait_until(lambda: node.harness.node.parts.supervisor.state.restarts == 1, 'the new worker')
    node.serve()
    status = node.wait_for('worker', lambda s: s.level == OK, 'the end of the error')
    assert worker_values(status) == ('1', '1', '0')
    assert node.harness.state() == 'active'


def test_a_worker_that_hangs_is_given_up_with_its_model_and_never_publishes(rig) -> None:
    node = rig(watchdog_timeout=0.3)
    node.serve()
    hanging = node.harness.loader.pipeline
    hanging.gate.clear()
    lost = node.send()
    status = node.wait_for(
        'worker', lambda s: status_values(s)['model_reloads'] == '1', 'the new model'
    )
    assert status.level == ERROR and 'limit 0.3 s' in status.message
    assert status_values(status)['worker_restarts'] == '1'
    assert hanging.closed == 1
    node.serve()
    hanging.gate.set()
    node.serve()
    node.wait_for('worker', lambda s: s.level == OK, 'the end of the error')
    assert lost not in [message.header.stamp.sec for message in node.labels.messages]
    assert node.harness.node.parts.cameras[0].snapshot().failed == 1


class HangingLoader(FakeLoader):
    """All pipelines hang until told otherwise."""

    hangs = True

    def __call__(self, *arguments, **options) -> FakePipeline:
        pipeline = super().__call__(*arguments, **options)
        if self.hangs:
            pipeline.gate.clear()
        return pipeline


def test_a_worker_that_hangs_again_at_once_has_the_node_deactivated(rig) -> None:
    loader = HangingLoader()
    node = rig(watchdog_timeout=0.3, loader=loader)
    node.send()
    wait_until(lambda: len(loader.pipelines) == 2, 'the second model')
    node.send()
    status = node.wait_for('engine', lambda s: 'deactivated' in s.message, 'the reason')
    assert status.level == ERROR
    assert 'no progress' in status.message and 'limit 0.3 s' in status.message
    assert node.harness.state() == 'inactive'
    loader.hangs = False
    assert node.harness.change_state('activate')
    wait_until(lambda: node.raw.get_subscription_count() == 1, 'the new subscription')
    node.serve()
    assert len(loader.pipelines) == 3
    node.wait_for('engine', lambda s: s.level == OK, 'the end of the error')


def test_failures_in_a_row_have_the_model_loaded_anew(rig) -> None:
    node = rig(max_consecutive_failures=3)
    broken = node.harness.loader.pipeline
    broken.error = RuntimeError('device lost')
    node.fail(2)
    assert len(node.harness.loader.pipelines) == 1
    node.fail(1)
    wait_until(lambda: len(node.harness.loader.pipelines) == 2, 'the new model')
    node.wait_for('worker', lambda s: status_values(s)['model_reloads'] == '1', 'the count')
    node.serve()
    status = node.wait_for('worker', lambda s: s.level == OK, 'the end of the error')
    assert worker_values(status) == ('3', '0', '1')
    assert broken.closed == 1
    assert node.harness.loader.pipeline.thresholds  # as the parameters say, like the first


class BrokenLoader(FakeLoader):
    """All pipelines fail until told otherwise."""

    error: Exception | None = RuntimeError('device lost')

    def __call__(self, *arguments, **options) -> FakePipeline:
        pipeline = super().__call__(*arguments, **options)
        pipeline.error = self.error
        return pipeline


def test_failures_that_a_new_model_does_not_end_have_the_node_deactivated(rig) -> None:
    loader = BrokenLoader()
    node = rig(max_consecutive_failures=2, loader=loader)
    node.fail(2)
    wait_until(lambda: len(loader.pipelines) == 2, 'the new model')
    node.fail(2)
    status = node.wait_for('engine', lambda s: 'deactivated' in s.message, 'the reason')
    assert status.level == ERROR
    assert '2 failures in a row' in status.message and 'device lost' in status.message
    wait_until(lambda: node.harness.state() == 'inactive', 'inactive')
    loader.error = None
    assert node.harness.change_state('activate')
    wait_until(lambda: node.raw.get_subscription_count() == 1, 'the new subscription')
    node.serve()


def test_a_model_that_cannot_be_loaded_anew_has_the_node_deactivated(rig) -> None:
    node = rig(max_consecutive_failures=1)
    node.harness.loader.refusal = missing_model()
    node.harness.loader.pipeline.error = RuntimeError('device lost')
    node.fail()
    status = node.wait_for('engine', lambda s: 'deactivated' in s.message, 'the reason')
    assert '/nowhere/model.onnx' in status.message
    assert node.harness.state() == 'inactive'
    assert node.harness.change_state('cleanup')
    assert not node.harness.change_state('configure')
    node.harness.loader.refusal = None
    assert node.harness.change_state('configure')


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
    assert node.harness.node.parts.recovery.state.total == 0
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
