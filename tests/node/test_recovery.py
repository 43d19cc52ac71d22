# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import itertools
import threading
from pathlib import Path

import pytest

from tests.node.fake_pipeline import FakePipeline, missing_model
from upsnet_ros.node.engine import Engine, file_identity
from upsnet_ros.node.engine_slot import EngineSlot
from upsnet_ros.node.recovery import Recovery


def play(recovery: Recovery, events: str) -> Recovery:
    """f: failure, h: hang, s: success, r: the moment before a frame, b: new activation."""
    actions = {
        'f': lambda: recovery.record_failure('broke'),
        'h': lambda: recovery.record_hang('hangs'),
        's': recovery.record_success,
        'r': lambda: recovery.reload_if_wanted(lambda: None),
        'b': recovery.begin,
    }
    for event in events:
        actions[event]()
    return recovery


@pytest.mark.parametrize(
    ('events', 'wants_reload', 'stops'),
    [
        ('', False, False),
        ('ff', False, False),
        ('fff', True, False),
        ('ffsff', False, False),
        ('fffr', False, False),
        ('fffrff', False, False),
        ('fffrfff', False, True),
        ('fffrffsff', False, False),
        ('fffrsfff', True, False),
        ('h', True, False),
        ('hrff', False, False),
        ('hh', False, True),
        ('hrh', False, True),
        ('hrsh', True, False),
        ('fffrh', False, True),
        ('hrfff', False, True),
        ('hrhb', True, False),
        ('hrhbrs', False, False),
        ('hrhbrh', False, True),
        ('hb', True, False),
        ('fffrfffs', False, False),
    ],
)
def test_what_failures_lead_to(events: str, wants_reload: bool, stops: bool) -> None:
    state = play(Recovery(max_failures=3), events).state
    assert (state.wants_reload, bool(state.stop_reason)) == (wants_reload, stops)
    assert state.total == events.count('f') + events.count('h')


def test_without_a_limit_failures_only_count_but_a_hang_does_not() -> None:
    recovery = play(Recovery(max_failures=0), 'f' * 100)
    assert (recovery.state.in_a_row, recovery.state.wants_reload) == (100, False)
    assert play(recovery, 'h').state.wants_reload


def test_the_reason_names_number_and_cause() -> None:
    reason = play(Recovery(max_failures=2), 'ffrff').state.stop_reason
    assert '2 failures in a row' in reason and 'broke' in reason and 'loaded anew' in reason


@pytest.mark.parametrize('error', [missing_model(), RuntimeError('no luck')])
def test_a_reload_that_fails_is_a_reason_to_stop(error: Exception) -> None:
    def fail() -> None:
        raise error

    recovery = play(Recovery(max_failures=1), 'f')
    recovery.reload_if_wanted(fail)
    assert str(error) in recovery.state.stop_reason
    assert not recovery.state.wants_reload
    assert play(recovery, 'b').state.wants_reload  # a new activation tries again


@pytest.mark.parametrize('error', [None, missing_model()])
@pytest.mark.parametrize(
    ('meanwhile', 'wants_reload', 'stops'),
    [('h', False, True), ('b', True, False), ('hb', True, False)],
)
def test_a_reload_that_was_given_up_says_nothing_when_it_ends(
    meanwhile: str, wants_reload: bool, stops: bool, error: Exception | None
) -> None:
    recovery = play(Recovery(max_failures=1), 'f')

    def reload() -> None:
        play(recovery, meanwhile)
        if error is not None:
            raise error

    recovery.reload_if_wanted(reload)
    state = recovery.state
    assert (state.wants_reload, bool(state.stop_reason)) == (wants_reload, stops)
    assert '/nowhere' not in state.stop_reason
    assert play(recovery, 'b').state.wants_reload  # the model in use may be closed


class Engines:
    """Loads engines with fake pipelines, the second only when the gate opens."""

    def __init__(self) -> None:
        self.pipelines: list[FakePipeline] = []
        self.begun, self.gate = threading.Event(), threading.Event()

    def __call__(self) -> Engine:
        if self.pipelines:
            self.begun.set()
            assert self.gate.wait(20)
        self.pipelines.append(FakePipeline())
        return Engine(self.pipelines[-1], Path('none'), ())

    @property
    def closed(self) -> list[int]:
        return [pipeline.closed for pipeline in self.pipelines]


def test_a_reload_frees_the_old_model_and_puts_the_new_one_in_place() -> None:
    engines = Engines()
    engines.gate.set()
    slot = EngineSlot(engines)
    slot.reload()
    assert slot.engine.pipeline is engines.pipelines[1]
    assert (engines.closed, slot.reloads) == ([1, 0], 1)
    slot.close()
    assert engines.closed == [1, 1]


@pytest.mark.parametrize('way', ['close', 'disown'])
def test_a_model_that_nobody_waits_for_any_more_is_freed(way: str) -> None:
    engines = Engines()
    slot = EngineSlot(engines)
    thread = threading.Thread(target=slot.reload)
    thread.start()
    assert engines.begun.wait(20)
    assert slot.is_reloading
    getattr(slot, way)()
    engines.gate.set()
    thread.join(20)
    assert engines.closed[1] == 1
    assert slot.engine.pipeline is engines.pipelines[0]
    assert not slot.is_reloading


class ManyEngines:
    """Loads engines, each when its own gate opens; the first at once."""

    def __init__(self) -> None:
        self.begun = [threading.Event() for _ in range(3)]
        self.gates = [threading.Event() for _ in range(3)]
        self.gates[0].set()
        self._numbers = itertools.count()

    def __call__(self) -> Engine:
        number = next(self._numbers)
        self.begun[number].set()
        assert self.gates[number].wait(20)
        return Engine(FakePipeline(), Path(str(number)), ())


def test_a_load_that_was_given_up_does_not_hide_the_one_that_goes_on() -> None:
    engines = ManyEngines()
    slot = EngineSlot(engines)
    first = threading.Thread(target=slot.reload)
    first.start()
    assert engines.begun[1].wait(20)
    slot.disown()
    second = threading.Thread(target=slot.reload)
    second.start()
    assert engines.begun[2].wait(20)
    engines.gates[1].set()
    first.join(20)
    assert slot.is_reloading
    engines.gates[2].set()
    second.join(20)
    assert not slot.is_reloading
    assert (slot.engine.model_path, slot.reloads) == (Path('2'), 1)


def test_what_changes_while_a_model_is_loaded_reaches_it() -> None:
    engines, tuned, limit = Engines(), [], ['old']
    slot = EngineSlot(engines, tune=lambda engine: tuned.append((engine.pipeline, limit[0])))
    thread = threading.Thread(target=slot.reload)
    thread.start()
    assert engines.begun.wait(20)
    limit[0] = 'new'
    slot.tune()
    engines.gate.set()
    thread.join(20)
    first, second = engines.pipelines
    assert tuned == [(first, 'old'), (first, 'new'), (second, 'new')]


def test_a_file_is_known_by_what_changes_when_it_is_replaced(tmp_path) -> None:
    path = tmp_path / 'model.onnx'
    assert file_identity(path) is None
    path.write_bytes(b'one')
    first = file_identity(path)
    assert file_identity(path) == first
    other = tmp_path / 'other'
    other.write_bytes(b'one')
    other.replace(path)
    assert file_identity(path) != first
