# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Augmentation: off it changes nothing, on it does what its keys say, the same for each seed."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.training.test_loader import assert_equal, loader, training_set
from training.data.augmentation import make_sample
from training.data.variation import Variation
from training.recipe.augmentation import AugmentationRecipe
from training.recipe.errors import RecipeError
from training.recipe.reading import load_recipe
from training.recipe.recipe import Recipe
from upsnet_ros.core.labels import UNKNOWN_LABEL

ALL_ON = AugmentationRecipe(
    crop=0.5,
    scale_jitter=(0.6, 1.8),
    cut_out=3,
    share=0.9,
    brightness=0.2,
    contrast=0.3,
    gamma=0.4,
    channel_gain=0.15,
    saturation=0.6,
    hue=20.0,
    blur=1.5,
    noise=9.0,
    jpeg_quality=40,
)
SIZE = (96, 160)
TINY = Path(__file__).parents[2] / 'config' / 'training' / 'upsnet_tiny_synthetic.yaml'


def variation(seed: int = 0, **keys) -> Variation:
    return Variation(AugmentationRecipe(**keys), np.random.default_rng(seed))


def picture(seed: int = 0) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(40, 216, (12, 20, 3), dtype=np.uint8)
    return cv2.resize(noise, SIZE[::-1], interpolation=cv2.INTER_CUBIC)


def test_off_it_changes_nothing() -> None:
    image, labels = picture(), np.zeros(SIZE, np.uint16)
    same = variation()
    window = same.window(SIZE, short_side=48, max_long_side=100)
    assert (window.rows, window.columns) == (slice(0, 96), slice(0, 160))
    assert window.scale == 0.5
    assert same.alter(image) is image
    assert same.hide(image, labels)[0] is image


