# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / '.ci'))

import environment  # noqa: E402
import ros_variables  # noqa: E402
import tensorrt_stub  # noqa: E402
from ros_wheels import mend_wheels  # noqa: E402
from steps import SetupError, Step  # noqa: E402

ROS = ros_variables.ROS_FOLDER
# What Fast DDS of the distribution reads.
PROFILE = ros_variables.profile_variable()
EXPORT = """set_target_properties(x PROPERTIES
  INTERFACE_INCLUDE_DIRECTORIES "{folders}"
  INTERFACE_LINK_LIBRARIES "y"
)
"""
FOREIGN = [
    '/opt/python/cp311-cp311/include/python3.11',
    '/opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/_core/include',
]


def write_export(prefix: Path, folders: list[str], package: str = 'std_msgs') -> Path:
    path = prefix / 'share' / package / 'cmake' / 'export.cmake'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(EXPORT.format(folders=';'.join(folders)))
    return path


@pytest.fixture
def local(tmp_path) -> dict[str, str]:
    """Include folders that exist here."""
    folders = {
        'python_include': tmp_path / 'include' / 'python3.11',
        'numpy_include': tmp_path / 'numpy' / '_core' / 'include',
    }
    for folder in folders.values():
        folder.mkdir(parents=True)
    return {name: str(folder) for name, folder in folders.items()}


def test_foreign_include_folders_are_replaced_once(tmp_path, local) -> None:
    relative = '${_IMPORT_PREFIX}/include/std_msgs'
    paths = [
        write_export(tmp_path, [relative, *FOREIGN]),
        write_export(tmp_path, FOREIGN, 'sensor_msgs'),
    ]
    write_export(tmp_path, [relative], 'no_python')
    assert mend_wheels(tmp_path, **local) == (2, [])
    mended = [local['python_include'], local['numpy_include']]
    assert paths[0].read_text() == EXPORT.format(folders=';'.join([relative, *mended]))
    assert paths[1].read_text() == EXPORT.format(folders=';'.join(mended))
    assert mend_wheels(tmp_path, **local) == (0, [])


def test_another_interpreter_than_last_time_is_taken_over(tmp_path, local) -> None:
    path = write_export(tmp_path, ['/gone/include/python3.12', '/gone/numpy/core/include'])
    assert mend_wheels(tmp_path, **local)[0] == 1
    assert '/gone/' not in path.read_text()


def test_folders_that_cannot_be_mended_are_named(tmp_path, local) -> None:
    write_export(tmp_path, ['/nowhere/include/other'])
    changed, missing = mend_wheels(tmp_path, **local)
    assert (changed, missing) == (0, ['export.cmake: /nowhere/include/other'])


def make_step(folder: Path, inputs: str = 'a') -> Step:
    return Step('a step', folder=folder, inputs=inputs, advice='look at it')


def test_a_step_is_done_for_its_inputs_only_after_it_finished(tmp_path) -> None:
    step = make_step(tmp_path)
    assert not step.is_done()
    step.begin()
    assert not step.is_done()
    step.finish()
    assert make_step(tmp_path).is_done()
    assert not make_step(tmp_path, 'b').is_done()
    make_step(tmp_path).begin()  # interrupted
    assert not make_step(tmp_path).is_done()


def test_a_failed_command_names_step_reason_log_and_advice(tmp_path) -> None:
    step = make_step(tmp_path)
    step.begin()
    code = 'import sys; [print("line", i) for i in range(50)]; sys.exit(3)'
    with pytest.raises(SetupError) as caught:
        step.run([sys.executable, '-c', code])
    text = str(caught.value)
    assert '"a step" failed' in text and 'status 3' in text
    assert 'line 49' in text and 'line 20' not in text
    assert str(step.log) in text and 'look at it' in text
    assert not step.is_done()


def test_a_missing_command_is_explained(tmp_path) -> None:
    step = make_step(tmp_path)
    step.begin()
    with pytest.raises(SetupError, match='no_such_program cannot be started'):
        step.run(['no_such_program'])


def pinned(distribution: str) -> dict[str, str]:
    paths = [ROOT / 'config' / f'versions{of}.txt' for of in ('', f'_{distribution}')]
    lines = [line for path in paths for line in path.read_text().splitlines()]
    pairs = [line.split('==') for line in lines if line and not line.startswith('#')]
    assert len(pairs) == len(dict(pairs)), 'a name is stated twice'
    return dict(pairs)


