# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which part may import which: `core <- manifest, backends <- pipeline <- node, evaluation`.

The imports of every file are read from its text, so that one inside a function counts as well.
"""

import ast
import importlib
import re
import runpy
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.python_process import run_python

ROOT = Path(__file__).parents[1]

# A part of the project is the longest of these prefixes that fits a module's name.
PARTS = (
    'upsnet_ros',
    'upsnet_ros.msg',
    'upsnet_ros.core',
    'upsnet_ros.images',
    'upsnet_ros.bags',
    'upsnet_ros.report',
    'upsnet_ros.manifest',
    'upsnet_ros.backends',
    'upsnet_ros.pipeline',
    'upsnet_ros.agreement',
    'upsnet_ros.installed_files',
    'upsnet_ros.dds_profile',
    'upsnet_ros.dds_domain',
    'upsnet_ros.doctor',
    'upsnet_ros.node',
    'upsnet_ros.evaluation',
    'upsnet_ros.label',
    'training',
    'training.engine',
    'training.panoptic_kernels',
    'training.synthetic',
)
ALLOWED = {
    'upsnet_ros': set(),
    'upsnet_ros.core': set(),
    'upsnet_ros.images': {'upsnet_ros.core'},
    'upsnet_ros.bags': {'upsnet_ros.core', 'upsnet_ros.images', 'upsnet_ros.installed_files'},
    # Pages, charts and tables know nothing of perception: anything can be told with them.
    'upsnet_ros.report': set(),
    'upsnet_ros.manifest': {'upsnet_ros.core'},
    'upsnet_ros.backends': {'upsnet_ros.core', 'upsnet_ros.manifest'},
    'upsnet_ros.pipeline': {'upsnet_ros.core', 'upsnet_ros.manifest', 'upsnet_ros.backends'},
    'upsnet_ros.agreement': {'upsnet_ros.core', 'upsnet_ros.manifest', 'upsnet_ros.backends'},
    'upsnet_ros.installed_files': {'upsnet_ros.core'},
    'upsnet_ros.dds_profile': {'upsnet_ros.core'},
    'upsnet_ros.dds_domain': {'upsnet_ros.core'},
    'upsnet_ros.doctor': {
        'upsnet_ros.core',
        'upsnet_ros.manifest',
        'upsnet_ros.backends',
        'upsnet_ros.pipeline',
        'upsnet_ros.agreement',
        'upsnet_ros.installed_files',
        'upsnet_ros.dds_profile',
    },
    'upsnet_ros.node': {
        'upsnet_ros.core',
        'upsnet_ros.images',
        'upsnet_ros.bags',
        'upsnet_ros.manifest',
        'upsnet_ros.backends',
        'upsnet_ros.pipeline',
        'upsnet_ros.installed_files',
        'upsnet_ros.dds_profile',
        'upsnet_ros.msg',
    },
    # It starts the node's programs and never imports them.
    'upsnet_ros.evaluation': {
        'upsnet_ros.core',
        'upsnet_ros.images',
        'upsnet_ros.bags',
        'upsnet_ros.report',
        'upsnet_ros.installed_files',
        'upsnet_ros.dds_domain',
        'upsnet_ros.manifest',
        'upsnet_ros.backends',
        'upsnet_ros.pipeline',
    },
    # What is written of own pictures is written as evaluation writes it.
    'upsnet_ros.label': {
        'upsnet_ros.core',
        'upsnet_ros.images',
        'upsnet_ros.installed_files',
        'upsnet_ros.backends',
        'upsnet_ros.pipeline',
        'upsnet_ros.evaluation',
    },
    'training.synthetic': {'upsnet_ros.core'},
    'training.engine': {
        'upsnet_ros.core',
        'upsnet_ros.manifest',
        'upsnet_ros.backends',
        'upsnet_ros.agreement',
        'training',
        'training.synthetic',
    },
    # The runtime loads what these are compiled to, and says how they are launched.
    'training.panoptic_kernels': {'upsnet_ros.core', 'upsnet_ros.backends', 'training'},
    'training': {'upsnet_ros.core', 'upsnet_ros.report', 'training.engine', 'training.synthetic'},
}
# Only evaluation, export, what goes on from it and the building of engines may also use the
# runtime around the network.
TRAINING_WITH_RUNTIME = {
    'build_engine.py',
    'export.py',
    'export_check.py',
    'export_wrapper.py',
    'exported_model.py',
    'labellers.py',
    'torch_backend.py',
}
# The same command as the runtime's, for a checkpoint.
TRAINING_WITH_LABEL = {'label.py'}
RUNTIME = {
    'upsnet_ros.agreement',
    'upsnet_ros.pipeline',
    'upsnet_ros.manifest',
    'upsnet_ros.backends',
}
# Folder or file: the libraries that may be imported there and nowhere else in upsnet_ros.
ONLY_IN = {
    'onnxruntime': ('upsnet_ros/backends/onnx_backend.py',),
    'openvino': (
        'upsnet_ros/backends/openvino_backend.py',
        'upsnet_ros/backends/openvino_precision.py',
    ),
    'tensorrt': ('upsnet_ros/backends/tensorrt_runtime.py',),
    'cuda': ('upsnet_ros/backends/cuda_runtime.py',),
    'jinja2': ('upsnet_ros/report/',),
    'matplotlib': ('upsnet_ros/report/',),
    'rclpy': ('upsnet_ros/node/',),
    'ament_index_python': ('upsnet_ros/node/',),
    'std_msgs': ('upsnet_ros/node/',),
    'sensor_msgs': ('upsnet_ros/node/',),
    'std_srvs': ('upsnet_ros/node/',),
    'diagnostic_msgs': ('upsnet_ros/node/',),
    'lifecycle_msgs': ('upsnet_ros/node/',),
    'rcl_interfaces': ('upsnet_ros/node/',),
    'rosgraph_msgs': ('upsnet_ros/node/',),
    'vision_msgs': ('upsnet_ros/node/',),
    'cv_bridge': ('upsnet_ros/images/raw.py',),
    'av': ('upsnet_ros/images/video.py',),
}
CORE_LIBRARIES = {'numpy', 'cv2', 'numba'}
REPORT_LIBRARIES = {'numpy', 'cv2', 'jinja2', 'markupsafe', 'matplotlib'}
SYNTHETIC_LIBRARIES = {'numpy', 'cv2', 'tqdm', 'rosbags'}
NEVER_IN_RUNTIME = {'torch', 'torchvision', 'training', 'onnx', 'triton'}


def source_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob('*.py'))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def imported_modules(path: Path) -> set[str]:
    """Full names of everything a file imports; `from a import b` counts as `a.b` and `a`."""
    package = module_name(path).split('.')
    if path.name != '__init__.py':
        package = package[:-1]
    found = set()
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.Import):
            found |= {alias.name for alias in statement.names}
        elif isinstance(statement, ast.ImportFrom):
            above = package[: len(package) - statement.level + 1] if statement.level else []
            base = '.'.join([*above, *([statement.module] if statement.module else [])])
            found |= {base} | {f'{base}.{alias.name}' for alias in statement.names}
    return found


def part_of(module: str) -> str | None:
    fitting = [part for part in PARTS if module == part or module.startswith(part + '.')]
    return max(fitting, key=len, default=None)


def forbidden_arrows(path: Path, imports: set[str]) -> set[str]:
    """The imports of a file that go against the rules."""
    own = part_of(module_name(path))
    allowed = ALLOWED[own] | {own}
    if path.parent == ROOT / 'training' and path.name in TRAINING_WITH_RUNTIME:
        allowed = allowed | RUNTIME
    if path.parent == ROOT / 'training' and path.name in TRAINING_WITH_LABEL:
        allowed = allowed | {'upsnet_ros.label'}
    # The package itself holds nothing, so naming it on the way to a part is no arrow.
    targets = {name for name in imports if part_of(name) not in (None, 'upsnet_ros')}
    return {name for name in targets if part_of(name) not in allowed}


def top_level(imports: set[str]) -> set[str]:
    return {name.split('.')[0] for name in imports}


@pytest.mark.parametrize('path', source_files('upsnet_ros', 'training'), ids=module_name)
def test_no_forbidden_arrow(path: Path) -> None:
    assert forbidden_arrows(path, imported_modules(path)) == set()


@pytest.mark.parametrize('path', source_files('upsnet_ros'), ids=module_name)
def test_libraries_stay_where_they_belong(path: Path) -> None:
    libraries = top_level(imported_modules(path))
    assert not libraries & NEVER_IN_RUNTIME
    place = str(path.relative_to(ROOT))
    misplaced = {
        library
        for library in libraries & ONLY_IN.keys()
        if not any(place.startswith(allowed) for allowed in ONLY_IN[library])
    }
    assert misplaced == set()


@pytest.mark.parametrize(
    ('folder', 'libraries'),
    [
        ('upsnet_ros/core', CORE_LIBRARIES),
        ('upsnet_ros/report', REPORT_LIBRARIES),
        ('training/synthetic', SYNTHETIC_LIBRARIES),
    ],
)
def test_light_parts_need_few_libraries(folder: str, libraries: set[str]) -> None:
    own = {'upsnet_ros', 'training'}
    for path in source_files(folder):
        foreign = top_level(imported_modules(path)) - sys.stdlib_module_names - own
        assert foreign <= libraries, path


# What each library that the package imports is called by pip, and by rosdep and Ubuntu; None where
# ROS distributions lack it.
LIBRARIES = {
    'PIL': ('pillow', 'python3-pil'),
    'cv2': ('opencv-python-headless', 'python3-opencv'),
    'jinja2': ('jinja2', 'python3-jinja2'),
    'matplotlib': ('matplotlib', 'python3-matplotlib'),
    'mcap': ('mcap', None),
    'numba': ('numba', None),
    'numpy': ('numpy', 'python3-numpy'),
    'onnxruntime': ('onnxruntime', None),
    'openvino': ('openvino', None),
    'psutil': ('psutil', 'python3-psutil'),
    'rosbags': ('rosbags', None),
    'tqdm': ('tqdm', 'python3-tqdm'),
    'yaml': ('pyyaml', 'python3-yaml'),
}
# Libraries that those need themselves.
BROUGHT_BY = {'lz4': 'mcap', 'zstandard': 'mcap', 'markupsafe': 'jinja2'}
TYPES_ONLY = {'typing_extensions'}
OF_ROS = {
    *('ament_index_python', 'diagnostic_msgs', 'launch', 'launch_ros', 'rcl_interfaces', 'rclpy'),
    *('sensor_msgs', 'std_msgs', 'std_srvs'),
}
OPTIONAL = {'av', 'cuda', 'cv_bridge', 'tensorrt', 'vision_msgs'}


def test_every_library_is_asked_for_wherever_the_package_is_installed() -> None:
    files = source_files('upsnet_ros', 'launch')
    found = set().union(*(top_level(imported_modules(path)) for path in files))
    found -= {*sys.stdlib_module_names, 'upsnet_ros'}
    assert found == {*LIBRARIES, *BROUGHT_BY, *TYPES_ONLY, *OF_ROS, *OPTIONAL}

    setup = runpy.run_path(str(ROOT / 'setup.py'), run_name='read')
    # Behind a semicolon stands on which processors.
    required = {name.partition(';')[0] for name in setup['INSTALL_REQUIRES']}
    assert required == {pip for pip, _ in LIBRARIES.values()}
    versions = (ROOT / 'config' / 'versions.txt').read_text()
    assert all(f'\n{name}==' in versions for name in required)

    ubuntu = {name for _, name in LIBRARIES.values() if name}
    package = ElementTree.parse(ROOT / 'package.xml').getroot()
    stated = {entry.text for entry in package.iter() if entry.tag in ('depend', 'exec_depend')}
    assert ubuntu | OF_ROS <= stated
    dockerfile = (ROOT / 'Dockerfile').read_text()
    assert ubuntu <= set(re.findall(r'^ +(python3-\w+) \\$', dockerfile, re.MULTILINE))

    elsewhere = {pip for pip, name in LIBRARIES.values() if name is None}
    wanted = re.search(r"grep -E '\^\(([^)]*)\)=='", dockerfile)
    assert wanted and elsewhere <= set(wanted[1].split('|'))
    for page in ('README.md', 'docs/deployment.md'):
        lines = re.findall(r'pip install ([\w ]*\w)', (ROOT / page).read_text())
        assert elsewhere == set(lines[0].split()), page


def test_no_module_has_the_name_of_a_library() -> None:
    libraries = {*sys.stdlib_module_names, *ONLY_IN, *CORE_LIBRARIES, *NEVER_IN_RUNTIME}
    libraries -= {'training', '__init__', '__main__'}
    names = {path.stem for path in source_files('upsnet_ros', 'training')}
    # These two are only ever named with their package (`python -m training.inspect`), so nothing
    # can mistake them for the standard library's.
    assert names & libraries == {'select', 'inspect'}


@pytest.mark.parametrize(
    ('path', 'line', 'is_forbidden'),
    [
        ('upsnet_ros/core/x.py', 'from upsnet_ros.pipeline import y', True),
        ('upsnet_ros/core/x.py', 'from upsnet_ros import manifest', True),
        ('upsnet_ros/core/x.py', 'from ..node import y', True),
        ('upsnet_ros/core/x.py', 'from . import labels', False),
        ('upsnet_ros/pipeline.py', 'def f():\n    import upsnet_ros.node.main', True),
        ('upsnet_ros/doctor/x.py', 'from upsnet_ros.node.parameters import y', True),
        ('upsnet_ros/doctor/x.py', 'from upsnet_ros.backends import y', False),
        ('upsnet_ros/node/x.py', 'from upsnet_ros.msg import y', False),
        ('upsnet_ros/node/x.py', 'import training.models', True),
        ('upsnet_ros/node/x.py', 'import upsnet_ros.evaluation.report', True),
        ('training/models/x.py', 'import upsnet_ros.pipeline', True),
        ('training/labellers.py', 'import upsnet_ros.pipeline', False),
        ('training/label.py', 'import upsnet_ros.label.command', False),
        ('training/labellers.py', 'import upsnet_ros.label.command', True),
        ('upsnet_ros/evaluation/x.py', 'import upsnet_ros.label.command', True),
        ('training/synthetic/x.py', 'import training.models.y', True),
        ('upsnet_ros/core/x.py', 'import numpy', False),
    ],
)
def test_the_rules_find_a_forbidden_arrow(monkeypatch, path, line, is_forbidden) -> None:
    monkeypatch.setattr(Path, 'read_text', lambda self: line)
    imports = imported_modules(ROOT / path)
    assert bool(forbidden_arrows(ROOT / path, imports)) == is_forbidden


RUNTIME_MODULES = [
    module_name(path)
    for path in source_files('upsnet_ros', 'training/synthetic')
    if path.name != '__main__.py'
]


@pytest.mark.heavy
def test_the_runtime_works_where_there_is_no_torch() -> None:
    """Imports every module of the runtime; this environment has no torch to import."""
    code = (
        'import importlib, sys\n'
        f'for name in {RUNTIME_MODULES}: importlib.import_module(name)\n'
        'assert "torch" not in sys.modules\n'
        'try:\n'
        '    import torch\n'
        'except ImportError:\n'
        '    print("no torch")\n'
    )
    answer = run_python(code)
    assert answer.stderr == ''
    assert answer.stdout == 'no torch\n'


@pytest.mark.heavy
def test_importing_the_pipeline_brings_no_ros_and_compiles_nothing() -> None:
    # Numba takes half a second to import: only those pay who label.
    code = (
        'import sys, upsnet_ros.pipeline\n'
        'print([name for name in ("rclpy", "sensor_msgs", "torch", "numba") '
        'if name in sys.modules])'
    )
    answer = run_python(code)
    assert answer.stdout == '[]\n'


def test_generated_messages_are_found_from_the_source_tree() -> None:
    package = importlib.import_module('upsnet_ros')
    messages = importlib.import_module('upsnet_ros.msg')
    assert Path(package.__file__) == ROOT / 'upsnet_ros' / '__init__.py'
    assert ROOT / 'upsnet_ros' not in Path(messages.__file__).parents
