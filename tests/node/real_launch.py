# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Runs launch files in the real `launch`, where that is installed."""

import importlib.util
import subprocess
import sys
from pathlib import Path

# Our own folder `launch/` makes a namespace package of that name, so the other one tells.
REAL_LAUNCH = importlib.util.find_spec('launch_ros') is not None


def run_real_launch(file: Path, *arguments: str, limit_s: float | None = None) -> str:
    """What the real launch prints while it runs a launch file to its end, or for some seconds."""
    pairs = [tuple(argument.split(':=')) for argument in arguments]
    code = f"""
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription, Shutdown, TimerAction
from launch.launch_description_sources import PythonLaunchDescriptionSource
source = PythonLaunchDescriptionSource({str(file)!r})
service = LaunchService()
service.include_launch_description(
    LaunchDescription([
        IncludeLaunchDescription(source, launch_arguments={pairs}),
        *([TimerAction(period={limit_s}, actions=[Shutdown()])] if {limit_s} else []),
    ])
)
service.run()
"""
    command = [sys.executable, '-c', code]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return answer.stdout + answer.stderr