@pytest.mark.parametrize('distribution', ros_variables.DISTRIBUTIONS)
@pytest.mark.parametrize('extra', ['ros', 'ros-build', 'training', 'tensorrt', 'dev'])
def test_everything_that_setup_py_names_has_a_version(extra: str, distribution: str) -> None:
    extra = f'ros-{distribution}' if extra == 'ros' else extra
    # Behind a semicolon stands on which processors.
    names = [name.partition(';')[0] for name in environment.requirements(extra)]
    assert {'numpy', 'onnxruntime'} <= set(names)
    assert [name for name in names if name.lower() not in pinned(distribution)] == []


def test_every_version_is_exact_and_stated_once() -> None:
    assert all(value for of in ros_variables.DISTRIBUTIONS for value in pinned(of).values())
    for path in (ROOT / 'setup.py', ROOT / 'Makefile', ROOT / '.ci' / 'environment.py'):
        assert '==' not in path.read_text().replace(' == ', '').replace("'=='", '')


def test_the_older_tensorrt_is_another_version_of_the_same_packages() -> None:
    lines = tensorrt_stub.OLDER.read_text().splitlines()
    older = dict(line.split('==') for line in lines if line and not line.startswith('#'))
    assert set(older) <= set(environment.requirements('tensorrt'))
    assert all(
        version.startswith('10.') and pinned(ros_variables.ROS)[name].startswith('11.')
        for name, version in older.items()
    )


def test_a_missing_lean_library_is_named(tmp_path) -> None:
    with pytest.raises(SetupError, match='one libnvinfer_lean.so was expected, 0 were found'):
        tensorrt_stub.build_stub(tmp_path / 'site', log_folder=tmp_path)
    assert not (tmp_path / 'site' / 'tensorrt').exists()


def test_the_older_tensorrt_comes_first_on_the_import_path() -> None:
    both = [ros_variables.environment(name) for name in ('tensorrt', 'tensorrt-10')]
    newer, older = (variables['PYTHONPATH'].split(os.pathsep) for variables in both)
    assert newer == [str(ROOT)]
    assert older == [str(ros_variables.OLDER_TENSORRT), str(ROOT)]


