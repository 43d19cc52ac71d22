# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import os
from pathlib import Path

import pytest

from tests.fakes.tiny_model import write_tiny_model
from upsnet_ros.backends import backend as module
from upsnet_ros.backends.backend import available_cores, cpu_quota
from upsnet_ros.backends.onnx_backend import OnnxBackend
from upsnet_ros.manifest import ModelManifest


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + '\n')


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A process on eight cores in the group /car/node; its quotas are still to be written."""
    write(tmp_path / 'list', '0::/car/node')
    monkeypatch.setattr(module, '_GROUPS_FILE', tmp_path / 'list')
    monkeypatch.setattr(module, '_GROUPS_ROOT', tmp_path / 'root')
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: set(range(8)), raising=False)
    return tmp_path / 'root'


def test_without_a_quota_the_affinity_counts(groups: Path) -> None:
    assert available_cores() == 8
    write(groups / 'car/node/cpu.max', 'max 100000')
    assert available_cores() == 8


@pytest.mark.parametrize(
    ('quota', 'cores'),
    [('200000 100000', 2), ('350000 100000', 3), ('20000 100000', 1), ('9900000 100000', 8)],
)
def test_the_quota_caps_and_leaves_at_least_one(groups: Path, quota: str, cores: int) -> None:
    write(groups / 'car/node/cpu.max', quota)
    assert available_cores() == cores


@pytest.mark.parametrize('folder', ['', 'car'])
def test_a_quota_of_a_group_around_it_counts_too(groups: Path, folder: str) -> None:
    write(groups / folder / 'cpu.max', '300000 100000')
    write(groups / 'car/node/cpu.max', '500000 100000')
    write(groups / 'other/cpu.max', '100000 100000')
    write(groups.parent / 'cpu.max', '100000 100000')  # outside of what is mounted
    assert available_cores() == 3


@pytest.mark.parametrize('mount', ['cpu', 'cpu,cpuacct'])
@pytest.mark.parametrize(('quota', 'expected'), [('-1', None), ('250000', 2.5)])
def test_the_first_version_is_read(
    tmp_path: Path, mount: str, quota: str, expected: float | None
) -> None:
    write(tmp_path / 'list', '5:memory:/x\n4:cpu,cpuacct:/docker/1\n1:name=systemd:/y')
    write(tmp_path / mount / 'cpu.cfs_quota_us', quota)
    write(tmp_path / mount / 'cpu.cfs_period_us', '100000')
    assert cpu_quota(tmp_path / 'list', tmp_path) == expected


def test_unreadable_groups_are_no_quota(tmp_path: Path) -> None:
    assert cpu_quota(tmp_path / 'none', tmp_path) is None
    write(tmp_path / 'list', '0::/')
    write(tmp_path / 'cpu.max', 'nonsense')
    assert cpu_quota(tmp_path / 'list', tmp_path) is None


@pytest.mark.parametrize(('num_threads', 'used'), [(0, 5), (1, 1), (7, 7)])
def test_the_library_is_given_the_available_cores_for_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_threads: int, used: int
) -> None:
    monkeypatch.setattr(module, 'available_cores', lambda: 5)
    path = write_tiny_model(tmp_path)
    backend = OnnxBackend(path, ModelManifest.load(path), num_threads=num_threads)
    assert backend._session.get_session_options().intra_op_num_threads == used
