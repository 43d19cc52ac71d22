# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from tests.fakes.small_networks import lively_model, make_checkpoint, smooth_image
from training.checkpoint import save_checkpoint
from training.inference.merge_heuristic import MergeHeuristic
from training.inference.network_output import to_network_output
from training.inference.predictor import Predictor
from training.inspect import inspect_checkpoint, main
from training.inspection.archive import write_archive
from training.inspection.arrays import ARRAYS
from training.inspection.pictures import Pictures
from training.inspection.steps import inspect_image
from training.models.detections import select_detections
from training.models.upsnet import UPSNet
from training.recipe.recipe import Recipe
from upsnet_ros.core.errors import ImageError, ModelError, ParameterError
from upsnet_ros.core.panoptic_head import PanopticHead

PICTURES = ['input', 'pyramid', 'rpn', 'proposals', 'detections', 'candidates', 'semantic']
PICTURES += ['panoptic', 'result']


@pytest.fixture(scope='module')
def recipe(small_recipe: Recipe) -> Recipe:
    """Stuff of few pixels stays: the image is small."""
    return replace(
        small_recipe, panoptic_head=replace(small_recipe.panoptic_head, stuff_area_limit=60)
    )


@pytest.fixture(scope='module')
def model(recipe: Recipe) -> UPSNet:
    return lively_model(recipe)


@pytest.fixture
def inspect(model: UPSNet, recipe: Recipe):
    """Inspect one image at the recipe's test size."""

    def run(image: np.ndarray, *, own_recipe: Recipe = recipe, own_model: UPSNet = model) -> dict:
        data = own_recipe.data
        predictor = Predictor(
            own_model, short_side=data.test_short_side, max_long_side=data.test_max_long_side
        )
        head = own_recipe.panoptic_head
        return inspect_image(predictor, image, label_set=data.label_set, head=head)

    return run


def large_image() -> np.ndarray:
    """uint8 [190, 300, 3]; the input's content is 96x152."""
    return cv2.resize(smooth_image(0), (300, 190), interpolation=cv2.INTER_CUBIC)


def test_the_command_writes_every_documented_array_and_picture(
    tmp_path: Path, recipe: Recipe, model: UPSNet
) -> None:
    checkpoint, image = tmp_path / 'model.pt', tmp_path / 'image.png'
    save_checkpoint(make_checkpoint(recipe, model), checkpoint)
    cv2.imwrite(str(image), large_image())
    output = tmp_path / 'new' / 'inspection.npz'
    options = ['--checkpoint', checkpoint, '--image', image, '--output', output]
    assert main([str(option) for option in options]) == 0
    names = [f'{number:02}_{name}.png' for number, name in enumerate(PICTURES, start=1)]
    assert sorted(path.name for path in output.parent.iterdir()) == [
        'inspection.npz',
        'inspection_pictures',
    ]
    assert sorted(p.name for p in (tmp_path / 'new' / 'inspection_pictures').iterdir()) == names
    with np.load(output) as arrays:
        assert_documented(dict(arrays))
        assert len(arrays['kept_rows']) > 3 and len(arrays['detection_scores']) > 20
    for name in names:
        picture = cv2.imread(str(output.parent / 'inspection_pictures' / name))
        assert picture.shape[1] == 1600 and 400 < picture.shape[0] < 3000
        assert picture.std() > 5


