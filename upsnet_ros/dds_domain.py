# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A DDS domain in which nobody else on this computer is.

Programs that share a domain hear each other: two replays at once would feed their images to both
nodes. They also share queues in shared memory, and Fast DDS removes a queue by its name when the
last process of an older one of that name lets go: once in a while, where processes of two programs
come and go at the same time, a new process loses its own so and hears nothing.
"""

from __future__ import annotations

import fcntl
import os
import re
import socket
from contextlib import ExitStack
from functools import cache
from pathlib import Path

from upsnet_ros.core.errors import ReplayError

# Fast DDS derives its ports from the domain; above 101 they fall among Linux's ephemeral ones.
LARGEST_DOMAIN = 101
FIRST_PORT = 7400
PORTS = 250
SHARED_MEMORY = Path('/dev/shm')
_QUEUE = re.compile(r'port([0-9]+)')
# What keeps a domain for this process, until it ends.
_kept: list[socket.socket] = []


@cache
def own_domain() -> int:
    """The domain of this process and of those that it starts; see `free_domain`."""
    return free_domain()


def free_domain() -> int:
    """A domain that is in nobody's use, kept from others who ask for one until this process ends.

    Queues that dead processes left there are removed: Fast DDS would take them over as they are,
    with their size.

    Raises:
        ReplayError: all are in use.
    """
    first = os.getpid() % LARGEST_DOMAIN
    for domain in (1 + (first + step) % LARGEST_DOMAIN for step in range(LARGEST_DOMAIN)):
        if _keep(domain) and remove_queues(domain):
            return domain
    raise ReplayError(
        f'programs on this computer use all DDS domains from 1 to {LARGEST_DOMAIN}; end some, or '
        'set ROS_DOMAIN_ID to the one to use'
    )


def _keep(domain: int) -> bool:
    """Takes a TCP port as a sign, if no participant listens to the UDP port of the same number.

    Participants share that port, but only among those who agree to, as this one does not.
    """
    port = FIRST_PORT + PORTS * domain
    sign = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sign.bind(('127.0.0.1', port))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind(('', port))
    except OSError:
        sign.close()
        return False
    _kept.append(sign)
    return True


def remove_queues(domain: int) -> bool:
    """Removes the queues of a domain, but for those of a process that lives, in a container say.

    Returns:
        Whether none is left: who reads a queue holds a lock, and others' files may not be removed.
    """
    first = FIRST_PORT + PORTS * domain
    paths = [
        path
        for path in SHARED_MEMORY.glob('*fast*_port*')
        if (found := _QUEUE.search(path.name)) and first <= int(found[1]) < first + PORTS
    ]
    try:
        with ExitStack() as held:
            for path in paths:
                if path.name.endswith(('_el', '_sl')):
                    lock = held.enter_context(path.open())
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in paths:
                path.unlink()
    except OSError:
        return False
    return True
