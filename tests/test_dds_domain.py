# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A domain is given to one program alone, and begins without queues of the dead."""

import fcntl
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from upsnet_ros import dds_domain
from upsnet_ros.core.errors import ReplayError
from upsnet_ros.dds_domain import free_domain, own_domain, remove_queues


@pytest.fixture
def shared_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(dds_domain, 'SHARED_MEMORY', tmp_path)
    return tmp_path


def test_no_two_programs_have_the_same() -> None:
    code = 'from upsnet_ros.dds_domain import *; print(own_domain(), flush=True); input()'
    processes = [
        subprocess.Popen(
            [sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    domains = [int(process.stdout.readline()) for process in processes]
    domains += [own_domain(), free_domain()]
    for process in processes:
        process.communicate('\n')  # from here on theirs are free again
    assert len(set(domains)) == 6 and all(1 <= domain <= 101 for domain in domains)
    assert own_domain() == own_domain()


def test_one_with_a_participant_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fast DDS listens like this, so that several participants of a host can."""
    wanted = free_domain() % 101 + 1
    monkeypatch.setattr(os, 'getpid', lambda: wanted - 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as participant:
        participant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        participant.bind(('', 7400 + 250 * wanted))
        assert free_domain() != wanted
    assert free_domain() == wanted


def test_with_none_left_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dds_domain, '_keep', lambda domain: False)
    with pytest.raises(ReplayError, match='from 1 to 101; end some, or set ROS_DOMAIN_ID'):
        free_domain()


def test_queues_of_the_dead_are_removed_and_no_others(shared_memory: Path) -> None:
    dead = ('fastdds_port9161', 'fastdds_port9161_el', 'sem.fastdds_port9161_mutex')
    others = ('fastdds_port9400', 'fastdds_port9149', 'fastdds_0b8d88955f2c55af_el', 'port9161')
    for name in (*dead, *others):
        (shared_memory / name).touch()
    assert remove_queues(7)
    assert {path.name for path in shared_memory.iterdir()} == set(others)


def test_queues_of_the_living_stay(shared_memory: Path) -> None:
    names = {'fastdds_port9161', 'fastdds_port9161_el', 'fastdds_port9163'}
    for name in names:
        (shared_memory / name).touch()
    with (shared_memory / 'fastdds_port9161_el').open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert not remove_queues(7)
    assert {path.name for path in shared_memory.iterdir()} == names
