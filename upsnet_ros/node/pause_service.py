# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The service `~/pause` of the bag player, answered while it plays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import SetBool

from upsnet_ros.node.play_schedule import PlaySchedule

# How often the answering thread looks whether it shall end.
LOOK_SECONDS = 0.1


class PauseService:
    """Pauses on true, resumes on false; either may be asked for again without harm."""

    def __init__(self, node: Node, schedule: PlaySchedule) -> None:
        self._schedule = schedule
        node.create_service(SetBool, '~/pause', self._answer)

    def _answer(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        changed = self._schedule.set_paused(request.data)
        state = 'paused' if request.data else 'playing'
        response.success = True
        response.message = state if changed else f'{state} already'
        return response


@contextmanager
def spinning(node: Node) -> Iterator[None]:
    """Answers services and timers of a node in a thread of their own."""
    executor = SingleThreadedExecutor(context=node.context)
    executor.add_node(node)
    has_left = Event()

    def spin() -> None:
        # Not `spin`: shut down in the middle of a callback, it raises at the callback's end.
        while not has_left.is_set():
            executor.spin_once(timeout_sec=LOOK_SECONDS)

    thread = Thread(target=spin, name='player_services', daemon=True)
    thread.start()
    try:
        yield
    finally:
        has_left.set()
        thread.join()
        executor.shutdown()
