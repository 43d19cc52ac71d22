# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Container and systemd unit, as far as they can be looked at without running them."""

import configparser
import json
import re
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest

from upsnet_ros.backends.compiled_cache import user_folder
from upsnet_ros.node.main import END_AFTER_FAULT_S, END_AFTER_SIGNAL_S
from upsnet_ros.node.process import ExitStatus

ROOT = Path(__file__).parents[1]
CMAKE = (ROOT / 'CMakeLists.txt').read_text()
PREFIX = '/opt/upsnet_ros'


def read_instructions() -> list[tuple[str, str]]:
    """Instruction and argument of each line of the Dockerfile, continued lines joined."""
    text = re.sub(r'^\s*#.*\n', '', (ROOT / 'Dockerfile').read_text(), flags=re.MULTILINE)
    lines = re.sub(r'\\\n', ' ', text).splitlines()
    return [tuple(line.split(None, 1)) for line in lines if line.strip()]


DOCKERFILE = read_instructions()


def arguments_of(instruction: str) -> list[str]:
    return [argument for name, argument in DOCKERFILE if name == instruction]


def defaults() -> dict[str, str]:
    return dict(argument.split('=', 1) for argument in arguments_of('ARG'))


def is_sent(path: str) -> bool:
    """Whether .dockerignore lets a file of the checkout reach the builder; the last line wins."""
    answer = True
    parts = path.split('/')
    for line in (ROOT / '.dockerignore').read_text().splitlines():
        if not line or line.startswith('#'):
            continue
        pattern = line.removeprefix('!')
        if pattern.startswith('**/'):
            matches = any(fnmatch(part, pattern[3:]) for part in parts)
        else:
            depth = pattern.count('/') + 1
            matches = fnmatch('/'.join(parts[:depth]), pattern) and len(parts) >= depth
        if matches:
            answer = line.startswith('!')
    return answer


def copied() -> list[str]:
    """What the Dockerfile copies out of the checkout."""
    words = [argument.split() for argument in arguments_of('COPY')]
    return [source for parts in words if '--from' not in parts[0] for source in parts[:-1]]


# --- Dockerfile


def test_bases_are_a_stage_or_have_a_fixed_tag() -> None:
    stages: set[str] = set()
    for argument in arguments_of('FROM'):
        image, as_word, name = argument.split()
        image = image.replace('${BASE_IMAGE}', defaults()['BASE_IMAGE'])
        assert as_word == 'AS'
        if image not in stages:
            _, _, tag = image.partition(':')
            assert tag and tag != 'latest', image
        stages.add(name)
    assert arguments_of('FROM')[-1].endswith('AS runtime')


def test_what_is_copied_exists_and_reaches_the_builder() -> None:
    assert copied()
    for source in copied():
        path = ROOT / source
        files = [path] if path.is_file() else [p for p in path.rglob('*') if p.is_file()]
        assert files, source
        wanted = [
            str(file.relative_to(ROOT))
            for file in files
            if '__pycache__' not in file.parts and file.suffix != '.engine'
        ]
        hidden = [file for file in wanted if not is_sent(file)]
        assert [file for file in hidden if not file.startswith('config/training/')] == []


def test_nothing_else_reaches_the_builder() -> None:
    assert not any(
        map(is_sent, ['.git/config', '.venv/runtime/bin/python', 'out/x', 'data/x', '.ros/x'])
    )
    assert not is_sent('config/models/car/model.engine')
    assert not is_sent('upsnet_ros/__pycache__/x.cpython-311.pyc')


def test_the_package_is_copied_whole() -> None:
    """Everything that CMake installs or compiles is there when it runs in the container."""
    stated = set(re.findall(r'(?:FILES|PROGRAMS|DIRECTORY)?\s((?:\w+/)+[\w.]*)', CMAKE))
    folders = {name.split('/')[0] for name in stated if (ROOT / name).exists()}
    assert {'msg', 'launch', 'config', 'upsnet_ros'} <= folders <= set(copied())


def test_the_container_does_not_run_as_root() -> None:
    *_, last = arguments_of('USER')
    assert last == '${USER_ID}' and int(defaults()['USER_ID']) > 0
    names = [name for name, _ in DOCKERFILE]
    assert 'RUN' not in names[len(names) - 1 - names[::-1].index('USER') :]


@pytest.mark.parametrize('name', ['CMD', 'ENTRYPOINT', 'SHELL'])
def test_commands_have_no_shell_that_would_keep_signals(name) -> None:
    words = json.loads(arguments_of(name)[-1])
    assert words and all(isinstance(word, str) for word in words)
    assert arguments_of('STOPSIGNAL') == ['SIGTERM']


def test_the_health_check_runs_an_installed_program_within_its_time() -> None:
    (argument,) = arguments_of('HEALTHCHECK')
    command = json.loads(argument[argument.index('[') :])
    assert command[:4] == ['/entrypoint.sh', 'ros2', 'run', 'upsnet_ros']
    assert f'RENAME {command[4]}\n' in CMAKE
    assert int(re.search(r'--timeout=(\d+)s', argument)[1]) > int(command[-1])
    assert json.loads(arguments_of('CMD')[-1])[-1] in CMAKE


