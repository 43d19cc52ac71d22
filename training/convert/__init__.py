# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Other formats of truth into COCO panoptic format: ``python -m training.convert``.

A source (`sources.py`) lists the pictures of one format and reads the regions of each;
`writing.py` makes a split of them.
"""
