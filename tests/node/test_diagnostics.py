# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import os
import resource
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool

from tests.node.fake_pipeline import FakePipeline
from tests.node.node_harness import find_status, half_blue_image, image_message, status_values
from upsnet_ros.node.camera import CameraSnapshot
from upsnet_ros.node.diagnostics import (
    NodeReport,
    camera_status,
    engine_status,
    memory_status,
)
from upsnet_ros.node.engine import Engine
from upsnet_ros.node.process import peak_resident_bytes, resident_bytes

OK, WARN, ERROR = b'\x00', b'\x01', b'\x02'
MEBIBYTE = 1 << 20
REJECTED = {'last_reason': 'bad step', 'last_loss': 'rejected'}
FINE = CameraSnapshot(
    name='front',
    received=9,
    processed=6,
    dropped=2,
    rejected=1,
    last_age_s=0.5,
    open_for_s=60.0,
    rate_hz=10.04,
    processed_hz=4.96,
    encoding='rgb8',
    image_size=(512, 1024),
)


@pytest.mark.parametrize(
    ('changes', 'is_open', 'state', 'level', 'texts'),
    [
        ({}, True, 'ok', OK, ['10.0', '5.0 processed']),
        ({'order_is_broken': True}, True, 'ok', WARN, ['out of order', 'drop_out_of_order']),
        ({}, False, 'closed', OK, []),
        ({'last_age_s': None, 'open_for_s': 1.9}, True, 'waiting', WARN, []),
        (
            {'last_age_s': None, 'open_for_s': 2.5},
            True,
            'stale',
            ERROR,
            ['since intake opened', '2.5', 'limit 2 s'],
        ),
        ({'last_age_s': 2.5}, True, 'stale', ERROR, ['2.5', 'limit 2 s']),
        (
            {'last_reason': 'bad step', 'last_loss': 'rejected'},
            True,
            'rejected',
            ERROR,
            ['bad step'],
        ),
        (
            {'last_reason': 'broken', 'last_loss': 'failed'},
            True,
            'failed',
            ERROR,
            ['broken'],
        ),
        ({'overflowed': 3}, True, 'ok', WARN, ['3 frames', 'process_all_memory']),
        (
            {'overflowed': 3, 'last_reason': 'bad step', 'last_loss': 'rejected'},
            True,
            'rejected',
            ERROR,
            ['bad step'],
        ),
        (
            {'overflowed': 3, 'is_overflowing': True, **REJECTED},
            True,
            'overflowed',
            ERROR,
            ['3 frames', 'process_all_memory', 'bad step'],
        ),
        ({'qos_problem': 'RELIABILITY'}, True, 'waiting', ERROR, ['RELIABILITY', 'input_qos']),
    ],
)
def test_camera_states(changes, is_open, state, level, texts) -> None:
    snapshot = replace(FINE, **changes)
    status = camera_status('node', snapshot, is_open=is_open, stale_after_s=2.0)
    assert status.name == 'node: camera front'
    assert status.hardware_id == 'front'
    assert status_values(status)['state'] == state
    assert status.level == level
    for text in texts:
        assert text in status.message


def test_camera_values() -> None:
    values = status_values(camera_status('node', FINE, is_open=True, stale_after_s=2.0))
    assert values == {
        'state': 'ok',
        'received': '9',
        'processed': '6',
        'waiting': '0',
        'dropped': '2',
        'overflowed': '0',
        'out_of_order': '0',
        'rate_limited': '0',
        'rejected': '1',
        'failed': '0',
        'discarded': '0',
        'rate_hz': '10.0',
        'processed_hz': '5.0',
        'last_image_age_s': '0.50',
        'encoding': 'rgb8',
        'image_size': '1024x512',
        'last_reason': 'none',
    }


def test_what_a_backend_says_beside_the_protocol_is_shown_as_it_is_now() -> None:
    engine = Engine(FakePipeline(), Path('model.engine'), ())
    report = NodeReport('active', parts=SimpleNamespace(engine=engine))
    backend = engine.pipeline.backend
    assert not {'is_from_cache', 'uses_graph'} & engine.facts().keys()
    assert engine.facts()['precision'] == 'fp32'
    backend.uses_graph, backend.precision = True, 'fp16'
    facts = status_values(engine_status('node', report))
    assert (facts['precision'], facts['uses_graph']) == ('fp16', 'True')
    backend.uses_graph = False
    assert status_values(engine_status('node', report))['uses_graph'] == 'False'


def test_memory_is_that_of_the_process() -> None:
    before = resident_bytes()
    block = np.ones(64 * MEBIBYTE, np.uint8)
    assert resident_bytes() - before >= 60 * MEBIBYTE
    assert peak_resident_bytes() >= resident_bytes()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    assert peak_resident_bytes() == pytest.approx(most, rel=0.05)
    assert block[-1] == 1


