# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What decides over large images: profile, discovery, shared memory, socket buffers."""

from __future__ import annotations

import fcntl
from collections import namedtuple
from pathlib import Path

import pytest

from tests.doctor.expectations import only
from upsnet_ros.dds_profile import profile_sizes, profile_text
from upsnet_ros.doctor import kernel, middleware
from upsnet_ros.doctor.kernel import (
    check_leftovers,
    check_shared_memory,
    check_sockets,
    images_travel_by_udp,
)
from upsnet_ros.doctor.middleware import (
    check_discovery,
    check_middleware,
    check_profile,
    read_transport,
)

OURS = Path(__file__).parents[2] / 'config' / 'fastdds.xml'
OLD, NEW = 'FASTRTPS_DEFAULT_PROFILES_FILE', 'FASTDDS_DEFAULT_PROFILES_FILE'
WITH_OURS = {NEW: str(OURS)}
CYCLONE = {'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'}
LARGE_DATA = {'FASTDDS_BUILTIN_TRANSPORTS': 'LARGE_DATA?max_msg_size=1MB'}
LOCALHOST = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}
Usage = namedtuple('Usage', 'total used free')


def write(
    path: Path,
    *,
    segment: str = '100663296',
    used: str = 'shm',
    default: str = 'true',
    queue: str = '<port_queue_capacity>2048</port_queue_capacity>',
) -> Path:
    path.write_text(
        '<profiles><transport_descriptors><transport_descriptor>'
        f'<transport_id>shm</transport_id><type>SHM</type><segment_size>{segment}</segment_size>'
        f'<maxMessageSize>33554432</maxMessageSize>{queue}</transport_descriptor>'
        '</transport_descriptors>'
        f'<participant profile_name="p" is_default_profile="{default}"><rtps><userTransports>'
        f'<transport_id>{used}</transport_id></userTransports></rtps></participant></profiles>'
    )
    return path


# --- profile


def test_our_own_profile_has_what_is_asked_for() -> None:
    transport = read_transport(OURS)
    assert transport.fits(profile_sizes())
    assert not transport.fits(profile_sizes(cameras=2))


@pytest.mark.parametrize(
    ('environment', 'level', 'text'),
    [
        (WITH_OURS, 'ok', 'that of this package'),
        ({OLD: str(OURS)}, 'ok', 'that of this package'),
        ({OLD: str(OURS), 'ROS_DISTRO': 'jazzy'}, 'ok', 'that of this package'),
        ({**WITH_OURS, 'ROS_DISTRO': 'jazzy'}, 'warning', f'{OLD} is not set'),
        ({**WITH_OURS, 'ROS_DISTRO': 'kilted'}, 'ok', 'that of this package'),
        ({}, 'warning', f'{NEW} is not set'),
        (LARGE_DATA, 'ok', 'LARGE_DATA'),
        (CYCLONE, 'ok', 'not used by rmw_cyclonedds_cpp'),
        ({NEW: '/nowhere/profile.xml'}, 'error', 'No such file'),
    ],
)
def test_the_profile_in_use(computer, environment, level, text) -> None:
    finding = only(check_profile(computer(environment=environment)))
    assert finding.level == level and text in finding.found
    if level != 'ok':
        variable = OLD if environment.get('ROS_DISTRO') == 'jazzy' else NEW
        assert f'export {variable}={OURS}' in finding.remedy


@pytest.mark.parametrize(
    ('options', 'level', 'text'),
    [
        ({}, 'ok', '96 MiB of shared memory'),
        ({'segment': '524288'}, 'warning', '524288 bytes'),
        ({'used': 'udp'}, 'warning', 'no shared memory'),
        ({'default': 'false'}, 'warning', 'no shared memory'),
        ({'queue': ''}, 'warning', 'a queue of 512'),
        ({'queue': '<port_queue_capacity>1500</port_queue_capacity>'}, 'warning', 'of 1500'),
        ({'segment': 'much'}, 'error', "segment_size is 'much'"),
    ],
)
def test_a_profile_of_ones_own(computer, tmp_path, options, level, text) -> None:
    path = write(tmp_path / 'mine.xml', **options)
    finding = only(check_profile(computer(environment={NEW: str(path)})))
    assert finding.level == level and text in finding.found


@pytest.mark.parametrize('content', [b'', b'<dds><profiles>', b'\x00\xff', b'not XML'])
def test_a_profile_that_cannot_be_read_is_an_error(computer, tmp_path, content) -> None:
    path = tmp_path / 'mine.xml'
    path.write_bytes(content)
    finding = only(check_profile(computer(environment={NEW: str(path)})))
    assert finding.level == 'error' and 'no XML' in finding.found