def test_a_missing_c_compiler_is_explained(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(tensorrt_stub.shutil, 'which', lambda name: None)
    with pytest.raises(SetupError, match='(?s)no C compiler was found.*build-essential.*set CC'):
        tensorrt_stub.build_stub(tmp_path, log_folder=tmp_path)


def test_without_python_3_11_the_wheels_are_refused_with_advice(monkeypatch) -> None:
    monkeypatch.setattr(environment, 'python_version', lambda python: (3, 13))
    monkeypatch.setattr(environment, 'ros_is_sourced', lambda: False)
    with pytest.raises(SetupError, match='install Python 3.11'):
        environment.find_python('runtime')


def test_without_compiler_the_build_is_refused_with_advice(monkeypatch) -> None:
    monkeypatch.setenv('PATH', '/nowhere')
    monkeypatch.delenv('CXX', raising=False)
    with pytest.raises(SetupError, match='build-essential'):
        environment.find_compiler()


def test_a_full_disk_is_noticed_before_the_download(monkeypatch) -> None:
    monkeypatch.setitem(environment.FREE_GIB, 'training', 10**6)
    with pytest.raises(SetupError, match='GiB are free'):
        environment.check_disk('training')


def test_beside_ros_its_numpy_and_opencv_are_kept(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.delenv(ros_variables.WHEELS_ARE_READY, raising=False)
    monkeypatch.setitem(environment.VENVS, 'runtime', tmp_path)
    lines = environment.constraints_file('runtime', system_numpy='1.26.4').read_text().split('\n')
    assert [line for line in lines if line.startswith('numpy')] == ['numpy==1.26.4']
    assert not [line for line in lines if line.lower().startswith(('pyyaml', 'ml_dt', 'ml-dt'))]
    newer = environment.constraints_file('runtime', system_numpy='2.3.0').read_text()
    assert 'numpy==2.3.0' in newer and 'dtypes==' in newer
    with_opencv = environment.wanted_requirements(['dev'], system_opencv='4.6.0')
    without = environment.wanted_requirements(['dev'], system_opencv=None)
    assert set(without) - set(with_opencv) == {'opencv-python-headless'}


def test_without_ros_all_versions_are_the_stated_ones(monkeypatch) -> None:
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    path = environment.constraints_file('runtime', system_numpy='1.26.4')
    assert path == ROOT / 'config' / 'versions.txt'


def test_wheels_of_another_distribution_are_not_mixed_with(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(environment.VENVS, 'runtime', tmp_path)
    site = tmp_path / 'lib' / 'python3.11' / 'site-packages'
    (site / f'ros_{environment.ROS}_rclpy-7.1.6.dist-info').mkdir(parents=True)
    (site / 'ros_rclpy-7.1.6.dist-info').mkdir()
    assert not environment.holds_other_ros('runtime')
    (site / 'ros_galactic_rclpy-1.0.0.dist-info').mkdir()
    assert environment.holds_other_ros('runtime')


def test_a_distribution_without_wheels_is_refused_with_those_that_have_some() -> None:
    command = [sys.executable, str(ROOT / '.ci' / 'environment.py'), 'runtime']
    variables = {**os.environ, 'ROS': 'foxy'}
    done = subprocess.run(command, env=variables, capture_output=True, text=True)
    assert done.returncode == 1
    assert 'ROS=foxy, expected jazzy or kilted' in done.stderr and 'Traceback' not in done.stderr


def test_each_distribution_has_folders_of_its_own() -> None:
    shown = 'VENVS["runtime"], r.ROS_FOLDER, r.profile_variable()'
    code = f'import ros_variables as r; print(r.{shown})'
    found = {}
    for name in ('', *ros_variables.DISTRIBUTIONS):
        variables = {**os.environ, 'ROS': name, 'PYTHONPATH': str(ROOT / '.ci')}
        for other in ('ROS_DISTRO', ros_variables.WHEELS_ARE_READY):
            variables.pop(other, None)
        done = subprocess.run([sys.executable, '-c', code], env=variables, capture_output=True)
        found[name] = done.stdout.decode().split()
    assert found[''] == found['jazzy']
    assert found['jazzy'][2] == 'FASTRTPS_DEFAULT_PROFILES_FILE'
    assert found['kilted'][2] == 'FASTDDS_DEFAULT_PROFILES_FILE'
    assert set(found['jazzy']).isdisjoint(found['kilted'])


def test_an_environment_without_pip_is_made_again(monkeypatch, tmp_path) -> None:
    monkeypatch.setitem(environment.VENVS, 'runtime', tmp_path / 'venv')
    make = [sys.executable, '-m', 'venv', '--without-pip', str(tmp_path / 'venv')]
    subprocess.run(make, check=True)
    assert not environment.venv_fits('runtime', sys.executable, sees_system=False)
    monkeypatch.setattr(environment, 'has_pip', lambda python: True)
    assert environment.venv_fits('runtime', sys.executable, sees_system=False)
    assert not environment.venv_fits('runtime', sys.executable, sees_system=True)


@pytest.mark.parametrize('name', ['runtime', 'training'])
def test_an_older_python_than_3_11_is_refused(monkeypatch, name: str) -> None:
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.delenv(ros_variables.WHEELS_ARE_READY, raising=False)
    monkeypatch.setattr(environment, 'python_version', lambda python: (3, 10))
    with pytest.raises(SetupError, match='Python 3.11 or newer'):
        environment.find_python(name)


def test_clean_keeps_data_and_trained_models() -> None:
    answer = subprocess.run(
        ['make', '-n', 'clean'], cwd=ROOT, capture_output=True, text=True, check=True
    )
    # Inside `make test` the first line is about the directory that make enters.
    (line,) = [line for line in answer.stdout.splitlines() if line.startswith('rm -rf')]
    removed = line.split()[2:]
    outputs = {'out/demo', 'out/replay', 'out/bench'}
    assert set(removed) == {
        '.ros',
        '.ros-*',
        *outputs,
        '.pytest_cache',
        '.ruff_cache',
        '.mypy_cache',
    }


USER_VARIABLES = (
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'ROS_LOG_DIR',
    'ROS_HOME',
)


@pytest.fixture
def nothing_exported(monkeypatch) -> None:
    """A shell in which the user has exported nothing of ROS."""
    wheels = ros_variables.WHEELS_ARE_READY
    for name in (*USER_VARIABLES, 'ROS_DISTRO', 'AMENT_PREFIX_PATH', wheels):
        monkeypatch.delenv(name, raising=False)


def test_ros_logs_into_the_checkout_unless_the_user_says_where(
    monkeypatch, nothing_exported
) -> None:
    assert ros_variables.runtime_variables()['ROS_LOG_DIR'] == str(ROS / 'log' / 'ros')
    for name in ('ROS_LOG_DIR', 'ROS_HOME'):
        monkeypatch.setenv(name, '/mine')
        assert ros_variables.environment('runtime')[name] == '/mine'
        assert ros_variables.environment('runtime').get('ROS_LOG_DIR') in (None, '/mine')
        monkeypatch.delenv(name)


# Fast DDS 3 still reads the older name, Fast DDS 2 not the newer one.
@pytest.mark.parametrize('name', sorted({PROFILE, ros_variables.BEFORE_THREE}))
def test_an_exported_profile_goes_before_ours(monkeypatch, nothing_exported, name) -> None:
    monkeypatch.setenv(name, '/mine.xml')
    variables = ros_variables.environment('runtime')
    assert variables[name] == '/mine.xml' and variables.get(PROFILE, '/mine.xml') == '/mine.xml'


@pytest.mark.parametrize(
    ('exported', 'expected'),
    [
        ('', [str(ROOT / 'config' / 'fastdds.xml'), str(ROS / 'log' / 'ros')]),
        (f'{PROFILE}=/mine.xml ROS_HOME=/mine', ['/mine.xml', 'none']),
        ('ROS_LOG_DIR=/mine', [str(ROOT / 'config' / 'fastdds.xml'), '/mine']),
    ],
)
def test_the_sourced_file_leaves_what_is_exported(
    monkeypatch, tmp_path, nothing_exported, exported, expected
) -> None:
    monkeypatch.setattr(ros_variables, 'SETUP_FILE', tmp_path / 'setup.sh')
    file = ros_variables.write_setup_file()
    script = (
        f'set -eu; {"export " + exported if exported else ":"}; . {file}; '
        f'echo "${PROFILE} ${{ROS_LOG_DIR:-none}}"'
    )
    answer = subprocess.run(['sh', '-c', script], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == expected


def test_a_sourced_ros_keeps_its_own_variables(monkeypatch, nothing_exported) -> None:
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    monkeypatch.setenv('AMENT_PREFIX_PATH', '/opt/ros/jazzy')
    variables = ros_variables.runtime_variables()
    prefixes = variables['AMENT_PREFIX_PATH'].split(os.pathsep)
    assert prefixes == [str(ROS / 'install'), '/opt/ros/jazzy']
    assert '_ROS_WHEELS_BOOTSTRAP_COMPLETE' not in variables
    assert 'FASTRTPS_DEFAULT_PROFILES_FILE' in variables


def test_the_wheels_are_found_without_a_sourced_ros(monkeypatch, nothing_exported) -> None:
    variables = ros_variables.runtime_variables()
    venv = str(ros_variables.VENVS['runtime'])
    assert variables['AMENT_PREFIX_PATH'].split(os.pathsep)[1] == venv
    assert variables['LD_LIBRARY_PATH'].split(os.pathsep)[0] == str(ROS / 'install' / 'lib')
    assert variables['_ROS_WHEELS_BOOTSTRAP_COMPLETE'] == '1'
    assert variables[PROFILE] == str(ROOT / 'config' / 'fastdds.xml')
    assert variables['ROS_DISTRO'] == ros_variables.ROS
    # A shell that sourced the file is no shell with an installed ROS.
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert not ros_variables.ros_is_sourced()


def test_a_plain_installation_has_every_file_that_the_code_reads() -> None:
    folders = {
        path.parent.relative_to(ROOT / 'upsnet_ros')
        for path in (ROOT / 'upsnet_ros').rglob('*')
        if path.is_file() and path.suffix in ('.html', '.css')
    }
    assert folders
    stated = (ROOT / 'setup.py').read_text()
    for folder in folders:
        package = '.'.join(('upsnet_ros', *folder.parts[:-1]))
        assert f"'{package}': ['{folder.name}/*']" in stated
