# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels of a frame in numba's simulator: threads in blocks that wait for each other."""

from __future__ import annotations

import pytest

from tests.python_process import run_python

CASE = """
import dataclasses, sys
import numpy as np
from tests.fakes.simulated_grid import run_launches
import tests.backends.test_frame_kernels as frames
from upsnet_ros.backends.frame_launches import ANSWER

frames.run_launches = run_launches
seed, height, width, count, resolution = sys.argv[1:]
rng = np.random.default_rng(int(seed))
label_set = frames.make_label_set(3, 2)
size = (int(height), int(width))
geometry = frames.InputGeometry.fit(image_size=size, input_size=(32, 64))
output = frames.random_output(rng, label_set, geometry, count=int(count))
few = {name: getattr(output, name)[:10] for name in ('boxes', 'scores', 'classes', 'mask_logits')}
result = frames.assert_labels_like_the_head(
    label_set,
    geometry,
    dataclasses.replace(output, **few),
    score_threshold=0.0,
    mask_overlap_threshold=0.2,
    stuff_area_limit=20,
    label_resolution=resolution,
)
print(len(result.instances))
"""


@pytest.mark.heavy
@pytest.mark.parametrize(
    'seed, height, width, count, resolution',
    [(1, 20, 42, 10, 'input_frame'), (2, 40, 70, 8, 'image'), (3, 9, 33, 0, 'input_frame')],
)
def test_labels_equal_the_heads(
    seed: int, height: int, width: int, count: int, resolution: str
) -> None:
    case = (seed, height, width, count, resolution)
    done = run_python(CASE, *case, NUMBA_ENABLE_CUDASIM='1')
    assert (int(done.stdout) > 1) == (count > 0)


PLACING = """
import sys
from tests.fakes.simulated_grid import run_launches
import tests.backends.test_frame_kernels as frames

frames.run_launches = run_launches
frames.test_placed_pixels_are_within_a_grey_level_of_opencvs(sys.argv[1], (30, 44), (32, 32))
print('equal')
"""


@pytest.mark.heavy
@pytest.mark.parametrize('layout', ['bgr8', 'uyvy', 'nv12', 'bayer_grbg8'])
def test_placed_pixels_are_within_a_grey_level_of_opencvs(layout: str) -> None:
    assert run_python(PLACING, layout, NUMBA_ENABLE_CUDASIM='1').stdout == 'equal\n'
