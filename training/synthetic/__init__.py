# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Synthetic drives: a procedural street with exact panoptic ground truth.

NumPy and OpenCV are all it needs. A world (`world.py`) is decided by a seed; `render.py` paints a
frame of it, image and labels with the same polygons; `drive.py` says which worlds exist;
`cityscapes.py` and `bag.py` write them.
"""
