# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Multi-scale, mirrored and windowed testing, with a network that can be computed by hand."""

import numpy as np
import pytest
import torch

from tests.fakes.small_networks import CellNetwork
from training.inference.predictor import Predictor
from training.inference.sliding_window import windowed_logits
from training.inference.views import (
    View,
    average_views,
    make_views,
    move_logits,
    multi_scale_sides,
)

BASE = View(64, 128)


def random_image(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (*size, 3), dtype=np.uint8)


def ramp_image(size: tuple[int, int]) -> np.ndarray:
    """Brightness that is linear in the position, so that interpolation changes nothing."""
    rows, columns = np.arange(size[0])[:, None], np.arange(size[1])[None]
    return np.repeat((rows + 2 * columns)[..., None], 3, axis=2).astype(np.uint8)


def logits_of(image: np.ndarray, views: list[View] | None, base: View = BASE) -> torch.Tensor:
    predictor = Predictor(
        CellNetwork(), short_side=base.short_side, max_long_side=base.max_long_side, views=views
    )
    return predictor.predict(image)[0].semantic_logits


def test_published_sides() -> None:
    coco = (480, 544, 608, 672, 736, 800, 864, 928, 992, 1056, 1120)
    city = (704, 768, 832, 896, 960, 1024, 1088, 1152, 1216, 1280, 1344)
    assert multi_scale_sides('coco', 800) == coco
    assert multi_scale_sides('cityscapes', 1024) == city


def test_views_are_every_size_with_its_mirror_image() -> None:
    assert make_views(BASE) == [BASE]
    assert make_views(BASE, flip=True) == [BASE, View(64, 128, mirrored=True)]
    assert make_views(View(800, 1333), short_sides=(480, 800), flip=True) == [
        View(480, 800),
        View(800, 1333),
        View(480, 800, mirrored=True),
        View(800, 1333, mirrored=True),
    ]


@pytest.mark.parametrize('size', [(64, 128), (32, 64), (64, 100)])
def test_the_mirror_image_gives_the_same_logits(size: tuple[int, int]) -> None:
    # The width of the resized image is a multiple of 4: cells lie on their mirror images.
    image = random_image(size)
    plain, mirrored = logits_of(image, None), logits_of(image, [View(64, 128, mirrored=True)])
    columns = round(size[1] * 64 / min(size)) // 4
    torch.testing.assert_close(mirrored[:, :, :columns], plain[:, :, :columns])
    on_mirrored = logits_of(np.ascontiguousarray(image[:, ::-1]), None)
    torch.testing.assert_close(
        on_mirrored[:, :, :columns].flip(2), plain[:, :, :columns], msg='the network is symmetric'
    )


@pytest.mark.parametrize(
    'view',
    [
        View(64, 200, mirrored=True),
        View(96, 200),
        View(41, 200, mirrored=True),
        View(150, 400),
    ],
)
@pytest.mark.parametrize('size', [(40, 61), (50, 77), (64, 64)])
def test_every_view_says_the_same_of_the_same_place(size: tuple[int, int], view: View) -> None:
    # No width is a multiple of 4 here, so a mirrored cell lies between two others.
    image, base = ramp_image(size), View(64, 200)
    plain, moved = logits_of(image, None, base), logits_of(image, [view], base)
    assert plain.shape == moved.shape
    scale = 64 / min(size)
    margin = int(np.ceil(6 * scale / 4)) + 2
    rows, columns = (slice(margin, int(side * scale / 4) - margin) for side in size)
    assert plain[:, rows, columns].numel() > 0
    torch.testing.assert_close(moved[:, rows, columns], plain[:, rows, columns], atol=2e-2, rtol=0)


def test_logits_stay_exactly_where_they_are() -> None:
    geometry = BASE.geometry((50, 77))
    logits = torch.randn(3, geometry.input_height // 4, geometry.input_width // 4)
    assert torch.equal(move_logits(logits, geometry, geometry, mirrored=False), logits)
    twice = average_views(lambda view: logits, [BASE, BASE], base=geometry)
    assert torch.equal(twice, logits)


@pytest.mark.parametrize('size', [(1, 1), (1, 30), (33, 2)])
def test_images_of_few_pixels(size: tuple[int, int]) -> None:
    image = random_image(size)
    views = make_views(BASE, short_sides=(32, 64, 96), flip=True)
    assert torch.isfinite(logits_of(image, views)).all()


@pytest.mark.parametrize('side', [40, 64, 1000])
def test_a_network_of_cells_does_not_notice(side: int) -> None:
    network, images = CellNetwork(), torch.randn(2, 3, 96, 160)
    whole = network.semantic_logits_quarter(images)
    windowed = windowed_logits(network.semantic_logits_quarter, images, side=side)
    torch.testing.assert_close(windowed, whole)


def test_logits_of_overlapping_windows_are_averaged() -> None:
    answers = iter([1.0, 3.0])

    def network(images: torch.Tensor) -> torch.Tensor:
        height, width = images.shape[2:]
        return torch.full((1, 1, height // 4, width // 4), next(answers))

    logits = windowed_logits(network, torch.zeros(1, 3, 32, 48), side=32)[0, 0]
    # The windows are columns 0 to 31 and 16 to 47.
    assert logits.tolist() == [[1.0] * 4 + [2.0] * 4 + [3.0] * 4] * 8


def test_the_predictor_shows_windows_to_the_semantic_network() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 128, 3), dtype=np.uint8)
    answers = []
    for window in (0, 64):
        network = CellNetwork()
        predictor = Predictor(network, short_side=64, max_long_side=128, window=window)
        answers.append(predictor.predict(image)[0].semantic_logits)
        assert network.seen == ([(64, 128)] if window == 0 else [(64, 64)] * 3)
    torch.testing.assert_close(*answers)