def test_memory_is_unknown_where_the_system_does_not_tell(tmp_path) -> None:
    assert resident_bytes(tmp_path / 'missing') is None
    (tmp_path / 'other').write_text('Name:\tpython\n')
    assert peak_resident_bytes(tmp_path / 'other') is None
    status = memory_status('node', backend=None, limit_mib=1, resident=lambda: None)
    assert (status.level, status_values(status)['resident_mib']) == (OK, 'n/a')


@pytest.mark.parametrize(('limit', 'level'), [(0, OK), (100, OK), (99, WARN)])
def test_memory_over_its_limit_is_a_warning_with_both(limit: int, level: bytes) -> None:
    backend = SimpleNamespace(device_memory_bytes=5 * MEBIBYTE)
    status = memory_status(
        'node', backend=backend, limit_mib=limit, resident=lambda: 100 * MEBIBYTE
    )
    assert (status.level, status.name) == (level, 'node: memory')
    assert '100.0 MiB' in status.message
    assert (f'limit {limit} MiB' in status.message) == bool(limit)
    values = status_values(status)
    assert (values['device_mib'], values['limit_mib']) == ('5.0', str(limit or 'none'))
    assert (status.hardware_id, values['process_id']) == (socket.gethostname(), str(os.getpid()))
    assert values['pid_namespace'] == os.readlink('/proc/self/ns/pid')


def test_the_memory_limit_is_live(start_node) -> None:
    harness = start_node(diagnostics_period=0.05)
    diagnostics = harness.diagnostics()
    diagnostics.status('memory', level=OK)
    assert harness.set_parameters(max_memory=1).successful
    diagnostics.status('memory', level=WARN)


def test_a_node_reports_from_its_start_on(start_node) -> None:
    harness = start_node(diagnostics_period=0.05, stale_after=60.0)
    diagnostics = harness.diagnostics()
    assert diagnostics.status('engine', level=WARN).message == 'not configured'
    harness.activate()
    raw = harness.publisher(Image, 'camera/image_raw')
    diagnostics.status('camera camera', state='waiting')
    diagnostics.status('engine', level=OK, sha256='0' * 64, backend='fake')
    raw.publish(image_message(half_blue_image()))
    diagnostics.status('camera camera', processed='1', encoding='bgr8', image_size='8x6')
    times = status_values(diagnostics.status('processing time', inference_ms_p50='2.0'))
    assert {'wait_ms_p95', 'decode_ms_p50', 'publish_ms_p50', 'age_ms_p95'} <= set(times)


def test_every_status_has_a_name_a_hardware_id_and_a_message_in_every_state(start_node) -> None:
    harness = start_node(diagnostics_period=0.05, camera_names=['front', 'rear'])
    diagnostics = harness.diagnostics()
    diagnostics.wait()
    harness.activate()
    seen = diagnostics.wait_for(lambda seen: len(seen[-1].status) == 8, 'all statuses')
    for message in (seen[0], seen[-1]):
        assert all(s.name and s.hardware_id and s.message for s in message.status)
    names = [status.name.split(': ')[1] for status in seen[-1].status]
    assert names == [
        'engine',
        'worker',
        'camera front',
        'camera rear',
        'processing time',
        'processing time front',
        'processing time rear',
        'memory',
    ]


def test_diagnostics_and_services_answer_while_a_frame_is_in_work(start_node) -> None:
    harness = start_node(diagnostics_period=0.05).activate()
    diagnostics = harness.diagnostics()
    pipeline = harness.loader.pipeline
    pipeline.gate.clear()
    harness.publisher(Image, 'camera/image_raw').publish(image_message(half_blue_image()))
    assert pipeline.started.acquire(timeout=60)
    count = len(diagnostics.messages)
    worker = find_status(diagnostics.wait(count + 3), 'worker')
    assert worker.level == OK
    assert 'in work for' in worker.message and 'limit 30 s' in worker.message
    assert harness.state() == 'active'


@pytest.mark.parametrize('way', ['enable', 'deactivate'])
def test_what_was_before_is_not_held_against_a_camera_when_intake_opens_again(
    start_node, way: str
) -> None:
    harness = start_node(diagnostics_period=0.05, stale_after=0.3).activate()
    diagnostics = harness.diagnostics()

    def wait_for(text: str, first: int) -> list[str]:
        seen = diagnostics.wait_for(
            lambda seen: any(text in message for message in messages(seen[first:])), text
        )
        return messages(seen[first:])

    def messages(seen) -> list[str]:
        return [find_status([message], 'camera camera').message for message in seen]

    harness.publisher(Image, 'camera/image_raw').publish(image_message(half_blue_image()))
    wait_for('no image for', 0)
    switch(harness, way, on=False)
    wait_for('intake is closed', len(diagnostics.messages))
    first = len(diagnostics.messages)
    switch(harness, way, on=True)
    found = wait_for('no image since intake opened', first)  # the camera does not come back
    assert not any('no image for' in message for message in found)


def switch(harness, way: str, *, on: bool) -> None:
    """Closes or opens intake in one of the two ways."""
    if way == 'enable':
        request = SetBool.Request(data=on)
        assert harness.call(SetBool, 'perception_node/enable', request).success
    else:
        assert harness.change_state('activate' if on else 'deactivate')
