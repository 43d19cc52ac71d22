# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Makes what the project needs to build, run and test, and runs commands in it.

    python3 .ci/environment.py runtime            virtual environment of the node (no torch)
    python3 .ci/environment.py training           virtual environment for training (torch)
    python3 .ci/environment.py tensorrt           TensorRT's plugin registries, parser and builder
    python3 .ci/environment.py browser            a Chromium for the tests of reports
    python3 .ci/environment.py ros-build          messages and package, built with colcon
    python3 .ci/environment.py exec NAME -- CMD   run CMD in an environment (also tensorrt-10)

Every step is skipped while its inputs are unchanged.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

from browser import setup_browser
from ros_variables import (
    DISTRIBUTIONS,
    INSTALL_FOLDER,
    OLDER_TENSORRT,
    ROOT,
    ROS,
    ROS_FOLDER,
    VENVS,
    environment,
    ros_is_sourced,
    venv_python,
    write_setup_file,
)
from ros_wheels import mend_wheels
from steps import SetupError, Step, fingerprint
from tensorrt_stub import build_stub, install_older

VERSIONS = ROOT / 'config' / 'versions.txt'
ROS_VERSIONS = ROOT / 'config' / f'versions_{ROS}.txt'
SETUP_PY = ROOT / 'setup.py'
WHEEL_PYTHON = (3, 11)
OLDEST_PYTHON = (3, 11)
FREE_GIB = {'runtime': 2, 'training': 12, 'tensorrt': 3, 'ros-build': 1}
EXTRAS = {
    'runtime': ['dev', 'video'],
    'training': ['training', 'dev'],
    'tensorrt': ['tensorrt', 'dev'],
}
# Installed by ROS itself and matched to its compiled messages, so never replaced beside it.
KEPT_FROM_ROS = ('numpy', 'pyyaml', 'setuptools')
# Their stated versions need NumPy 2; beside an older one pip chooses versions that fit it.
NEED_NUMPY_2 = ('ml-dtypes',)
OPENCV = 'opencv-python-headless'
VENV_ADVICE = (
    'if ensurepip or pip is missing, install the package python3.11-venv (python3-venv for the '
    'python3 of a sourced ROS); else check the network and the package index of pip; then run the '
    'same command again; to begin anew remove {venv}.'
)
ROS_ADVICE = (
    ' If the versions of numpy conflict, install OpenCV beside ROS (package python3-opencv).'
)
PACKAGE_PARTS = (
    'CMakeLists.txt',
    'package.xml',
    'msg',
    'upsnet_ros',
    'launch',
    'config',
    'deploy',
)


def requirements(*extras: str) -> list[str]:
    """The requirement names that setup.py states, read without running it."""
    constants: dict[str, object] = {}
    for statement in ast.parse(SETUP_PY.read_text()).body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            try:
                constants[statement.targets[0].id] = ast.literal_eval(statement.value)
            except ValueError:
                continue  # not a literal, so not a list of requirements
    by_extra = constants['EXTRAS_REQUIRE']
    names = list(constants['INSTALL_REQUIRES'])
    for extra in extras:
        names += by_extra[extra]
    return names


