# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The environment variables under which the project runs: the one place that states them.

`make`, the tests, the demo and a person (`source .ros/setup.sh`) all get these. Two cases:

* A ROS 2 installation is sourced: its variables stay as they are, ours go in front.
* None is sourced: ROS 2 comes as wheels in `.venv/runtime`. The wheels restart Python once to set
  LD_LIBRARY_PATH; stating it here, with the variable that marks it as done, saves the restart.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Distributions of which there are wheels. The first lies in .venv/runtime and .ros, others beside.
DISTRIBUTIONS = ('jazzy', 'kilted')
ROS = os.environ.get('ROS') or DISTRIBUTIONS[0]
BESIDE = '' if ROS == DISTRIBUTIONS[0] else f'-{ROS}'
VENVS = {
    'runtime': ROOT / '.venv' / f'runtime{BESIDE}',
    'training': ROOT / '.venv' / 'training',
    'tensorrt': ROOT / '.venv' / 'tensorrt',
}
# The same interpreter and packages, with an older TensorRT in front.
OLDER_TENSORRT = VENVS['tensorrt'] / 'tensorrt-10'
VENVS['tensorrt-10'] = VENVS['tensorrt']
ROS_FOLDER = ROOT / f'.ros{BESIDE}'
INSTALL_FOLDER = ROS_FOLDER / 'install'
FASTDDS_PROFILE = ROOT / 'config' / 'fastdds.xml'
SETUP_FILE = ROS_FOLDER / 'setup.sh'
LOG_FOLDER = ROS_FOLDER / 'log' / 'ros'
# Marks that the wheels need not start Python anew, see above.
WHEELS_ARE_READY = '_ROS_WHEELS_BOOTSTRAP_COMPLETE'
BEFORE_THREE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
SINCE_THREE = 'FASTDDS_DEFAULT_PROFILES_FILE'


def ros_is_sourced() -> bool:
    """True when a ROS 2 installation is sourced in this shell, and not the wheels."""
    return bool(os.environ.get('ROS_DISTRO')) and WHEELS_ARE_READY not in os.environ


def venv_python(name: str) -> Path:
    """The interpreter of a virtual environment of the project."""
    return VENVS[name] / 'bin' / 'python'


def prepended(variable: str, *folders: Path) -> str:
    """A search path with folders in front of what the variable has now, each once."""
    parts = [str(folder) for folder in folders]
    parts += os.environ.get(variable, '').split(os.pathsep)
    return os.pathsep.join(dict.fromkeys(part for part in parts if part))


def library_folders(venv: Path) -> list[Path]:
    """Folders with the shared libraries of the wheels."""
    return [venv / 'lib', *sorted(venv.glob('lib/python3.*/site-packages/ros_*.libs'))]


def python_folders(install: Path) -> list[Path]:
    """Folders of the build tree that can hold the generated `upsnet_ros.msg`."""
    patterns = ('lib/python3.*/site-packages', 'local/lib/python3.*/dist-packages')
    return [folder for pattern in patterns for folder in sorted(install.glob(pattern))]


def profile_variable() -> str:
    """Name of the variable that Fast DDS reads its profile from; since 3.0 the old one warns."""
    distribution = os.environ['ROS_DISTRO'] if ros_is_sourced() else ROS
    return BEFORE_THREE if distribution in ('humble', 'jazzy') else SINCE_THREE


def user_defaults() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Variables that a person may set instead: value of ours, and the names that replace it.

    ROS makes its log folder below HOME, so without a usable HOME no node would start.
    """
    profile = profile_variable()
    return {
        profile: (str(FASTDDS_PROFILE), tuple(dict.fromkeys((profile, BEFORE_THREE)))),
        'ROS_LOG_DIR': (str(LOG_FOLDER), ('ROS_LOG_DIR', 'ROS_HOME')),
    }


def runtime_variables() -> dict[str, str]:
    """Variables to run the node, the runtime tests and the demo with."""
    venv = VENVS['runtime']
    libraries = [INSTALL_FOLDER / 'lib']
    prefixes = [INSTALL_FOLDER]
    variables = {}
    if not ros_is_sourced():
        libraries += library_folders(venv)
        prefixes.append(venv)
        variables |= {WHEELS_ARE_READY: '1', 'ROS_DISTRO': ROS}
    variables.update(
        VIRTUAL_ENV=str(venv),
        PATH=prepended('PATH', venv / 'bin'),
        PYTHONPATH=prepended('PYTHONPATH', ROOT, *python_folders(INSTALL_FOLDER)),
        AMENT_PREFIX_PATH=prepended('AMENT_PREFIX_PATH', *prefixes),
        CMAKE_PREFIX_PATH=prepended('CMAKE_PREFIX_PATH', *prefixes),
        LD_LIBRARY_PATH=prepended('LD_LIBRARY_PATH', *libraries),
    )
    for name, (value, names) in user_defaults().items():
        if not any(os.environ.get(other) for other in names):
            variables[name] = value
    return variables


def plain_variables(name: str) -> dict[str, str]:
    """Variables of an environment in which nothing of ROS is needed: all but runtime."""
    venv = VENVS[name]
    folders = [OLDER_TENSORRT, ROOT] if name == 'tensorrt-10' else [ROOT]
    return {
        'VIRTUAL_ENV': str(venv),
        'PATH': prepended('PATH', venv / 'bin'),
        'PYTHONPATH': os.pathsep.join(map(str, folders)),
    }


def environment(name: str) -> dict[str, str]:
    """The whole environment of a process that runs in one of the virtual environments."""
    variables = runtime_variables() if name == 'runtime' else plain_variables(name)
    return {**os.environ, **variables}


def write_setup_file() -> Path:
    """Writes the file a person sources to get what make uses."""
    lines = ['# Written by .ci/environment.py. Use: source .ros/setup.sh']
    defaults = user_defaults()
    lines += [
        f'export {name}={shlex.quote(value)}'
        for name, value in sorted(runtime_variables().items())
        if name not in defaults
    ]
    for name, (value, names) in defaults.items():
        already = ''.join(f'${{{other}:-}}' for other in names)
        lines.append(f'[ -n "{already}" ] || export {name}={shlex.quote(value)}')
    SETUP_FILE.parent.mkdir(parents=True, exist_ok=True)
    SETUP_FILE.write_text('\n'.join(lines) + '\n')
    return SETUP_FILE
