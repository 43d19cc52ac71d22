# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The engine's graph of a network that the shipped one is not: deformable stages in its backbone.

Normalisation after a deformable convolution is not folded away by the export, strides and several
sizes occur, and levels have fewer anchors than proposals are wanted.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch

from tests.fakes.graphs import run_graph
from tests.fakes.small_networks import SIZE, lively_model, smooth_image
from training.engine.half_rounding import round_as_half
from training.engine.variant import EngineForm, build_variant
from training.export import build_graph
from training.export_wrapper import NMS_ITERATIONS, round_weights
from training.recipe.recipe import Recipe


@pytest.fixture(scope='module')
def exported(small_recipe: Recipe) -> onnx.ModelProto:
    recipe = replace(small_recipe, model=replace(small_recipe.model, deformable_stages=(4, 5)))
    model = lively_model(recipe)
    with torch.no_grad():
        for conv in model.semantic_head.convs:
            conv.offset.weight.mul_(0.1)  # moves of a few pixels, as trained networks have them
    return build_graph(round_weights(model), input_size=SIZE)


@pytest.fixture(scope='module')
def images() -> np.ndarray:
    """Two images, ``[2, 96, 160, 3]``."""
    return np.stack([smooth_image(seed)[: SIZE[0], : SIZE[1]] for seed in (3, 4)])


def test_the_graph_is_the_one_that_is_meant(exported: onnx.ModelProto) -> None:
    count = Counter(node.op_type for node in exported.graph.node)
    assert count['BatchNormalization'] == 2
    assert count['DeformConv2d'] == 2 + 2 * 4
    assert count['MatMul'] == 2 * NMS_ITERATIONS


@pytest.mark.parametrize('form', ['plugin', 'builtin', 'native'])
def test_every_form_gives_the_same_for_every_camera(
    exported: onnx.ModelProto, images: np.ndarray, form: str
) -> None:
    graph = build_variant(exported, EngineForm(precision='fp32', deform_conv=form, cameras=2))
    together = run_graph(graph, image=images)
    for index, image in enumerate(images):
        alone = run_graph(exported, image=image[None])
        assert alone['count'][0] > 0
        for name, value in alone.items():
            scale = max(1.0, float(np.abs(value).max()))
            np.testing.assert_allclose(
                together[name][index] / scale, value[0] / scale, rtol=0, atol=2e-4, err_msg=name
            )


def test_half_precision_changes_little(exported: onnx.ModelProto, images: np.ndarray) -> None:
    mixed = build_variant(exported, EngineForm(precision='fp16', deform_conv='builtin'))
    assert 'BatchNormalization' not in {node.op_type for node in mixed.graph.node}
    for image in images:
        single = run_graph(exported, image=image[None])['semantic_logits']
        half = run_graph(round_as_half(mixed), optimise=False, image=image[None])
        error = np.abs(half['semantic_logits'] - single).max() / np.abs(single).max()
        assert 0 < error < 0.02
