# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The exported graph: its contract, its agreement with PyTorch, and refusals."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from tests.fakes.small_networks import SIZE, lively_model, make_checkpoint, smooth_image
from training.build import build_model
from training.engine.golden_images import render_images
from training.engine.tensors import data_dependent_shapes
from training.engine.variant import EngineForm, build_variant
from training.export import export, main
from training.export_check import compare, require_agreement
from training.export_wrapper import (
    OUTPUT_NAMES,
    ExportWrapper,
    LevelCanvas,
    fuse_normalisation,
    round_weights,
    unrolled_nms,
)
from training.exported_model import load_exported_model
from training.initial_weights import initialise
from training.models.detections import predict
from training.models.pixels import PictureSize
from training.models.roi_features import assign_levels, pyramid_roi_align
from training.models.rpn import nms_inclusive
from training.models.upsnet import ProposalLimits, UPSNet
from training.recipe.errors import RecipeError
from training.recipe.initial import InitialRecipe
from training.recipe.recipe import Recipe
from upsnet_ros.agreement import Agreement
from upsnet_ros.backends.select import create_backend
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.geometry import PAD_VALUE, InputGeometry, place_image
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

GOOD = Agreement(frames=3, equal_pixels=1.0, worst_equal_pixels=1.0, candidates=10, matched=1.0)


@pytest.fixture(scope='module')
def exported(
    tmp_path_factory: pytest.TempPathFactory, town: Path, small_recipe: Recipe
) -> tuple[UPSNet, Path]:
    """A small exported model with the PyTorch network it came from."""
    model = lively_model(small_recipe)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if name.endswith('bias'):
                value.add_(0.01 * torch.randn_like(value))  # equal ones would be stored once
    folder = tmp_path_factory.mktemp('model')
    images = sorted((town / 'leftImg8bit' / 'val').glob('*/*.png'))
    export(make_checkpoint(small_recipe, model), images, folder)
    return round_weights(model), folder / 'model.onnx'


def test_graph_has_the_interface_of_the_model_artefact(exported: tuple[UPSNet, Path]) -> None:
    session = onnxruntime.InferenceSession(exported[1], providers=['CPUExecutionProvider'])
    (image,) = session.get_inputs()
    assert (image.name, image.shape, image.type) == ('image', [1, 96, 160, 3], 'tensor(uint8)')
    shapes = {value.name: (value.shape, value.type) for value in session.get_outputs()}
    assert shapes == {
        'semantic_logits': ([1, 19, 24, 40], 'tensor(float)'),
        'boxes': ([1, 100, 4], 'tensor(float)'),
        'scores': ([1, 100], 'tensor(float)'),
        'classes': ([1, 100], 'tensor(int32)'),
        'mask_logits': ([1, 100, 28, 28], 'tensor(float)'),
        'count': ([1], 'tensor(int32)'),
    }


def test_no_shape_depends_on_the_data(exported: tuple[UPSNet, Path]) -> None:
    model = onnx.load(exported[1])
    assert data_dependent_shapes(model) == []
    operators = {node.op_type for node in model.graph.node}
    assert not operators & {'NonMaxSuppression', 'NonZero', 'Loop', 'If', 'Scan', 'Unique'}


def test_deformable_convolution_is_our_operator_with_a_local_function(
    exported: tuple[UPSNet, Path],
) -> None:
    model = onnx.load(exported[1])
    own = [node for node in model.graph.node if node.op_type == 'DeformConv2d']
    assert len(own) == 2 * 4  # two layers on four levels
    assert all(node.domain == 'upsnet' and len(node.input) == 4 for node in own)
    names = {attribute.name for attribute in own[0].attribute}
    assert {'kernel_shape', 'strides', 'pads', 'dilations', 'plugin_namespace'} <= names
    assert not [node for node in model.graph.node if node.op_type == 'DeformConv']
    (function,) = model.functions
    assert [node.op_type for node in function.node] == ['DeformConv']


def test_runtime_finds_the_same_candidates_and_maps(
    exported: tuple[UPSNet, Path],
) -> None:
    model, path = exported
    images = [smooth_image(seed) for seed in range(20, 26)]
    images.append(np.zeros((48, 50, 3), np.uint8))
    images.append(cv2.resize(smooth_image(7), (130, 200)))
    agreement = compare(model, path, images)
    require_agreement(agreement)
    assert agreement.candidates > 10


