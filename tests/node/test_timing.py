# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import itertools

import pytest
from sensor_msgs.msg import Image

from tests.node.node_harness import half_blue_image, image_message, status_values
from upsnet_ros.msg import FrameTiming
from upsnet_ros.node.diagnostics import timing_status, timing_statuses
from upsnet_ros.node.parameters import NodeParameters
from upsnet_ros.node.timing import Delays, NodeTiming, TimingWindow

NONE_LATE = Delays()
OK, WARN, ERROR = b'\x00', b'\x01', b'\x02'


def limits(limit_ms: float, most_late: int) -> NodeParameters:
    return NodeParameters(max_processing_time=float(limit_ms), max_consecutive_delays=most_late)


def status_of(timing: TimingWindow, limit_ms: float, delays: Delays = NONE_LATE, most: int = 0):
    return timing_status('t', timing, delays, limits(limit_ms, most), hardware_id='tiny')


def test_percentiles_of_every_stage() -> None:
    timing = TimingWindow(frames=101)
    status = status_of(timing, 5)
    assert (status.level, status_values(status)['total_ms_p50']) == (OK, 'n/a')
    timing.add({'total': 1e6})  # leaves the window
    for duration in range(101):
        timing.add({'total': float(duration), 'decode': 2.0})
    values = status_values(status_of(timing, 0))
    found = [values[f'total_ms_p{share}'] for share in (50, 95, 99)]
    assert found == ['50.0', '95.0', '99.0']
    assert (values['decode_ms_p99'], values['processing_time_ms']) == ('2.0', '100.0')


@pytest.mark.parametrize(
    ('limit', 'delays', 'most', 'level', 'in_range', 'row_in_range'),
    [
        (0, Delays(), 0, OK, 'True', 'True'),
        (95, Delays(9, 0), 3, OK, 'True', 'True'),
        (94.9, Delays(9, 0), 3, WARN, 'False', 'True'),
        (95, Delays(9, 2), 3, WARN, 'False', 'True'),
        (95, Delays(9, 3), 3, ERROR, 'False', 'False'),
        (95, Delays(9, 300), 0, WARN, 'False', 'True'),
    ],
)
def test_the_deadline_decides_the_level(
    limit, delays, most, level, in_range, row_in_range
) -> None:
    timing = TimingWindow(frames=101)
    for duration in range(101):
        timing.add({'total': float(duration)})
    status = status_of(timing, limit, delays, most)
    values = status_values(status)
    assert status.level == level
    assert values['is_processing_time_ms_in_expected_range'] == in_range
    assert values['is_consecutive_processing_delay_in_range'] == row_in_range
    if level != OK:
        assert f'95.0 ms, limit {limit:g} ms' in status.message
        assert f'{delays.in_a_row} late in a row' in status.message
    if level == ERROR:
        assert f'limit {most}' in status.message


def test_each_camera_has_its_own_times_and_late_frames() -> None:
    timing = NodeTiming(['a', 'b'], limit_ms=10)
    for camera, total in (('a', 11), ('b', 1), ('a', 12), ('b', 99), ('b', 10)):
        timing.add(camera, {'total': float(total)})
    assert [timing.cameras[name].delays for name in 'ab'] == [Delays(2, 2), Delays(1, 0)]
    assert timing.delays == Delays(3, 2)
    together, a, b = timing_statuses('node', timing, limits(10, 2), model='tiny')
    assert [s.name for s in (together, a, b)] == [
        'node: processing time',
        'node: processing time a',
        'node: processing time b',
    ]
    assert [s.hardware_id for s in (together, a, b)] == ['tiny', 'a', 'b']
    assert (status_values(a)['total_ms_p50'], status_values(b)['total_ms_p50']) == ('11.5', '10.0')
    assert (a.level, together.level) == (ERROR, ERROR)
    timing.clear()
    assert (timing.delays, timing.together.stages()) == (Delays(), [])


def test_late_frames_warn_and_then_are_an_error_until_one_is_in_time(start_node) -> None:
    harness = start_node(
        diagnostics_period=0.05, max_processing_time=0.001, max_consecutive_delays=3
    ).activate()
    diagnostics = harness.diagnostics()
    labels = harness.subscribe(Image, 'camera/panoptic/image')
    raw = harness.publisher(Image, 'camera/image_raw')
    stamps = itertools.count(1)

    def serve() -> None:
        raw.publish(image_message(half_blue_image(), stamp=next(stamps)))
        labels.wait(len(labels.messages) + 1)

    serve()
    diagnostics.status('processing time camera', level=WARN)
    serve()
    serve()
    diagnostics.status('processing time camera', level=ERROR)
    assert harness.set_parameters(max_processing_time=60000.0).successful
    serve()
    diagnostics.status('processing time camera', level=OK)


def test_the_times_of_each_frame_are_published_with_its_header(start_node) -> None:
    harness = start_node(camera_names=['front']).activate()
    timing = harness.subscribe(FrameTiming, 'perception_node/debug/front/timing')
    image = image_message(half_blue_image())
    image.header.stamp = harness.client.get_clock().now().to_msg()
    harness.publisher(Image, 'front/image_raw').publish(image)
    (times,) = timing.wait()
    assert times.header == image.header
    assert (times.preprocess_ms, times.inference_ms, times.panoptic_head_ms) == (1.0, 2.0, 3.0)
    parts = times.receive_ms + times.wait_ms + times.processing_time_ms
    assert times.age_ms == pytest.approx(parts, abs=1.0)
    measured = (times.receive_ms, times.wait_ms, times.decode_ms, times.publish_ms)
    assert all(0 < duration < 10_000 for duration in measured)
