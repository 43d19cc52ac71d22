# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random messages through the decoders in a process of their own, and through a node over DDS."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from tests.node.fake_pipeline import expected_labels
from tests.node.fuzzed_messages import MessageFuzzer
from tests.node.node_harness import half_blue_image, image_message, wait_until
from upsnet_ros.node.process import peak_resident_bytes

SEED, COUNT = 20261125, 24_000
NODE_MESSAGES = 1000
ROOT = Path(__file__).parents[2]
MEMORY_LIMIT_MIB = 1536


def test_no_message_does_more_than_be_refused_or_decoded() -> None:
    command = [sys.executable, '-m', 'tests.node.fuzz_decoders', str(SEED), str(COUNT)]
    answer = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert answer.returncode == 0, f'{answer.stdout}\n{answer.stderr[-2000:]}'
    report = json.loads(answer.stdout.splitlines()[-1])
    outcomes = report['outcomes']
    assert sum(outcomes.values()) == COUNT + 2
    # Every kind reaches both ends, so neither the guards nor the decoders were merely passed by.
    each = COUNT // len(MessageFuzzer(SEED).kinds)
    for kind in ('sound raw', 'altered raw', 'altered jpeg', 'lying jpeg', 'resealed png'):
        assert outcomes[f'{kind} decoded'] > each // 100, outcomes
        assert outcomes[f'{kind} refused'] > each // 100, outcomes
    assert outcomes['sound file decoded'] == each
    assert outcomes['rubbish refused'] == each
    assert outcomes['largest file decoded'] == 2
    assert report['growth_mib'] < 64, report
    assert report['peak_mib'] < MEMORY_LIMIT_MIB, report
    assert report['slowest_ms'] < 2000, report


def test_a_node_answers_the_next_good_frame_after_hundreds_of_random_ones(start_node) -> None:
    Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew: other tests had theirs
    harness = start_node(camera_names=['raw', 'packed'], diagnostics_period=60.0).activate()
    fuzzer = MessageFuzzer(SEED + 1)
    publishers = {
        Image: harness.publisher(Image, 'raw/image_raw'),
        CompressedImage: harness.publisher(CompressedImage, 'packed/image_raw/compressed'),
    }
    cameras = dict(zip(publishers, harness.node.parts.cameras, strict=True))
    labels = harness.subscribe(Image, 'raw/panoptic/image')
    picture = half_blue_image()

    def finished(camera) -> int:
        counts = camera.snapshot()
        return counts.processed + counts.rejected + counts.failed + counts.dropped

    sent = dict.fromkeys(publishers, 0)
    for stamp in range(1, NODE_MESSAGES + 1):
        message = fuzzer.message(stamp)[1]
        if stamp % 20 == 0:
            message = image_message(picture)
        message.header.stamp.sec = stamp
        kind = type(message)
        publishers[kind].publish(message)
        sent[kind] += 1
        wait_until(lambda kind=kind: finished(cameras[kind]) == sent[kind], f'frame {stamp}')
        if stamp % 20 == 0:
            answers = labels.wait_for(
                lambda seen, stamp=stamp: seen[-1:] and seen[-1].header.stamp.sec == stamp,
                f'the labels of frame {stamp}',
            )
            values = np.frombuffer(answers[-1].data, '<u2').reshape(picture.shape[:2])
            np.testing.assert_array_equal(values, expected_labels(picture))
    for camera in cameras.values():
        counts = camera.snapshot()
        assert counts.rejected > 20 and counts.processed > 20 and counts.failed == 0
    assert peak_resident_bytes() < MEMORY_LIMIT_MIB << 20
