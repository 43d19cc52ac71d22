# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels of a frame, compiled for the processor, beside the panoptic head and OpenCV."""

from __future__ import annotations

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from tests.core.test_panoptic_head import flat_logits, half_and_half
from tests.fakes.compiled_grid import allocate, run_launches
from tests.fakes.head_cases import (
    EXTREME_BOXES,
    RESOLUTIONS,
    SIZES,
    boxes_case,
    random_case,
    sized_case,
)
from tests.fakes.network_output import (
    make_label_set,
    make_output,
    random_output,
    street_output,
)
from upsnet_ros.backends.frame_launches import (
    ANSWER,
    LAYOUTS,
    FramePlan,
    head_settings,
    plan_frame,
    read_result,
)
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.labels import LabelSet, cityscapes_label_set
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import NetworkOutput, PanopticResult
from upsnet_ros.images.raw import decode_raw

pytestmark = pytest.mark.heavy  # compiling the kernels takes a quarter of a minute
PAD_VALUE = (103, 116, 123)


def plan_for(
    geometry: InputGeometry, head: PanopticHead, slots: int, layout: str = 'bgr8', raw=None
) -> FramePlan:
    return plan_frame(
        geometry,
        label_resolution=head.parameters['label_resolution'],
        num_stuff=head.label_set.num_stuff,
        num_classes=head.label_set.num_classes,
        slots=slots,
        pad_value=PAD_VALUE,
        raw_shape=raw or (geometry.image_height, 3 * geometry.image_width),
        layout=layout,
    )


class Frames:
    """Labels images of one size in memory that keeps what earlier ones left in it."""

    def __init__(self, geometry: InputGeometry, head: PanopticHead, slots: int = 100) -> None:
        self.geometry = geometry
        self.plan = plan_for(geometry, head, slots)
        self.arrays = allocate(self.plan, np.random.default_rng(0))

    def label(self, head: PanopticHead, output: NetworkOutput) -> PanopticResult:
        for name in ANSWER:
            self.arrays[name][...] = getattr(output, name)
        self.arrays['settings'][...] = head_settings(head)
        for name in self.plan.zeroed:
            self.arrays[name][...] = 0
        run_launches(self.plan, self.plan.after, self.arrays)
        if self.arrays['faults'][0]:
            raise ModelError('faults')
        results = {name: self.arrays[name] for name in self.plan.results}
        return read_result(results, self.geometry, head.label_set)


def assert_equal_results(have: PanopticResult, want: PanopticResult) -> None:
    np.testing.assert_array_equal(have.label_image, want.label_image)
    assert [asdict(i) for i in have.instances] == [asdict(i) for i in want.instances]
    assert have.unknown_share == want.unknown_share


def assert_labels_like_the_head(
    label_set: LabelSet, geometry: InputGeometry, output: NetworkOutput, **parameters
) -> PanopticResult:
    head = PanopticHead(label_set, **parameters)
    frames = Frames(geometry, head, len(output.scores))
    want = head(output, geometry)
    assert_equal_results(frames.label(head, output), want)
    # Again, over what the first time left behind.
    assert_equal_results(frames.label(head, output), want)
    return want


@pytest.mark.parametrize('seed', range(200))
def test_labels_equal_the_heads_on_random_cases(seed: int) -> None:
    case = random_case(seed)
    assert_labels_like_the_head(case.label_set, case.geometry, case.output, **case.parameters)


@pytest.mark.parametrize('label_resolution', RESOLUTIONS)
@pytest.mark.parametrize('image_size, input_size', SIZES)
def test_labels_equal_the_heads_at_sizes(
    image_size: tuple[int, int], input_size: tuple[int, int], label_resolution: str
) -> None:
    case = sized_case(image_size, input_size, label_resolution)
    assert_labels_like_the_head(case.label_set, case.geometry, case.output, **case.parameters)


