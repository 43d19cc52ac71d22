# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Loads of the model that hang or that something happens in."""

import threading

from tests.node.fake_pipeline import FakeLoader, FakePipeline
from tests.node.fault_rig import FaultRig, check_accounts
from tests.node.node_harness import wait_until

OK = b'\x00'


class SlowLoader(FakeLoader):
    """Loads the second pipeline only when the gate opens."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.loaded = threading.Event()

    def __call__(self, *arguments, **options) -> FakePipeline:
        if len(self.calls) == 1:
            self.calls.append(())
            assert self.gate.wait(60)
            self.loaded.set()
        return super().__call__(*arguments, **options)


def test_thresholds_that_change_while_the_model_is_loaded_anew_hold_for_the_new_one(
    start_node,
) -> None:
    loader = SlowLoader()
    node = FaultRig(start_node(loader=loader, max_consecutive_failures=1))
    loader.pipeline.error = RuntimeError('device lost')
    node.fail()
    wait_until(lambda: node.harness.node.parts.engines.is_reloading, 'the load')
    assert node.harness.set_parameters(score_threshold=0.125).successful
    loader.gate.set()
    node.serve()
    assert len(loader.pipelines) == 2
    assert loader.pipeline.thresholds[-1]['score_threshold'] == 0.125
    check_accounts(node.harness)


def test_a_load_that_hangs_has_the_node_deactivated_and_its_late_end_changes_nothing(
    start_node,
) -> None:
    loader = SlowLoader()
    node = FaultRig(start_node(loader=loader, watchdog_timeout=0.2, diagnostics_period=0.05))
    loader.pipeline.gate.clear()
    node.send()
    status = node.wait_for('engine', lambda s: 'deactivated' in s.message, 'the reason')
    assert 'limit 2 s' in status.message  # a load may take longer than a frame
    assert node.harness.state() == 'inactive'
    reason = node.harness.node.parts.recovery.state.stop_reason
    loader.gate.set()
    wait_until(
        lambda: len(loader.pipelines) == 2 and loader.pipelines[1].closed == 1, 'the late end'
    )
    assert node.harness.node.parts.recovery.state.stop_reason == reason
    assert node.harness.set_parameters(watchdog_timeout=30.0).successful
    assert node.harness.change_state('activate')
    wait_until(lambda: node.raw.get_subscription_count() == 1, 'the new subscription')
    node.serve()
    assert len(loader.pipelines) == 3  # the first was closed, and the second came too late
    node.wait_for('worker', lambda s: s.level == OK, 'the end of the error')
    check_accounts(node.harness)