def assert_documented(arrays: dict[str, np.ndarray]) -> None:
    """Every array has the type and the shape that its note gives, letters being equal sizes."""
    assert list(arrays) == [note.name for note in ARRAYS]
    height, width = arrays['pixels'].shape[1:]
    classes, stuff = len(arrays['class_names']), int(arrays['num_stuff'])
    sizes = {'H': height, 'W': width, 'S': classes, 'T + 1': classes - stuff + 1}
    sizes |= {'H/4': height // 4, 'W/4': width // 4}
    sizes |= dict(zip(('H0', 'W0'), arrays['image'].shape, strict=False))
    for note in ARRAYS:
        array = arrays[note.name]
        kind, dimensions = re.fullmatch(r'(\w+)(?: \[(.*)\])?', note.form).groups()
        assert array.dtype.kind == 'U' if kind == 'text' else array.dtype == kind, note.name
        wanted = dimensions.split(', ') if dimensions else []
        assert array.ndim == len(wanted), note.name
        level = re.search(r'p(\d)$', note.name)
        stride = 2 ** int(level[1]) if level else 1
        own = {'h': -(-height // stride), 'w': -(-width // stride)}
        for letter, length in zip(wanted, array.shape, strict=True):
            known = own.get(letter) or sizes.setdefault(letter, length)
            assert length == (int(letter) if letter.isdigit() else known), note.name


@pytest.mark.parametrize('resolution', ['input_frame', 'image'])
@pytest.mark.parametrize('rule', ['majority', 'detection'])
def test_the_steps_lead_to_the_heads_own_result(
    inspect, recipe: Recipe, model: UPSNet, resolution: str, rule: str
) -> None:
    values = replace(recipe.panoptic_head, label_resolution=resolution, instance_class=rule)
    recipe, image = replace(recipe, panoptic_head=values), large_image()
    arrays = inspect(image, own_recipe=recipe)
    prediction, geometry = Predictor(model, short_side=96, max_long_side=160).predict(image)
    head = PanopticHead(recipe.data.label_set, **values.parameters())
    output = to_network_output(prediction, num_stuff=model.num_stuff)
    labels = head(output, geometry).label_image
    np.testing.assert_array_equal(arrays['result'][..., 0], labels >> 8)
    np.testing.assert_array_equal(arrays['result'][..., 1], labels & 255)
    on_image = arrays['panoptic_labels']
    if resolution == 'input_frame':
        scale = float(np.float32(geometry.scale))
        rows, columns = ((np.arange(side) * scale).astype(int) for side in (190, 300))
        on_image = on_image[np.minimum(rows, 95)][:, np.minimum(columns, 151)]
    np.testing.assert_array_equal(on_image, labels)


def test_the_heuristics_result_is_made_of_the_detections(
    inspect, recipe: Recipe, model: UPSNet
) -> None:
    values = replace(recipe.panoptic_head, kind='heuristic')
    image = large_image()
    arrays = inspect(image, own_recipe=replace(recipe, panoptic_head=values))
    predictor = Predictor(model, short_side=96, max_long_side=160, select=select_detections)
    prediction, geometry = predictor.predict(image)
    output = to_network_output(prediction, num_stuff=model.num_stuff)
    merge = MergeHeuristic(
        recipe.data.label_set, stuff_area_limit=60, label_resolution=values.label_resolution
    )
    labels = merge(output, geometry).label_image
    np.testing.assert_array_equal(arrays['result'][..., 0], labels >> 8)
    np.testing.assert_array_equal(arrays['result'][..., 1], labels & 255)
    assert len(arrays['kept_rows'])


@pytest.mark.parametrize('size', [(1, 1), (3, 200), (400, 5)], ids=['one pixel', 'wide', 'tall'])
def test_images_of_extreme_shape(tmp_path: Path, inspect, recipe: Recipe, size) -> None:
    image = np.full((*size, 3), 90, np.uint8)
    arrays = inspect(image)
    assert arrays['result'].shape == (*size, 2)
    Pictures(arrays, recipe.data.label_set).draw(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(PICTURES)


def test_an_image_with_nothing_in_it(tmp_path: Path, inspect, recipe: Recipe) -> None:
    silent = lively_model(recipe)
    with torch.no_grad():
        silent.box_head.class_logits.weight.zero_()
        silent.box_head.class_logits.bias[0] = 20.0  # all background
    arrays = inspect(large_image(), own_model=silent)
    assert_documented(arrays)
    for name in ('detection_boxes', 'candidate_boxes', 'kept_rows'):
        assert len(arrays[name]) == 0
    Pictures(arrays, recipe.data.label_set).draw(tmp_path)
    assert len(list(tmp_path.iterdir())) == len(PICTURES)


def test_a_network_that_overflows_is_reported(inspect, recipe: Recipe) -> None:
    broken = lively_model(recipe)
    with torch.no_grad():
        broken.semantic_head.score.bias[3] = float('nan')
    with pytest.raises(ModelError, match="'semantic_logits' holds .* NaN or infinite"):
        inspect(large_image(), own_model=broken)


def test_what_cannot_be_inspected_is_said_before_anything_is_written(
    tmp_path: Path, recipe: Recipe, model: UPSNet
) -> None:
    checkpoint, image = make_checkpoint(recipe, model), tmp_path / 'image.png'
    cv2.imwrite(str(image), large_image())
    output = tmp_path / 'out.npz'
    other = replace(checkpoint.recipe.model, network='mask_rcnn', semantic_channels=())
    head = replace(recipe.panoptic_head, kind='heuristic')
    losses = replace(recipe.losses, semantic=0.0, semantic_roi=0.0, panoptic=0.0)
    alone = replace(recipe, model=other, losses=losses, panoptic_head=head)
    with pytest.raises(ModelError, match="network is 'mask_rcnn', expected 'upsnet'"):
        inspect_checkpoint(replace(checkpoint, recipe=alone), image, output)
    with pytest.raises(ImageError, match='no image at'):
        inspect_checkpoint(checkpoint, tmp_path / 'missing.png', output)
    (tmp_path / 'text.png').write_text('no picture')
    with pytest.raises(ImageError, match='not a readable image'):
        inspect_checkpoint(checkpoint, tmp_path / 'text.png', output)
    with pytest.raises(ParameterError, match=r'ends with \.npz'):
        inspect_checkpoint(checkpoint, image, tmp_path / 'out.zip')
    with pytest.raises(ParameterError, match='short side 8 '):
        inspect_checkpoint(checkpoint, image, output, short_side=8)
    with pytest.raises(ParameterError, match='longest side 100'):
        inspect_checkpoint(checkpoint, image, output, short_side=128, max_long_side=100)
    assert not output.exists()
    options = ['--checkpoint', tmp_path / 'none.pt', '--image', image, '--output', output]
    assert main([str(option) for option in options]) == 1


def test_an_archive_reads_back_and_replaces_an_older_one_only_when_complete(
    tmp_path: Path,
) -> None:
    path = tmp_path / 'a.npz'
    arrays = {
        'mask': np.eye(50, dtype=bool),
        'features': np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4).T,
        'none': np.zeros((0, 4), np.float32),
        'scale': np.array(0.5),
        'names': np.array(['road', 'car']),
    }
    write_archive(path, arrays)
    with np.load(path) as read:
        assert list(read) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == array.dtype
    before = path.read_bytes()
    with pytest.raises(ValueError, match='[Oo]bject arrays'):
        write_archive(path, {'objects': np.array([None])})
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ['a.npz']
