# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The service `~/pause` of the bag player, answered while it plays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import SetBool

from upsnet_ros.node.play_schedule import PlaySchedule


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
    thread = Thread(target=executor.spin, name='player_services', daemon=True)
    thread.start()
    try:
        yield
    finally:
        executor.shutdown()
        thread.join()