def test_boxes_end_where_the_picture_does(exported: tuple[UPSNet, Path]) -> None:
    """As published, in every image of every shape, told by nothing but the padding."""
    model, path = exported
    session = onnxruntime.InferenceSession(path, providers=['CPUExecutionProvider'])
    found, at_borders, beyond = 0, 0, 0
    for height, width in ((96, 160), (48, 50), (200, 130), (90, 160), (95, 159), (10, 160)):
        image = cv2.resize(smooth_image(height), (width, height))
        geometry = InputGeometry.fit(image_size=(height, width), input_size=SIZE)
        placed = place_image(image, geometry)
        answer = dict(
            zip(OUTPUT_NAMES, session.run(OUTPUT_NAMES, {'image': placed[None]}), strict=True)
        )
        boxes = answer['boxes'][0, : answer['count'][0]]
        size = geometry.content_height, geometry.content_width
        pixels = model.normalise(torch.from_numpy(placed).permute(2, 0, 1)[None])[0]
        expected = predict(model, pixels, image_size=size).boxes.numpy()
        # In any order: scores may be equal up to rounding.
        same = np.abs(boxes[:, None] - expected).max(axis=2).min(axis=1) < 0.1
        assert len(boxes) == len(expected) and same.mean() >= 0.95
        limit = np.array(size[::-1]) - 1
        assert (boxes[:, 2:] <= limit).all()
        found += len(boxes)
        at_borders += int((boxes[:, 2:] == limit).any(axis=1).sum())
        unclipped = predict(model, pixels, image_size=SIZE).boxes.numpy()
        beyond += int((unclipped[:, 2:] > limit).any(axis=1).sum())
    assert min(found, at_borders, beyond) > 10


def test_the_picture_is_what_does_not_look_like_padding() -> None:
    generator, measure = np.random.default_rng(3), PictureSize((320, 640))
    for size in ((320, 640), (17, 640), (300, 3), (1200, 1920), (2, 2), (640, 320)):
        geometry = InputGeometry.fit(image_size=size, input_size=(320, 640))
        image = generator.integers(0, 256, (*size, 3), dtype=np.uint8)
        image[:-1, :1] = PAD_VALUE  # a picture may hold the colour, too
        placed = place_image(image, geometry)
        wanted = [geometry.content_height, geometry.content_width]
        assert measure(torch.from_numpy(placed)[None].float()).tolist() == wanted
    padding = torch.tensor(PAD_VALUE).float().expand(1, 320, 640, 3)
    assert measure(padding).tolist() == [0, 0]


@pytest.mark.parametrize('precision', ['fp32', 'auto'])  # auto: bf16 where the processor has it
def test_openvino_clips_to_the_picture_too(exported: tuple[UPSNet, Path], precision: str) -> None:
    _, path = exported
    manifest = ModelManifest.load(path)
    backend = create_backend(path, manifest, name='openvino', precision=precision)
    count = 0
    for seed in range(4):
        image = cv2.resize(smooth_image(seed), (130, 200))
        geometry = InputGeometry.fit(image_size=image.shape[:2], input_size=SIZE)
        output = backend.infer(place_image(image, geometry))
        assert (output.boxes[:, 2] <= geometry.content_width - 1).all()
        assert (output.boxes[:, 2] == geometry.content_width - 1).any()
        count += output.count
    assert count > 10


def test_rounded_weights_survive_the_file(exported: tuple[UPSNet, Path]) -> None:
    model = onnx.load(exported[1])
    kinds = {
        tensor.data_type for tensor in model.graph.initializer if tensor.name.endswith('half')
    }
    assert kinds == {onnx.TensorProto.FLOAT16}
    stored = sum(int(np.prod(t.dims)) for t in model.graph.initializer if t.name.endswith('_half'))
    weights = sum(p.numel() for p in exported[0].parameters())
    assert stored > 0.95 * weights


def test_training_goes_on_from_the_file(
    exported: tuple[UPSNet, Path], small_recipe: Recipe
) -> None:
    fused, path = exported
    model = build_model(small_recipe).eval()
    initialise(model, replace(small_recipe, initial=InitialRecipe(weights='checkpoint')), path)
    for name, value in fuse_normalisation(model).state_dict().items():
        assert torch.allclose(value, fused.state_dict()[name], atol=1e-5, rtol=1e-4), name
    # Batches of the streets that it was measured on change nothing: a training step would not
    # begin with other features than those that were learnt.
    model.train()
    streets = render_images(4)
    geometry = InputGeometry.fit(image_size=streets[0].shape[:2], input_size=SIZE)
    placed = np.stack([place_image(street, geometry) for street in streets])
    pixels = model.normalise(torch.from_numpy(placed).permute(0, 3, 1, 2).float())
    with torch.no_grad():
        for batch, learnt in zip(model.backbone(pixels), fused.backbone(pixels), strict=True):
            assert (batch - learnt).abs().mean() < 0.01 * learnt.abs().mean()