def test_every_shell_command_can_be_parsed_and_leaves_no_package_lists() -> None:
    for command in arguments_of('RUN'):
        subprocess.run(['bash', '-n', '-c', command], check=True)
        if 'apt-get update' in command:
            assert '/var/lib/apt/lists/*' in command
        for part in re.findall(r'apt-get install[^&;]*', command):
            assert '--yes' in part
        assert 'sudo' not in command and 'latest' not in command


def test_python_packages_have_the_versions_of_the_project() -> None:
    (command,) = (command for command in arguments_of('RUN') if 'pip install' in command)
    names = re.search(r"grep -E '\^\(([^)]*)\)=='", command)[1].split('|')
    versions = (ROOT / 'config' / 'versions.txt').read_text()
    for name in names:
        assert re.search(rf'^{name}==', versions, re.MULTILINE), name


def test_the_profile_lies_where_the_container_looks_for_it() -> None:
    value = re.search(r'FASTRTPS_DEFAULT_PROFILES_FILE=(\S+)', arguments_of('ENV')[-1])[1]
    assert value == f'{PREFIX}/share/upsnet_ros/config/fastdds.xml'
    assert f'--install-base {PREFIX} ' in ' '.join(' '.join(arguments_of('RUN')).split())


def test_the_entry_point_hands_over_to_the_command() -> None:
    path = ROOT / 'deploy' / 'entrypoint.sh'
    subprocess.run(['bash', '-n', str(path)], check=True)
    assert path.read_text().splitlines()[-1] == 'exec "$@"'
    assert path.stat().st_mode & 0o111


# --- systemd


@pytest.fixture
def service() -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(ROOT / 'deploy' / 'upsnet_ros.service')
    assert unit.sections() == ['Unit', 'Service', 'Install']
    return unit['Service']


def test_the_unit_starts_the_installed_node(service) -> None:
    command = service['ExecStart']
    assert f'exec {PREFIX}/lib/upsnet_ros/perception_node --ros-args' in command
    assert 'RENAME perception_node\n' in CMAKE
    script = re.fullmatch(r"/bin/bash -c '(.*)'", command)[1].replace('$$', '$')
    subprocess.run(['bash', '-n', '-c', script], check=True)


def test_the_unit_gives_the_node_its_time_to_end_and_restarts_it_where_that_helps(
    service,
) -> None:
    assert service['KillSignal'] == 'SIGTERM'
    assert int(service['TimeoutStopSec']) > END_AFTER_FAULT_S > 2 > END_AFTER_SIGNAL_S
    assert service['Restart'] == 'on-failure'
    assert int(service['RestartPreventExitStatus']) == ExitStatus.BAD_PARAMETER


def test_the_unit_asks_for_more_than_its_share_and_for_no_ceiling(service) -> None:
    assert 100 < int(service['CPUWeight']) <= 10_000  # another service has 100
    assert -20 <= int(service['Nice']) < 0
    assert 'CPUQuota' not in service and 'CPUSchedulingPolicy' not in service


def test_what_the_unit_has_compiled_is_kept_where_it_may_write(service, monkeypatch) -> None:
    # Homes are hidden from it, and all else is read-only.
    lines = (ROOT / 'deploy' / 'upsnet_ros.service').read_text().splitlines()
    (folder,) = (line.split('=', 2)[2] for line in lines if '=XDG_CACHE_HOME=' in line)
    assert folder == f'/var/cache/{service["CacheDirectory"]}'
    monkeypatch.setenv('XDG_CACHE_HOME', folder)
    assert user_folder().is_relative_to(folder)


def test_the_unit_is_hardened_and_keeps_what_dds_needs(service) -> None:
    for name in ('NoNewPrivileges', 'ProtectHome', 'PrivateTmp', 'ProtectKernelModules'):
        assert service[name] == 'yes'
    assert service['User'] not in ('', 'root') and service['CapabilityBoundingSet'] == ''
    assert service['ProtectSystem'] == 'strict'
    assert set(service['RestrictAddressFamilies'].split()) >= {'AF_INET', 'AF_NETLINK', 'AF_UNIX'}
    assert service['RemoveIPC'] == 'no' and 'PrivateIPC' not in service
    assert 'PrivateNetwork' not in service


# --- the page


PAGE = (ROOT / 'docs' / 'deployment.md').read_text()


def test_what_the_page_names_exists() -> None:
    links = re.findall(r'\]\(([^)#]+)\)', PAGE)
    assert links and all((ROOT / 'docs' / link).exists() for link in links)
    files = re.findall(r'`((?:config|deploy|docs)/[\w./]+)`', PAGE)
    assert files and all((ROOT / file).is_file() for file in files)
    for module in re.findall(r'python3 -m (upsnet_ros[\w.]+)', PAGE):
        assert (ROOT / f'{module.replace(".", "/")}.py').is_file()
    for program in re.findall(r'ros2 run upsnet_ros (\w+)', PAGE):
        assert f'RENAME {program}\n' in CMAKE
    for file in re.findall(r'\w+\.launch\.py', PAGE):
        assert (ROOT / 'launch' / file).is_file()
