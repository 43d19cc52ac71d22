# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Panoptic segmentation of camera images for autonomous driving."""

from pkgutil import extend_path

# The message classes `upsnet_ros.msg` are generated into the build tree. This line lets them be
# found there when this file is imported from the source tree, which would otherwise hide them.
__path__ = extend_path(__path__, __name__)