def test_a_file_of_another_network_is_not_gone_on_from(
    exported: tuple[UPSNet, Path], tmp_path: Path
) -> None:
    path = tmp_path / 'model.onnx'
    graph = onnx.load(exported[1])
    lost = next(t for t in graph.graph.initializer if 'fpn' in t.name or 'pyramid' in t.name)
    lost.name = 'another'
    onnx.save(graph, path)
    manifest = json.loads(exported[1].with_suffix('.json').read_text())
    manifest['sha256'] = hashlib.sha256(path.read_bytes()).hexdigest()
    path.with_suffix('.json').write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match='belong to another network'):
        load_exported_model(path)
    manifest['recipe'].pop('model')
    path.with_suffix('.json').write_text(json.dumps(manifest))
    with pytest.raises(RecipeError, match='model.onnx holds a recipe of another version'):
        load_exported_model(path)


def test_the_file_holds_no_path_of_the_machine(exported: tuple[UPSNet, Path]) -> None:
    content = exported[1].read_bytes()
    assert b'stack_trace' not in content
    assert str(Path(__file__).parents[2]).encode() not in content
    assert b'site-packages' not in content


def test_manifest_states_agreement_and_recipe(exported: tuple[UPSNet, Path]) -> None:
    manifest = ModelManifest.load(exported[1])
    assert manifest.training['export_agreement']['equal_pixels'] >= 0.999
    assert manifest.recipe['data']['input_width'] == 160


def test_another_network_is_refused(exported: tuple[UPSNet, Path], small_recipe: Recipe) -> None:
    other = lively_model(small_recipe, seed=9)
    images = [np.full((96, 160, 3), 80, np.uint8)]
    with pytest.raises(ModelError, match='disagree'):
        require_agreement(compare(other, exported[1], images))


@pytest.fixture
def command(checkpoint: Path, town: Path, tmp_path: Path) -> list[str]:
    """Arguments that export a checkpoint into a new folder ``model``."""
    files = {'--checkpoint': checkpoint, '--data': town, '--output': tmp_path / 'model'}
    return [str(word) for pair in files.items() for word in pair]


def test_nothing_is_written_when_the_runtimes_disagree(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = replace(GOOD, equal_pixels=0.998)
    monkeypatch.setattr('training.export.compare', lambda *_: bad)
    assert main(command) == 1
    assert list((tmp_path / 'model').iterdir()) == []


def test_metrics_are_read_before_anything_is_written(
    command: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main([*command, '--metrics', str(tmp_path / 'absent.json')]) == 1
    assert 'absent.json' in caplog.text
    assert not (tmp_path / 'model').exists()


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('frames', 0),
        ('equal_pixels', 0.9),
        ('matched', 0.5),
        ('semantic_difference', 0.1),
        ('semantic_difference', float('nan')),
        ('score_difference', 0.1),
        ('mask_difference', 1.0),
    ],
)
def test_each_tolerance_is_enforced_by_name(field: str, value: float) -> None:
    require_agreement(GOOD)
    with pytest.raises(ModelError, match=f'PyTorch and ONNX Runtime disagree.* {field} is'):
        require_agreement(replace(GOOD, **{field: value}))


def test_where_nothing_is_found_nothing_disagrees() -> None:
    with pytest.raises(ModelError, match='nothing shows that PyTorch .* 0 objects found in 3 fr'):
        require_agreement(replace(GOOD, candidates=0, matched=0.0))
    with pytest.raises(ModelError, match='disagree.* semantic_difference is'):
        require_agreement(replace(GOOD, candidates=0, matched=0.0, semantic_difference=9.0))