def python_version(python: str) -> tuple[int, int] | None:
    """Major and minor version of an interpreter, None when it cannot be run."""
    code = 'import sys; print(*sys.version_info[:2])'
    try:
        answer = subprocess.run([python, '-c', code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    major, minor = answer.stdout.split()
    return int(major), int(minor)


def find_python(name: str) -> str:
    """The interpreter to make a virtual environment from.

    Raises:
        SetupError: there is none of a fitting version.
    """
    if name == 'runtime' and not ros_is_sourced():
        for candidate in ('python3.11', sys.executable, 'python3'):
            if python_version(candidate) == WHEEL_PYTHON:
                return candidate
        raise SetupError(
            'the ROS 2 wheels are built for Python 3.11; python3 is '
            f'{sys.version_info.major}.{sys.version_info.minor} and no python3.11 was found.\n'
            '  what to do: install Python 3.11 with its headers (python3.11, python3.11-venv, '
            'python3.11-dev), or source a ROS 2 installation (Jazzy, Kilted).'
        )
    candidates = ('python3',) if name == 'runtime' else ('python3.11', 'python3')
    for candidate in candidates:
        version = python_version(candidate)
        if version is not None and version >= OLDEST_PYTHON:
            return candidate
    raise SetupError(
        'Python 3.11 or newer is needed.\n  what to do: install python3.11 and python3.11-venv.'
    )


def check_disk(name: str) -> None:
    """Refuses to begin a set-up that would fill the disk.

    Raises:
        SetupError: too little space.
    """
    free = shutil.disk_usage(ROOT).free / 2**30
    if free < FREE_GIB[name]:
        raise SetupError(
            f'{free:.1f} GiB are free under {ROOT}; "{name}" needs {FREE_GIB[name]} GiB.\n'
            '  what to do: free space, or move the checkout to a larger disk.'
        )


def module_version(python: str, module: str) -> str | None:
    """Version of a module that an interpreter can import, None when it cannot."""
    code = f'import {module}; print({module}.__version__)'
    try:
        answer = subprocess.run([python, '-c', code], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return answer.stdout.strip()


def wanted_requirements(extras: list[str], *, system_opencv: str | None) -> list[str]:
    """What pip is to install; the wheel of OpenCV needs a newer NumPy than Ubuntu's ROS has."""
    return [name for name in requirements(*extras) if not (system_opencv and name == OPENCV)]


def constraints_file(name: str, *, system_numpy: str | None) -> Path:
    """The versions to install: all of them, less what a sourced ROS installation brings itself.

    Its NumPy is stated as it is, so that pip fails instead of putting another one in front.
    """
    if name != 'runtime' or not ros_is_sourced():
        return VERSIONS
    old_numpy = system_numpy is not None and system_numpy.startswith('1.')
    left_out = KEPT_FROM_ROS + (NEED_NUMPY_2 if old_numpy else ())
    kept = [
        line
        for line in VERSIONS.read_text().splitlines()
        if line.split('==')[0].lower() not in left_out
    ]
    if system_numpy:
        kept.append('=='.join(('numpy', system_numpy)))
    path = VENVS[name] / 'versions_beside_ros.txt'
    path.write_text('\n'.join(kept) + '\n')
    return path


def has_pip(python: Path) -> bool:
    """True when pip runs; Debian makes an environment without it if python3-venv is missing."""
    command = [str(python), '-m', 'pip', '--version']
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def venv_fits(name: str, python: str, *, sees_system: bool) -> bool:
    """True when the virtual environment exists, works and was made as it is wanted now."""
    configuration = VENVS[name] / 'pyvenv.cfg'
    if python_version(str(venv_python(name))) != python_version(python):
        return False
    if not has_pip(venv_python(name)):
        return False
    wanted = f'include-system-site-packages = {str(sees_system).lower()}'
    return configuration.is_file() and wanted in configuration.read_text()


def holds_other_ros(name: str) -> bool:
    """Whether wheels of another distribution lie in a virtual environment: they do not mix."""
    found = VENVS[name].glob('lib/python3.*/site-packages/ros_*_rclpy-*.dist-info')
    return any(f'ros_{ROS}_' not in path.name for path in found)


def system_modules() -> tuple[str | None, str | None]:
    """Versions of NumPy and OpenCV beside a sourced ROS, None where they are missing."""
    python = find_python('runtime')
    return module_version(python, 'numpy'), module_version(python, 'cv2')


def make_virtual_environment(name: str) -> None:
    """Makes `.venv/<name>` and installs the stated requirements at the stated versions."""
    venv = VENVS[name]
    system_ros = name == 'runtime' and ros_is_sourced()
    wheels = [ROS_VERSIONS] if name == 'runtime' and not system_ros else []
    extras = EXTRAS[name] + (['ros-build', f'ros-{ROS}'] if wheels else [])
    numpy, opencv = system_modules() if system_ros else (None, None)
    given = [os.environ.get('ROS_DISTRO')] + ([numpy, opencv] if system_ros else [])
    step = Step(
        f'{name} environment',
        folder=venv.parent,
        inputs=fingerprint(VERSIONS, *wheels, SETUP_PY, extras, venv, *given),
        advice=VENV_ADVICE.format(venv=venv) + (ROS_ADVICE if system_ros else ''),
    )
    if step.is_done() and venv_python(name).exists():
        return
    check_disk(name)
    python = find_python(name)
    step.begin()
    if not venv_fits(name, python, sees_system=system_ros) or holds_other_ros(name):
        options = ['--clear'] + (['--system-site-packages'] if system_ros else [])
        step.run([python, '-m', 'venv', *options, str(venv)])
    pip = [str(venv_python(name)), '-m', 'pip', 'install', '--no-input', '--progress-bar=off']
    variables = dict(os.environ)
    if not system_ros:
        variables.pop('PYTHONPATH', None)  # what is found there does not count as installed
    step.run(
        [
            *pip,
            *('--constraint', str(constraints_file(name, system_numpy=numpy))),
            *(f'--constraint={path}' for path in wheels),
            *wanted_requirements(extras, system_opencv=opencv),
        ],
        environment=variables,
    )
    if wheels:
        mend_cmake_files(step)
    step.finish()


def make_tensorrt_environment() -> None:
    """Makes `.venv/tensorrt` and compiles the libraries that let its `import tensorrt` load."""
    make_virtual_environment('tensorrt')
    site = next(VENVS['tensorrt'].glob('lib/python3.*/site-packages'))
    build_stub(site, log_folder=VENVS['tensorrt'].parent)
    install_older(OLDER_TENSORRT, python=venv_python('tensorrt'))


def include_folders() -> tuple[Path, Path]:
    """Include folders of Python and NumPy for the runtime environment."""
    code = (
        'import sysconfig, numpy; print(sysconfig.get_paths()["include"]); '
        'print(numpy.get_include())'
    )
    command = [str(venv_python('runtime')), '-c', code]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    python_include, numpy_include = answer.stdout.splitlines()
    return Path(python_include), Path(numpy_include)


def mend_cmake_files(step: Step) -> None:
    """Makes the wheels' CMake files name this machine's include folders.

    Raises:
        SetupError: the headers of Python are missing, or a folder could not be mended.
    """
    python_include, numpy_include = include_folders()
    if not (python_include / 'Python.h').is_file():
        raise step.failure(
            f'{python_include}/Python.h is missing; install the headers of Python 3.11 '
            '(python3.11-dev)'
        )
    _, missing = mend_wheels(
        VENVS['runtime'], python_include=str(python_include), numpy_include=str(numpy_include)
    )
    if missing:
        raise step.failure('include folders that do not exist: ' + ', '.join(missing[:5]))


def package_inputs() -> list[object]:
    """What the build depends on: messages, programs and build files by content, others by name.

    Other installed files are links to the source tree, so their contents need no new build. The
    programs, which begin with `#!`, are installed under other names, and so copied.
    """
    modules = sorted((ROOT / 'upsnet_ros').rglob('*.py'))
    programs = [path for path in modules if path.read_bytes().startswith(b'#!')]
    messages = sorted(ROOT.glob('msg/*.msg'))
    contents = [ROOT / 'CMakeLists.txt', ROOT / 'package.xml', *messages, *programs]
    names = [
        str(path.relative_to(ROOT))
        for folder in ('upsnet_ros', 'launch', 'config', 'deploy')
        for path in sorted((ROOT / folder).rglob('*'))
        if path.is_file() and '__pycache__' not in path.parts
    ]
    return [*contents, *names]


def find_compiler() -> str:
    """Path of a C++ compiler.

    Raises:
        SetupError: there is none.
    """
    named = os.environ.get('CXX')
    for candidate in (*([named] if named else []), 'c++', 'g++', 'clang++'):
        path = shutil.which(candidate)
        if path:
            return path
    raise SetupError(
        'no C++ compiler was found; the messages are compiled.\n'
        '  what to do: install one (g++ with make: package build-essential), or set CXX.'
    )


def link_workspace() -> Path:
    """A source folder for colcon that holds links to the package's parts, and not `.venv`.

    CMake refuses to export a target whose include folders lie inside the source folder, and those
    of NumPy do when the virtual environment lies in the checkout.
    """
    workspace = ROS_FOLDER / 'src' / 'upsnet_ros'
    workspace.mkdir(parents=True, exist_ok=True)
    for part in PACKAGE_PARTS:
        link = workspace / part
        link.unlink(missing_ok=True)
        link.symlink_to(ROOT / part)
    return workspace


def build_ros_package() -> None:
    """Builds the messages and the package into `.ros/install` and writes `.ros/setup.sh`."""
    make_virtual_environment('runtime')
    compiler = find_compiler()
    step = Step(
        'ROS package',
        folder=ROS_FOLDER,
        inputs=fingerprint(*package_inputs(), VENVS['runtime'], VERSIONS, ROS_VERSIONS, compiler),
        advice='read the log: a message or CMakeLists.txt is usually named in it; to begin anew '
        f'remove {ROS_FOLDER}.',
    )
    if step.is_done():
        write_setup_file()
        return
    check_disk('ros-build')
    step.begin()
    step.run(colcon_command(link_workspace()), environment=environment('runtime'), cwd=ROOT)
    write_setup_file()
    step.finish()


def colcon_command(source: Path) -> list[str]:
    """The build command; links instead of copies, so an edited module needs no new build."""
    colcon = shutil.which('colcon') if ros_is_sourced() else str(VENVS['runtime'] / 'bin/colcon')
    if colcon is None:
        raise SetupError(
            'a ROS installation is sourced but colcon is not installed.\n'
            '  what to do: install it (package python3-colcon-common-extensions).'
        )
    return [
        *(colcon, '--log-base', str(ROS_FOLDER / 'log'), 'build'),
        *('--paths', str(source), '--packages-select', 'upsnet_ros'),
        *('--build-base', str(ROS_FOLDER / 'build'), '--install-base', str(INSTALL_FOLDER)),
        *('--merge-install', '--symlink-install', '--event-handlers', 'console_direct+'),
        *('--cmake-args', f'-DPython3_EXECUTABLE={venv_python("runtime")}', '-DBUILD_TESTING=OFF'),
    ]


def execute(arguments: list[str]) -> None:
    """Replaces this process by a command, whose `python` is that of the named environment."""
    name, command = arguments[0], [part for part in arguments[1:] if part != '--']
    variables = environment(name)
    program = shutil.which(command[0], path=variables['PATH']) or command[0]
    os.execve(program, [program, *command[1:]], variables)


def main(arguments: list[str]) -> int:
    """Runs one set-up command; returns the exit status."""
    actions = {
        'runtime': lambda: make_virtual_environment('runtime'),
        'training': lambda: make_virtual_environment('training'),
        'tensorrt': make_tensorrt_environment,
        'browser': setup_browser,
        'ros-build': build_ros_package,
    }
    try:
        if ROS not in DISTRIBUTIONS:
            raise SetupError(
                f'ROS={ROS}, expected {" or ".join(DISTRIBUTIONS)}: of other distributions there '
                'are no wheels; source an installation of it instead'
            )
        if len(arguments) >= 3 and arguments[0] == 'exec' and arguments[1] in VENVS:
            execute(arguments[1:])
        elif len(arguments) == 1 and arguments[0] in actions:
            actions[arguments[0]]()
        else:
            print(__doc__, file=sys.stderr)
            return 2
    except SetupError as error:
        print(f'[set-up] {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
