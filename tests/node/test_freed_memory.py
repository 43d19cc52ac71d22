# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that is deactivated or unconfigured keeps nothing of what it did before."""

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from sensor_msgs.msg import Image

from tests.node.node_harness import half_blue_image, image_message
from upsnet_ros.core.own_process import give_back_memory
from upsnet_ros.node.process import resident_bytes


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Python itself looks for no rings."""
    gc.disable()
    yield
    gc.enable()


def test_what_is_free_between_pieces_in_use_goes_back_to_the_system() -> None:
    give_back_memory()  # what other tests freed is not to be used again below
    before = resident_bytes()
    # Below the size from which the C library maps each piece by itself.
    pieces = [np.ones(100_000, np.uint8) for _ in range(1000)]
    last = pieces.pop()
    assert resident_bytes() - before > 80_000_000
    pieces.clear()
    give_back_memory()
    assert resident_bytes() - before < 20_000_000
    assert last.all()


def test_a_node_brought_back_again_and_again_holds_no_more_than_once(
    start_node, no_collection
) -> None:
    harness = start_node()
    pipelines, entities = [], []
    for turn in range(4):
        harness.activate()
        labels = harness.subscribe(Image, 'camera/panoptic/image')
        camera = harness.publisher(Image, 'camera/image_raw')
        camera.publish(image_message(half_blue_image(), stamp=turn + 1))
        labels.wait()
        pipelines.append(weakref.ref(harness.loader.pipelines.pop()))
        assert harness.change_state('deactivate')
        assert harness.change_state('cleanup')
        harness.client.destroy_publisher(camera)
        entities.append(len(harness.node.default_callback_group.entities))
    assert [pipeline() for pipeline in pipelines] == [None] * 4
    assert entities[1:] == [entities[1]] * 3