def test_a_checkpoint_is_exported_at_another_size(
    command: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / 'model'
    (tmp_path / 'metrics.json').write_text('{"pq": 1}')
    figures = ['--metrics', str(tmp_path / 'metrics.json')]
    assert main([*command, *figures, '--size', '192x128']) == 0
    assert 'may be of the size of the recipe, not of 192x128' in caplog.text
    manifest = ModelManifest.load(folder / 'model.onnx')
    assert manifest.input_size == (128, 192)
    assert manifest.outputs['semantic_logits'].shape == (1, 19, 32, 48)
    assert manifest.recipe['data']['input_height'] == 128
    with PanopticPipeline.load(folder / 'model.onnx') as pipeline:
        result = pipeline.process(smooth_image(3))
    assert result.panoptic.label_image.shape == (96, 160)
    graph = build_variant(onnx.load(folder / 'model.onnx'), EngineForm(cameras=2))
    assert [dim.dim_value for dim in graph.graph.input[0].type.tensor_type.shape.dim] == [
        *(2, 128, 192, 3)
    ]


@pytest.mark.parametrize(
    ('size', 'example'),
    [
        ('1000x500', '992x512'),
        ('0x512', '32x512'),
        ('65536x512', '4096x512'),
        ('99999999999x512', '1024x512'),
        ('-64x64', '1024x512'),
        ('big', '1024x512'),
    ],
)
def test_sizes_that_no_network_has_are_refused_first(
    command: list[str], size: str, example: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main([*command, f'--size={size}']) == 1
    assert f"--size is '{size}', expected WIDTHxHEIGHT in pixels, both multiples of" in caplog.text
    assert caplog.text.strip().endswith(f'give for example {example}')
    assert not (tmp_path / 'model').exists()


@pytest.mark.parametrize('frames', ['0', '-1'])
def test_a_comparison_of_no_frames_is_refused_first(
    command: list[str], frames: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert main([*command, '--frames', frames]) == 1
    assert f'--frames is {frames}, expected at least 1' in caplog.text
    assert not (tmp_path / 'model').exists()


def test_an_output_below_a_file_is_refused(
    command: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / 'file'
    file.touch()
    assert main([*command, '--output', str(file / 'model')]) == 1
    assert f"export refused: [Errno 20] Not a directory: '{file / 'model'}'" in caplog.text


def test_the_first_operator_is_a_cast_and_top_k_stays_within_limits(
    exported: tuple[UPSNet, Path],
) -> None:
    model = onnx.load(exported[1])
    consumers = [node.op_type for node in model.graph.node if 'image' in node.input]
    assert consumers == ['Cast']
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in onnx.shape_inference.infer_shapes(model, data_prop=True).graph.value_info
    }
    counts = [shapes[n.output[0]][-1] for n in model.graph.node if n.op_type == 'TopK']
    assert counts
    assert max(counts) <= 3840


def test_unrolled_suppression_equals_greedy_suppression() -> None:
    generator = torch.Generator().manual_seed(0)
    for count, spread in ((1, 10), (50, 60), (200, 100), (250, 400)):
        for _ in range(5):
            corner = torch.rand(count, 2, generator=generator) * spread
            side = 10 + torch.rand(count, 2, generator=generator) * 40
            boxes = torch.cat((corner, corner + side), dim=1)
            scores = torch.rand(count, generator=generator).sort(descending=True).values
            kept = unrolled_nms(boxes, torch.ones(count, dtype=torch.bool), 0.5)
            expected = nms_inclusive(boxes, scores, 0.5)
            assert torch.nonzero(kept).squeeze(1).tolist() == expected.tolist()


def test_invalid_boxes_suppress_nothing() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 10], [0, 0, 10, 11]])
    kept = unrolled_nms(boxes, torch.tensor([False, True, True]), 0.5)
    assert kept.tolist() == [False, True, False]


def random_levels(generator: torch.Generator) -> list[torch.Tensor]:
    sizes = [(96 // stride, 160 // stride) for stride in (4, 8, 16, 32)]
    return [torch.randn(1, 3, *size, generator=generator) for size in sizes]


def test_one_canvas_serves_all_levels() -> None:
    generator = torch.Generator().manual_seed(1)
    levels = random_levels(generator)
    corner = torch.rand(80, 2, generator=generator) * torch.tensor([120.0, 60.0])
    side = 32 + torch.rand(80, 2, generator=generator) ** 3 * 128
    limit = torch.tensor([159.0, 95.0])
    boxes = torch.cat((corner, torch.minimum(corner + side, limit)), dim=1)
    boxes[0] = torch.tensor([0.0, 0, 159, 95])
    canvas = LevelCanvas(SIZE, canonical_size=60.0)
    ours = canvas.align(canvas(levels), boxes, 7)
    expected = pyramid_roi_align(levels, [boxes], output_size=7, canonical_size=60.0)
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4)


def test_the_canvas_differs_only_below_one_cell_at_the_far_borders() -> None:
    generator = torch.Generator().manual_seed(2)
    levels = random_levels(generator)
    limit = torch.tensor([159.0, 95.0])
    corner = torch.rand(600, 2, generator=generator) * limit
    side = torch.rand(600, 2, generator=generator) ** 4 * 60
    boxes = torch.cat((corner, torch.minimum(corner + side, limit)), dim=1)
    canvas = LevelCanvas(SIZE, canonical_size=60.0)
    ours = canvas.align(canvas(levels), boxes, 7)
    expected = pyramid_roi_align(levels, [boxes], output_size=7, canonical_size=60.0)
    odd = (ours - expected).abs().amax(dim=(1, 2, 3)) > 1e-3
    cell = torch.tensor([4, 8, 16, 32])[assign_levels(boxes, canonical_size=60.0)]
    narrow = (boxes[:, 2:] - boxes[:, :2] < cell[:, None]).any(dim=1)
    near = (boxes[:, :2] > limit - 2 * cell[:, None]).any(dim=1)
    assert not (odd & ~(narrow & near)).any()
    assert odd.float().mean() < 0.1


def test_too_few_proposals_are_refused(small_recipe: Recipe) -> None:
    model = build_model(small_recipe).eval()
    model.test_proposals = ProposalLimits(pre_nms=250, post_nms=20)
    with pytest.raises(ModelError, match='test_candidates is 50'):
        ExportWrapper(model, input_size=SIZE)
