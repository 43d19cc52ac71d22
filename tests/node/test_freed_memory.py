# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A node that is deactivated or unconfigured keeps nothing of what it did before."""

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import TransitionCallbackReturn
from sensor_msgs.msg import Image

from tests.node.node_harness import half_blue_image, image_message
from upsnet_ros.node.process import forget_destroyed, give_back_memory, resident_bytes
from upsnet_ros.node.transitions import Lifecycle


class Entity:
    """What a callback group may hold, and a ring with itself."""

    def __init__(self) -> None:
        self.ring = self


class SilentLogger:
    """Logs nothing."""

    def info(self, text: str) -> None:
        pass


@pytest.fixture
def no_collection() -> Iterator[None]:
    """Python itself looks for no rings."""
    gc.disable()
    yield
    gc.enable()


def test_a_ring_is_freed(no_collection: None) -> None:
    kept = weakref.ref(Entity())
    assert kept() is not None
    give_back_memory()
    assert kept() is None


def test_what_is_free_between_pieces_in_use_goes_back_to_the_system() -> None:
    before = resident_bytes()
    # Below the size from which the C library maps each piece by itself.
    pieces = [np.ones(100_000, np.uint8) for _ in range(1000)]
    last = pieces.pop()
    assert resident_bytes() - before > 80_000_000
    pieces.clear()
    give_back_memory()
    assert resident_bytes() - before < 20_000_000
    assert last.all()


@pytest.mark.parametrize(
    ('name', 'is_freed'), [('deactivate', True), ('cleanup', True), ('activate', False)]
)
def test_transitions_that_leave_memory_give_it_back(name, is_freed, no_collection) -> None:
    kept = weakref.ref(Entity())
    result = Lifecycle(SilentLogger()).run(name, lambda: None)
    assert result == TransitionCallbackReturn.SUCCESS
    assert (kept() is None) == is_freed
    gc.collect()


def test_a_group_forgets_what_is_gone_and_nothing_else() -> None:
    group = MutuallyExclusiveCallbackGroup()
    kept = [Entity() for _ in range(3)]
    for entity in (*kept, Entity(), Entity()):
        group.add_entity(entity)
    del entity
    gc.collect()
    assert len(group.entities) == 5
    forget_destroyed(group)
    assert len(group.entities) == 3
    assert all(group.has_entity(entity) for entity in kept)


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