def test_a_profile_of_a_gigabyte_is_not_read(computer, tmp_path) -> None:
    path = tmp_path / 'mine.xml'
    with path.open('wb') as file:
        file.truncate(2**30)
    finding = only(check_profile(computer(environment={NEW: str(path)})))
    assert finding.level == 'error' and 'too many' in finding.found


def test_a_profile_is_also_judged_where_ours_is_not_installed(
    computer, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(middleware, 'find_installed', lambda relative: None)
    path = write(tmp_path / 'mine.xml')
    assert only(check_profile(computer(environment={NEW: str(path)}))).level == 'ok'
    assert 'config/fastdds.xml' in only(check_profile(computer())).remedy


def test_more_cameras_need_another_profile_which_is_named(computer, tmp_path) -> None:
    vehicle = {'cameras': 4, 'camera_size': (1920, 1080)}
    finding = only(check_profile(computer(environment=WITH_OURS, **vehicle)))
    assert finding.level == 'warning' and 'shared memory of 384 MiB' in finding.expected
    assert 'dds_profile --cameras 4 --size 1920x1080 > profile.xml' in finding.remedy
    path = tmp_path / 'profile.xml'
    path.write_text(profile_text(cameras=4, size=(1920, 1080)))
    finding = only(check_profile(computer(environment={NEW: str(path)}, **vehicle)))
    assert finding.level == 'ok' and '384 MiB' in finding.found


# --- middleware and discovery


@pytest.mark.parametrize(
    ('environment', 'level', 'text'),
    [
        ({}, 'ok', 'rmw_fastrtps_cpp (default)'),
        ({'RMW_IMPLEMENTATION': 'rmw_fastrtps_dynamic_cpp'}, 'ok', 'dynamic'),
        (CYCLONE, 'warning', 'cyclonedds'),
        ({'RMW_IMPLEMENTATION': 'rmw_zenoh_cpp'}, 'warning', 'zenoh'),
    ],
)
def test_the_middleware_in_use(computer, environment, level, text) -> None:
    finding = only(check_middleware(computer(environment=environment)))
    assert finding.level == level and text in finding.found


@pytest.mark.parametrize(
    ('environment', 'level', 'text'),
    [
        ({}, 'ok', 'SUBNET'),
        (LOCALHOST, 'ok', 'LOCALHOST'),
        (LARGE_DATA, 'ok', 'SUBNET'),
        ({**LOCALHOST, **LARGE_DATA}, 'error', 'undoes'),
        ({'ROS_LOCALHOST_ONLY': '1', **LARGE_DATA}, 'error', 'undoes'),
        ({**LOCALHOST, **LARGE_DATA, **WITH_OURS}, 'ok', 'LOCALHOST'),
        ({**LOCALHOST, **LARGE_DATA, NEW: '/nowhere.xml'}, 'error', 'undoes'),
        ({**LOCALHOST, **LARGE_DATA, **CYCLONE}, 'ok', 'LOCALHOST'),
        ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'}, 'warning', 'OFF'),
        ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'HOUSE'}, 'warning', 'HOUSE'),
        ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SYSTEM_DEFAULT'}, 'ok', 'SYSTEM_DEFAULT'),
    ],
)
def test_the_discovery_range(computer, environment, level, text) -> None:
    finding = only(check_discovery(computer(environment=environment)))
    assert finding.level == level and text in finding.found


# --- shared memory