@pytest.mark.parametrize(
    'keys',
    [
        {'brightness': 0.2},
        {'contrast': 0.3},
        {'gamma': 0.4},
        {'channel_gain': 0.2},
        {'saturation': 0.8},
        {'hue': 30.0},
        {'blur': 3.0},
        {'noise': 10.0},
        {'jpeg_quality': 20},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_each_key_changes_pixels_and_share_switches_it(keys: dict[str, float]) -> None:
    image, before = picture(), picture()
    altered = [variation(seed, **keys).alter(image) for seed in range(6)]
    assert all(a.shape == image.shape and a.dtype == np.uint8 for a in altered)
    assert len({a.tobytes() for a in altered}) == 6
    assert variation(**keys, share=0.0).alter(image) is image
    np.testing.assert_array_equal(image, before)
    again = variation(3, **keys).alter(image)
    np.testing.assert_array_equal(again, altered[3])


def test_a_key_leaves_the_choices_of_the_others_alone() -> None:
    image = picture()
    for seed in range(5):
        bright = variation(seed, brightness=0.2).alter(image)
        both = variation(seed, brightness=0.2, cut_out=2, crop=0.5, noise=0.01).alter(image)
        assert np.abs(bright.astype(int) - both).max() <= 1


def test_amounts_are_those_of_their_names() -> None:
    image = picture()
    grey = image.mean()
    bright = [variation(s, brightness=0.2).alter(image).mean() - grey for s in range(40)]
    assert -51.5 <= min(bright) < -30 and 30 < max(bright) <= 51.5
    spread = [variation(s, contrast=0.5).alter(image).std() / image.std() for s in range(40)]
    assert 0.45 < min(spread) < 0.7 and 1.2 < max(spread) < 1.55
    flat = np.full((200, 200, 3), 128, np.uint8)
    noise = [variation(s, noise=12.0).alter(flat).std() for s in range(40)]
    assert min(noise) < 3.0 and 9.0 < max(noise) < 12.5


def test_hue_and_saturation_keep_brightness_and_greys() -> None:
    image = 90 + picture() // 4  # far from the ends, where it would be cut off
    grey = np.repeat(image[..., :1], 3, axis=2)
    before = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(int)
    for seed in range(8):
        changed = variation(seed, hue=40.0, saturation=0.5)
        assert np.abs(changed.alter(grey).astype(int) - grey).max() <= 1
        luma = cv2.cvtColor(changed.alter(image), cv2.COLOR_BGR2GRAY)
        assert np.abs(luma - before).max() <= 2
        assert np.abs(changed.alter(image).astype(int) - image).max() > 3


def test_windows_lie_inside_and_keep_to_the_size_of_the_step() -> None:
    heights, scales = set(), []
    for seed in range(200):
        window = variation(seed, crop=0.4, scale_jitter=(0.5, 2.0)).window(
            SIZE, short_side=48, max_long_side=100
        )
        height, width = (p.stop - p.start for p in (window.rows, window.columns))
        assert window.rows.start >= 0 and window.rows.stop <= 96 and height >= 32
        assert window.columns.start >= 0 and window.columns.stop <= 160 and width >= 32
        sides = height * window.scale, width * window.scale
        if height > 32 and width > 32:  # the least window may be larger
            assert min(sides) <= 49 and max(sides) <= 102
        heights.add(height)
        scales.append(window.scale)
    assert min(heights) < 48 and max(heights) > 90
    assert min(scales) < 0.35 and max(scales) > 1.5


def test_what_is_hidden_is_void_and_no_more() -> None:
    image, labels = picture(), np.full(SIZE, 7 << 8, np.uint16)
    shares = []
    for seed in range(30):
        hidden, given = variation(seed, cut_out=4, cut_out_side=0.3).hide(image, labels)
        covered = given == UNKNOWN_LABEL
        assert ((given == labels) | covered).all()
        np.testing.assert_array_equal(hidden[~covered], image[~covered])
        shares.append(covered.mean())
    assert (labels == 7 << 8).all()
    assert min(shares) == 0.0 and 0.02 < max(shares) < 4 * 0.3**2


def test_image_and_labels_go_the_same_way() -> None:
    """The image is painted with the class, so that it says itself what its labels must be."""
    classes = np.kron(np.random.default_rng(1).integers(0, 9, (6, 10)), np.ones((16, 16), int))
    labels = (classes << 8).astype(np.uint16)
    image = np.repeat((classes * 25).astype(np.uint8)[..., None], 3, axis=2)
    for seed in range(20):
        window = variation(seed, crop=0.6, scale_jitter=(0.8, 1.5)).window(
            SIZE, short_side=96, max_long_side=200
        )
        place = window.rows, window.columns
        sample = make_sample(
            *('x', image[place], labels[place]),
            scale=window.scale, flip=bool(seed % 2), num_stuff=11,
        )  # fmt: skip
        height, width = sample.size
        painted = torch.round(sample.image[0, :height, :width].float() / 25)
        equal = (painted == sample.semantic[:height, :width]).float().mean()
        assert equal > 0.9, seed  # all but the seams, where the image is interpolated


def test_workers_and_a_restart_make_the_same_samples(small_recipe: Recipe, town: Path) -> None:
    samples = training_set(town, small_recipe.data, augmentation=ALL_ON)
    alone = [sample for batch in loader(samples, workers=0) for sample in batch]
    with_workers = [sample for batch in loader(samples, workers=2) for sample in batch]
    resumed = [sample for batch in loader(samples, workers=1, start=4) for sample in batch]
    plain = training_set(town, small_recipe.data)
    unchanged = [sample for batch in loader(plain, workers=0) for sample in batch]
    for first, second in zip(alone, with_workers, strict=True):
        assert_equal(first, second)
    for first, second in zip(alone[16:], resumed, strict=True):
        assert_equal(first, second)
    assert not any(
        one.image.shape == other.image.shape and torch.equal(one.image, other.image)
        for one, other in zip(alone, unchanged, strict=True)
    )


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('crop', 0.0),
        ('scale_jitter', (2.0, 1.0)),
        ('scale_jitter', (1.0,)),
        ('cut_out', -1),
        ('share', 1.5),
        ('brightness', 2.0),
        ('hue', 190.0),
        ('noise', -1.0),
        ('jpeg_quality', 101),
    ],
)
def test_a_wrong_amount_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(RecipeError, match=f'data.augmentation.{key}'):
        replace(ALL_ON, **{key: value})


def test_a_key_can_be_set_where_the_recipe_has_no_such_section() -> None:
    recipe = load_recipe(TINY, overrides=['data.augmentation.noise=5'])
    assert recipe.data.augmentation == AugmentationRecipe(noise=5.0)
    assert load_recipe(TINY).data.augmentation == AugmentationRecipe()