@pytest.mark.parametrize('label_resolution', RESOLUTIONS)
@pytest.mark.parametrize('count', [0, 1, 50, 100])
def test_labels_equal_the_heads_at_full_size(count: int, label_resolution: str) -> None:
    label_set = cityscapes_label_set()
    geometry = InputGeometry.fit(image_size=(1024, 2048), input_size=(1024, 2048))
    make = random_output if count == 100 else street_output
    output = make(np.random.default_rng(count), label_set, geometry, count=count)
    want = assert_labels_like_the_head(
        label_set, geometry, output, score_threshold=0.0, label_resolution=label_resolution
    )
    assert count == 0 or len(want.instances) > 0


@pytest.mark.parametrize('boxes', EXTREME_BOXES)
@pytest.mark.parametrize('level', [-2.0, 2.0])
@pytest.mark.parametrize('mask', [-1.5, 1.5, 'noise'])
def test_labels_equal_the_heads_on_extreme_boxes(boxes: list, level: float, mask) -> None:
    case = boxes_case(boxes, level, mask)
    assert_labels_like_the_head(case.label_set, case.geometry, case.output, **case.parameters)


GEOMETRY = InputGeometry.fit(image_size=(64, 64), input_size=(64, 64))


@pytest.mark.parametrize('share', [0.25, 0.5, 0.75])
@pytest.mark.parametrize('instance_class', ['majority', 'detection'])
@pytest.mark.parametrize('limit', [2048, 4096, 4097])
def test_majority_and_area_limit_decide_as_in_the_head(
    share: float, instance_class: str, limit: int
) -> None:
    assert_labels_like_the_head(
        make_label_set(2, 1),
        GEOMETRY,
        half_and_half(share),
        instance_class=instance_class,
        stuff_area_limit=limit,
    )


def test_a_class_has_at_most_255_instances() -> None:
    boxes = [(4.0 * x, 4.0 * y, 4.0 * x + 3, 4.0 * y + 3) for y in range(20) for x in range(16)]
    geometry = InputGeometry.fit(image_size=(80, 64), input_size=(96, 64))
    output = make_output(
        flat_logits([0, 3], (96, 64)), boxes, [1] * 320, np.linspace(0.99, 0.7, 320), 5.0, rows=320
    )
    want = assert_labels_like_the_head(make_label_set(1, 1), geometry, output, stuff_area_limit=0)
    assert len(want.instances) == 255


def test_all_pruned_keeps_the_best_candidate_without_its_mask() -> None:
    boxes = [(0.0, 0.0, 31.0, 63.0), (8.0, 8.0, 40.0, 40.0)]
    output = make_output(flat_logits([0, 3]), boxes, [1, 1], [0.9, 0.8], -5.0)
    want = assert_labels_like_the_head(make_label_set(1, 1), GEOMETRY, output)
    assert len(want.instances) == 1


def test_settings_change_between_images() -> None:
    label_set = make_label_set(4, 3)
    output = random_output(np.random.default_rng(3), label_set, GEOMETRY, count=12)
    frames = Frames(GEOMETRY, PanopticHead(label_set))
    seen = set()
    for change in (
        {},
        {'score_threshold': 0.9},
        {'mask_overlap_threshold': 0.0},
        {'stuff_area_limit': 300},
        {'predict_unknown': False},
        {'instance_class': 'detection'},
    ):
        head = PanopticHead(label_set, **{'stuff_area_limit': 0, **change})
        assert_equal_results(frames.label(head, output), head(output, GEOMETRY))
        seen.add(frames.arrays['image'].tobytes())
    assert len(seen) >= 4


def broken(name: str, place: tuple, value: float, **other) -> NetworkOutput:
    rows = {'boxes': [(0, 0, 31, 63), (2, 2, 20, 20)], 'classes': [1, 1], 'scores': [0.9, 0.8]}
    output = make_output(flat_logits([0, 3]), **{**rows, **other})
    if name:
        getattr(output, name)[place] = value
    return output


