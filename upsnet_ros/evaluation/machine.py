# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""On what a measurement was made: processor, memory, versions."""

from __future__ import annotations

import os
import platform
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

# Distributions whose versions change results or times.
PACKAGES = ('numpy', 'opencv-python-headless', 'onnxruntime', 'rosbags', 'rclpy')


def processor_name() -> str:
    """The processor as it calls itself, or the architecture where it does not say."""
    try:
        for line in Path('/proc/cpuinfo').read_text().splitlines():
            if line.startswith(('model name', 'Model')):
                return line.split(':', 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def package_versions() -> dict[str, str]:
    """Installed versions; packages that are absent are left out."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_machine() -> dict[str, object]:
    """Processor, cores this process may use, memory [GB], system, Python, packages, date (UTC)."""
    affinity = getattr(os, 'sched_getaffinity', None)
    return {
        'cpu': processor_name(),
        'cores': len(affinity(0)) if affinity else os.cpu_count(),
        'memory_gb': round(psutil.virtual_memory().total / 1e9, 1),
        'system': f'{platform.system()} {platform.release()} {platform.machine()}',
        'python': platform.python_version(),
        'ros_distro': os.environ.get('ROS_DISTRO') or 'wheels',
        'rmw': os.environ.get('RMW_IMPLEMENTATION') or 'default',
        'versions': package_versions(),
        'date': datetime.now(timezone.utc).isoformat(timespec='seconds'),
    }
