#!/bin/bash
# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command with ROS and this package sourced; signals reach the command itself.
set -e
# ROS's own files read variables that are not set, so no `set -u` here.
source "/opt/ros/${ROS_DISTRO}/setup.bash"
source /opt/upsnet_ros/local_setup.bash
exec "$@"