@pytest.mark.parametrize(
    'output',
    [
        *(
            pytest.param(broken(name, place, value), id=f'{value} in {name}')
            for name, place in (
                ('semantic_logits', (1, 15, 15)),
                ('boxes', (1, 3)),
                ('scores', (1,)),
                ('mask_logits', (1, 27, 27)),
            )
            for value in (np.nan, np.inf, -np.inf)
        ),
        pytest.param(broken('classes', (1,), 0), id='a stuff class'),
        pytest.param(broken('classes', (0,), 2), id='no class at all'),
        pytest.param(broken('classes', (0,), -(2**31)), id='a negative class'),
        pytest.param(broken('scores', (0,), 0.7), id='ascending scores'),
        pytest.param(broken('boxes', (0, 2), 1e9), id='an endless box'),
    ],
)
def test_what_the_head_refuses_is_found_and_the_next_image_is_not_harmed(
    output: NetworkOutput,
) -> None:
    head = PanopticHead(make_label_set(1, 1))
    frames = Frames(GEOMETRY, head)
    with pytest.raises(ModelError):
        head(output, GEOMETRY)
    with pytest.raises(ModelError):
        frames.label(head, output)
    sound = broken('', (), 0)
    assert_equal_results(frames.label(head, sound), head(sound, GEOMETRY))


def test_padding_rows_may_hold_anything() -> None:
    head = PanopticHead(make_label_set(1, 1))
    sound = broken('', (), 0)
    assert np.isnan(sound.boxes[2:]).all() and np.isnan(sound.mask_logits[2:]).all()
    assert_equal_results(Frames(GEOMETRY, head).label(head, sound), head(sound, GEOMETRY))


@pytest.mark.parametrize('count', [-1, 101, 2**31 - 1])
def test_an_impossible_count_is_a_fault(count: int) -> None:
    head = PanopticHead(make_label_set(1, 1))
    frames = Frames(GEOMETRY, head)
    fields = {name: getattr(broken('', (), 0), name) for name in ANSWER}
    with pytest.raises(ModelError):
        frames.label(head, SimpleNamespace(**{**fields, 'count': count}))


# How many bytes a row of pixels takes, and how many rows there are.
SIZES = {
    **dict.fromkeys(['bgr8', 'rgb8'], (3, 1)),
    **dict.fromkeys(['bgra8', 'rgba8'], (4, 1)),
    **dict.fromkeys(['yuyv', 'uyvy'], (2, 1)),
    **dict.fromkeys(['nv12', 'nv21'], (1, 1.5)),
}


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize(
    'image_size, input_size',
    [
        pytest.param((64, 96), (64, 96), id='scale 1'),
        pytest.param((90, 130), (64, 96), id='smaller, with padding'),
        pytest.param((40, 52), (96, 128), id='larger'),
        pytest.param((4, 600), (32, 64), id='a strip that would round to nothing'),
    ],
)
def test_placed_pixels_are_within_a_grey_level_of_opencvs(
    layout: str, image_size: tuple[int, int], input_size: tuple[int, int]
) -> None:
    rng = np.random.default_rng(1)
    height, width = image_size
    per_pixel, per_row = SIZES.get(layout, (1, 1))
    raw_shape = (int(height * per_row), width * per_pixel + 5)  # with padding behind each row
    raw = rng.integers(0, 256, raw_shape, np.uint8)
    message = SimpleNamespace(
        height=height,
        width=width,
        encoding=layout,
        is_bigendian=0,
        step=raw_shape[1],
        data=raw.reshape(-1),
    )
    geometry = InputGeometry.fit(image_size=image_size, input_size=input_size)
    image = decode_raw(message, max_pixels=10**6)
    want = place_image(image, geometry, pad_value=PAD_VALUE)

    head = PanopticHead(make_label_set(1, 1))
    plan = plan_for(geometry, head, 1, layout, raw_shape)
    arrays = allocate(plan, rng)
    arrays['raw'][...] = raw
    run_launches(plan, plan.before, arrays)
    difference = np.abs(arrays['placed'].astype(int) - want)
    assert difference.max() <= 1
    if geometry.scale == 1:
        np.testing.assert_array_equal(arrays['placed'], want)


def test_a_layout_that_no_kernel_knows_is_refused() -> None:
    with pytest.raises(ParameterError, match="layout is 'mono16', expected one of bgr8, "):
        plan_for(GEOMETRY, PanopticHead(make_label_set(1, 1)), 100, 'mono16')
