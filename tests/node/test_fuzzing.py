# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Random messages through a node over DDS."""

from pathlib import Path

import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from tests.images.fuzzed_messages import MessageFuzzer
from tests.images.plain_messages import Compressed, Raw
from tests.node.fake_pipeline import expected_labels
from tests.node.node_harness import half_blue_image, image_message, wait_until
from upsnet_ros.node.process import peak_resident_bytes

SEED = 20261126
NODE_MESSAGES = 1000
MEMORY_LIMIT_MIB = 1536


def ros_message(plain: Raw | Compressed) -> Image | CompressedImage:
    return (Image if isinstance(plain, Raw) else CompressedImage)(**vars(plain))


def test_a_node_answers_the_next_good_frame_after_hundreds_of_random_ones(start_node) -> None:
    Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew: other tests had theirs
    harness = start_node(camera_names=['raw', 'packed'], diagnostics_period=60.0).activate()
    fuzzer = MessageFuzzer(SEED)
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
        message = ros_message(fuzzer.message(stamp)[1])
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
