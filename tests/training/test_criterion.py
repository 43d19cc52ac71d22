# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The eight losses of whole batches: extreme images, the paper's switches, sharing of a batch."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fakes.small_networks import make_mask_rcnn_recipe, make_pspnet_recipe
from training.build import build_criterion, build_model
from training.data.augmentation import make_sample
from training.data.sample import Sample
from training.losses.criterion import stack_images
from training.models.roi_features import quarter_roi_align
from training.recipe.reading import recipe_from_dict
from training.recipe.recipe import Recipe

SIZE = (96, 160)
ROAD, SKY, PERSON, CAR, VOID = 0, 10 << 8, 11 << 8, 13 << 8, 65535


def sample(labels: np.ndarray, *, seed: int = 0) -> Sample:
    image = np.random.default_rng(seed).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
    return make_sample(
        f'image_{seed}', image, labels, scale=1.0, flip=False, num_stuff=11, seed=seed,
        draw_polygons=True,
    )  # fmt: skip


def street(*, cars: int = 0, crowd: bool = False, size: tuple[int, int] = SIZE) -> np.ndarray:
    labels = np.full(size, ROAD, np.uint16)
    labels[: size[0] // 3] = SKY
    for index in range(cars):
        labels[40:70, 20 * index + 2 : 20 * index + 16] = CAR + index + 1
    if crowd:
        labels[70:90, 100:150] = PERSON
    return labels


def losses_of(recipe: Recipe, batch: list[Sample], *, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return build_criterion(recipe)(build_model(recipe).train(), batch)


def published(recipe: Recipe, **losses: object) -> Recipe:
    """The small recipe with the published choices of targets, without batch statistics."""
    values = recipe.to_dict()
    values['model']['normalisation'] = 'frozen'
    values['initial']['weights'] = 'checkpoint'
    values['losses'] |= {
        'mask_targets': 'polygon',
        'crowd_regions': 'match',
        'full_resolution_semantic': True,
        'semantic_roi_crop': 'features',
    } | losses
    return recipe_from_dict(values)


@pytest.mark.parametrize(
    'labels',
    [
        street(),
        street(crowd=True),
        street(cars=1),
        street(cars=7, crowd=True),
        np.full(SIZE, VOID, np.uint16),
        street(size=(32, 32)),
        np.full((1, 1), ROAD, np.uint16),
    ],
    ids=['no things', 'crowd only', 'one', 'many', 'void', 'small', 'one pixel'],
)
def test_every_parameter_gets_a_finite_gradient_from_any_image(
    small_recipe: Recipe, labels: np.ndarray
) -> None:
    recipe = published(small_recipe)
    torch.manual_seed(0)
    model = build_model(recipe).train()
    losses = build_criterion(recipe)(model, [sample(labels)])
    assert all(torch.isfinite(loss) and loss >= 0 for loss in losses.values()), losses
    torch.stack(list(losses.values())).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert torch.isfinite(parameter.grad).all(), name


def test_a_batch_is_the_mean_of_its_images(small_recipe: Recipe) -> None:
    recipe = published(small_recipe)
    images = [sample(street(cars=n, crowd=n == 2), seed=n) for n in (0, 1, 2, 5)]
    together = losses_of(recipe, images)
    alone = [losses_of(recipe, [image]) for image in images]
    for name, loss in together.items():
        mean = torch.stack([losses[name] for losses in alone]).mean()
        torch.testing.assert_close(loss, mean, rtol=1e-4, atol=1e-6)


def test_choices_belong_to_the_image_and_not_to_its_neighbours(small_recipe: Recipe) -> None:
    recipe = published(small_recipe)
    image = sample(street(cars=6), seed=3)
    first, again = losses_of(recipe, [image]), losses_of(recipe, [image])
    assert all(torch.equal(first[name], again[name]) for name in first)
    # Two seeds may keep the same four of six objects; five do not all.
    others = [losses_of(recipe, [replace(image, seed=s)])['panoptic'] for s in range(4, 9)]
    assert not all(torch.equal(first['panoptic'], other) for other in others)


def test_zero_weights_leave_a_loss_out(small_recipe: Recipe) -> None:
    recipe = published(small_recipe, semantic_roi=0.0, panoptic=0.0)
    losses = losses_of(recipe, [sample(street(cars=2))])
    assert 'panoptic' not in losses
    assert 'semantic_roi' not in losses
    assert 'semantic' in losses


def test_weights_multiply(small_recipe: Recipe) -> None:
    image = sample(street(cars=3))
    once = losses_of(published(small_recipe, semantic=1.0, panoptic=0.5), [image])
    twice = losses_of(published(small_recipe, semantic=2.0, panoptic=1.0), [image])
    for name in ('semantic', 'panoptic'):
        torch.testing.assert_close(twice[name], 2 * once[name])


def test_without_unknown_prediction_no_instance_is_held_back(small_recipe: Recipe) -> None:
    image = sample(street(cars=6))
    known = published(small_recipe, predict_unknown=False, keep_share=1.0)
    values = [losses_of(known, [replace(image, seed=s)])['panoptic'].item() for s in (1, 2)]
    # The order of the kept instances is all that is drawn, and a sum does not see it.
    assert values[0] == pytest.approx(values[1], rel=1e-4)
    drawn = [
        losses_of(published(small_recipe), [replace(image, seed=s)])['panoptic'].item()
        for s in range(5)
    ]
    assert max(drawn) > min(drawn) * (1 + 1e-3)


def test_cropping_features_or_logits_is_the_same_inside_the_map(small_recipe: Recipe) -> None:
    torch.manual_seed(0)
    head = build_model(published(small_recipe)).semantic_head
    features = torch.randn(1, head.score.in_channels, 24, 40)
    boxes = [torch.tensor([[8.0, 8, 60, 50], [20, 30, 21, 31]])]
    crops = head.score(quarter_roi_align(features, boxes, output_size=28))
    others = quarter_roi_align(head.score(features), boxes, output_size=28)
    torch.testing.assert_close(crops, others, rtol=1e-4, atol=1e-4)


def test_mask_rcnn_and_pspnet_have_their_own_losses() -> None:
    batch = [sample(street(cars=2), seed=1), sample(street(), seed=2)]
    assert set(losses_of(make_mask_rcnn_recipe(), batch)) == {
        'rpn_objectness',
        'rpn_box',
        'box_class',
        'box_regression',
        'mask',
    }
    assert set(losses_of(make_pspnet_recipe(), batch)) == {'semantic', 'auxiliary'}


def test_padding_is_exactly_zero(small_recipe: Recipe) -> None:
    model = build_model(small_recipe)
    image = sample(street(cars=1, size=(70, 100)))
    stacked = stack_images(model.normalise, [image])
    assert stacked.shape == (1, 3, 96, 128)
    assert not stacked[..., 70:, :].any()
    assert not stacked[..., 100:].any()
    assert stacked[..., :70, :100].abs().mean() > 10


def test_an_objects_mask_may_vanish_when_the_image_shrinks(small_recipe: Recipe) -> None:
    labels = street(cars=2)
    labels[90:92, 50:52] = CAR + 9
    image = np.zeros((*labels.shape, 3), np.uint8)
    tiny = make_sample(
        'tiny', image, labels, scale=0.25, flip=False, num_stuff=11, seed=0, draw_polygons=True
    )
    losses = losses_of(published(small_recipe), [tiny])
    assert all(torch.isfinite(loss) for loss in losses.values())
