# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Other formats of truth into COCO panoptic format: ``python -m training.convert``.

A source (`source.py`) lists the pictures of one format and reads the regions of each;
`label_pngs.py` and `coco_files.py` hold those there are, `writing.py` makes a split of them.
"""