@pytest.mark.parametrize(
    ('total', 'free', 'level'),
    [
        (64 * 2**20, 64 * 2**20, 'error'),
        (512 * 2**20, 512 * 2**20, 'warning'),
        (2**30, 2**30, 'ok'),
        (10**9, 10**9, 'ok'),
        (2**34, 10**8, 'warning'),
    ],
)
def test_room_in_shared_memory(computer, monkeypatch, total, free, level) -> None:
    monkeypatch.setattr(kernel.shutil, 'disk_usage', lambda path: Usage(total, total - free, free))
    finding = only(check_shared_memory(computer()))
    assert finding.level == level
    assert finding.values == {'total_mib': total // 2**20, 'free_mib': free // 2**20}
    assert f'{free // 2**20} of {total // 2**20} MiB' in finding.found
    assert ('--shm-size' in finding.remedy) == (level != 'ok')
    assert only(check_shared_memory(computer(environment=CYCLONE))).level == 'ok'


def test_more_cameras_need_more_room(computer, monkeypatch) -> None:
    monkeypatch.setattr(kernel.shutil, 'disk_usage', lambda path: Usage(2**30, 0, 2**30))
    four = computer(cameras=4, camera_size=(1920, 1080))
    finding = only(check_shared_memory(four))
    assert finding.level == 'warning' and 'at least 768 MiB' in finding.expected
    assert 'better 2688 MiB' in finding.expected and '--shm-size=3g' in finding.remedy
    assert (
        only(check_shared_memory(computer(cameras=8, camera_size=(1920, 1080)))).level == 'error'
    )


def test_no_shared_memory_at_all(computer, tmp_path) -> None:
    finding = only(check_shared_memory(computer(shared_memory=tmp_path / 'none')))
    assert finding.level == 'error' and 'No such file' in finding.found


def test_what_processes_that_died_left_is_named_and_nothing_else(computer, tmp_path) -> None:
    folder = tmp_path / 'shm'
    folder.mkdir()
    subject = computer(shared_memory=folder)
    used = ('fastdds_0123456789abcdef', 'fastdds_port7411', 'fastdds_port7413')
    locks = [
        (folder / f'{name}{ending}')
        for name, ending in zip(used, ('_el', '_el', '_sl'), strict=True)
    ]
    for name in (*used, 'other', 'sem.fastdds_port7411_mutex'):
        (folder / name).write_bytes(b'0')
    files = [path.open('wb') for path in locks]
    for file, kind in zip(files, (fcntl.LOCK_EX, fcntl.LOCK_EX, fcntl.LOCK_SH), strict=True):
        fcntl.flock(file, kind)
    assert only(check_leftovers(subject)).level == 'ok'
    # Neither looked at by us and then kept locked, nor given up by those who hold it.
    assert only(check_leftovers(subject)).level == 'ok'

    (folder / 'fastdds_fedcba9876543210').write_bytes(bytes(3 * 2**20))
    (folder / 'fastdds_fedcba9876543210_el').touch()
    (folder / 'fastdds_port7415').touch()  # one without a lock is nobody's either
    finding = only(check_leftovers(subject))
    assert finding.level == 'warning'
    assert finding.values == {'queues': 1, 'segments': 1, 'mib': 3}
    assert finding.found.endswith(': fastdds_port7415, fastdds_fedcba9876543210')
    assert finding.remedy.startswith('fastdds shm clean') and f'rm {folder}/' in finding.remedy
    assert only(check_leftovers(computer(environment=CYCLONE))).level == 'ok'

    for file in files:
        file.close()
    assert only(check_leftovers(subject)).values == {'queues': 3, 'segments': 2, 'mib': 3}


# --- socket buffers


@pytest.fixture
def much_memory(monkeypatch) -> None:
    monkeypatch.setattr(kernel.shutil, 'disk_usage', lambda path: Usage(2**34, 0, 2**34))


def set_kernel(subject, name: str, value: str) -> None:
    (subject.proc / 'sys' / name).write_text(value)


@pytest.mark.parametrize(
    ('environment', 'by_udp'),
    [(WITH_OURS, False), (LARGE_DATA, False), ({}, True), ({**CYCLONE, **WITH_OURS}, True)],
)
def test_buffers_are_judged_where_images_need_them(
    computer, much_memory, environment, by_udp
) -> None:
    subject = computer(environment=environment)
    assert images_travel_by_udp(subject) == by_udp
    assert only(check_sockets(subject)).level == 'ok'
    set_kernel(subject, 'net/core/rmem_max', '212992')
    finding = only(check_sockets(subject))
    assert finding.level == ('warning' if by_udp else 'ok')
    assert 'net.core.rmem_max 212992' in finding.found
    assert finding.values['net.core.rmem_max'] == 212992


def test_with_too_little_shared_memory_images_travel_by_udp(computer, tmp_path) -> None:
    assert images_travel_by_udp(computer(environment=WITH_OURS, shared_memory=tmp_path / 'none'))


@pytest.mark.parametrize(
    ('name', 'value', 'wanted'),
    [
        ('net/core/wmem_max', '212992', 'net.core.wmem_max at least 8388608'),
        ('net/ipv4/ipfrag_time', '30', 'net.ipv4.ipfrag_time at most 3'),
        ('net/ipv4/ipfrag_high_thresh', '4194304', 'ipfrag_high_thresh at least 134217728'),
    ],
)
def test_each_setting_is_named_with_the_command(computer, name, value, wanted) -> None:
    subject = computer(environment=CYCLONE)
    set_kernel(subject, name, value)
    finding = only(check_sockets(subject))
    assert wanted in finding.expected and finding.expected.count(' at ') == 1
    assert f'sysctl -w {name.replace("/", ".")}=' in finding.remedy


def test_settings_that_a_container_hides_are_looked_for_on_the_host(computer) -> None:
    subject = computer(environment=CYCLONE)
    (subject.proc / 'sys' / 'net/core/rmem_max').unlink()
    finding = only(check_sockets(subject))
    assert finding.level == 'warning' and 'rmem_max not visible' in finding.found
    assert finding.remedy.startswith('on the host')
