# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Run lengths of masks that fill a part of their image, without an array of the image's size.

Source: the format of masks in COCO's annotations: lengths of runs of 0 and 1 in turn, beginning
with 0, down the columns from left to right.
"""

import numpy as np
from pycocotools import mask as coco_mask

from training.evaluation.found_object import RunLengths
from upsnet_ros.core.window import Window


def mask_runs(window: Window, pixels: np.ndarray, size: tuple[int, int]) -> RunLengths:
    """Encode a mask.

    Args:
        window: Where ``pixels`` lie in the image, wholly inside it.
        pixels: bool ``[height, width]`` of the window; empty for a mask without any pixel.
        size: Height and width of the image in pixels.
    """
    height, width = size
    # A border of zeros above and below, so that every run ends in the column it began in.
    columns = np.zeros((window.width, window.height + 2), np.int8)
    columns[:, 1:-1] = pixels.T
    steps = np.diff(columns, axis=1)
    offsets = (window.left + np.arange(window.width)) * height + window.top
    bounds = []
    for step in (1, -1):
        column, row = np.nonzero(steps == step)
        bounds.append(offsets[column] + row)
    begins, ends = bounds
    apart = begins[1:] != ends[:-1]  # a run that reaches the bottom may go on in the next column
    begins = np.concatenate((begins[:1], begins[1:][apart]))
    ends = np.concatenate((ends[:-1][apart], ends[-1:]))
    edges = np.stack((begins, ends), axis=1).ravel()
    counts = np.diff(edges, prepend=0, append=height * width)
    if counts[-1] == 0:
        counts = counts[:-1]
    runs = {'size': [height, width], 'counts': counts.tolist()}
    packed = coco_mask.frPyObjects(runs, height, width)
    return {'size': [height, width], 'counts': packed['counts'].decode('ascii')}
