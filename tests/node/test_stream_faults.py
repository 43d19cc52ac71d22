# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Clocks that jump or stand still, bursts, and stamps out of order."""

from types import SimpleNamespace

from rosgraph_msgs.msg import Clock

from tests.node.node_harness import (
    find_status,
    half_blue_image,
    image_message,
    status_values,
    wait_until,
)

OK, WARN = b'\x00', b'\x01'


def test_a_clock_that_jumps_back_begins_everything_anew(rig) -> None:
    node = rig(use_sim_time=True)
    clock = node.harness.client.create_publisher(Clock, '/clock', 10)
    wait_until(lambda: clock.get_subscription_count() == 1, 'the clock')

    def set_clock(seconds: int) -> None:
        message = Clock()
        message.clock.sec = seconds
        clock.publish(message)
        now = node.harness.node.get_clock().now
        wait_until(lambda: now().nanoseconds == seconds * 10**9, f'{seconds} s')

    set_clock(1000)
    before = node.harness.node._clock_jumps
    node.serve()
    node.wait_for(
        'processing time camera', lambda s: s.message != 'no frame yet', 'the time of a frame'
    )
    set_clock(500)
    node.wait_for(
        'engine', lambda s: status_values(s)['clock_jumps'] == str(before + 1), 'the jump'
    )
    node.wait_for('processing time camera', lambda s: s.message == 'no frame yet', 'no times')
    set_clock(501)
    node.raw.publish(image_message(half_blue_image(), stamp=1))  # not later than the last one
    node.labels.wait_for(lambda seen: len(seen) == 2, 'the frame after the jump')
    status = node.wait_for('camera camera', lambda s: s.level == OK, 'a fine camera')
    assert status_values(status)['out_of_order'] == '0'


def test_a_dead_camera_becomes_stale_however_often_the_clock_jumps(rig) -> None:
    node = rig(stale_after=0.5)
    node.serve()
    jump = SimpleNamespace(delta=SimpleNamespace(nanoseconds=-(10**9)))

    def jumps_and_is_stale() -> bool:
        node.harness.node._on_clock_jump(jump)
        seen = list(node.diagnostics.messages)
        return status_values(find_status(seen, 'camera camera'))['state'] == 'stale'

    wait_until(jumps_and_is_stale, 'stale')


def test_without_a_simulated_clock_the_node_reports_serves_and_watches(rig) -> None:
    node = rig(use_sim_time=True)
    node.serve()
    count = len(node.diagnostics.messages)
    node.diagnostics.wait(count + 3)
    node.harness.loader.pipeline.gate.clear()
    node.send()
    assert node.harness.set_parameters(watchdog_timeout=0.3).successful
    wait_until(lambda: node.harness.node.fault is not None, 'the fault')


def test_a_burst_costs_frames_and_nothing_else(rig) -> None:
    node = rig(input_qos='reliable')
    pipeline, camera = node.harness.loader.pipeline, node.harness.node.parts.cameras[0]
    pipeline.gate.clear()
    node.send()
    assert pipeline.started.acquire(timeout=60)
    last = [node.send() for _ in range(200)][-1]
    wait_until(
        lambda: (
            camera._store.peek() is not None and camera._store.peek().stamp_ns // 10**9 == last
        ),
        'the last one',
    )
    pipeline.gate.set()
    node.labels.wait_for(lambda seen: [m.header.stamp.sec for m in seen] == [1, last], 'labels')
    snapshot = camera.snapshot()
    assert snapshot.received == snapshot.processed + snapshot.dropped
    assert snapshot.waiting == 0


def test_duplicated_and_overtaken_images_are_dropped_and_counted_unless_asked_for(rig) -> None:
    node = rig()
    camera = node.harness.node.parts.cameras[0]

    def send(seconds: float) -> None:
        message = image_message(half_blue_image(), stamp=10)
        message.header.stamp.nanosec = round(seconds * 10**9)
        received = camera.snapshot().received
        node.raw.publish(message)
        wait_until(lambda: camera.snapshot().received > received, 'arrival')

    for seconds in (0.5, 0.5, 0.4, 0.6):
        send(seconds)
    node.labels.wait_for(
        lambda seen: bool(seen) and seen[-1].header.stamp.nanosec == 600_000_000, 'the last'
    )
    status = node.wait_for(
        'camera camera', lambda s: status_values(s)['out_of_order'] == '2', 'the count'
    )
    assert status.level == WARN and 'out of order' in status.message
    assert node.harness.set_parameters(drop_out_of_order=False).successful
    send(0.2)
    node.labels.wait_for(
        lambda seen: bool(seen) and seen[-1].header.stamp.nanosec == 200_000_000, 'the early'
    )
