# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What holds of a pipeline whatever library runs its ONNX file: cameras, thresholds, NaN."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from tests.fakes.tiny_model import CAR, INPUT_SIZE, tiny_graph, write_tiny_model
from upsnet_ros.backends.openvino_backend import precisions_of
from upsnet_ros.core.errors import ModelError, ParameterError
from upsnet_ros.core.labels import class_image
from upsnet_ros.pipeline import PanopticPipeline

WAYS = [('onnxruntime', 'fp32'), ('openvino', 'fp32')]
if 'bf16' in precisions_of('cpu'):
    WAYS.append(('openvino', 'bf16'))


@pytest.fixture(params=WAYS, ids=' '.join)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    backend, precision = request.param
    return {'backend': backend, 'precision': precision, 'cache_folder': str(tmp_path / 'cache')}


def image_of(class_id: int) -> np.ndarray:
    """An image that the tiny network labels as one class."""
    return np.full((*INPUT_SIZE, 3), class_id, np.uint8)


def test_each_of_several_cameras_gets_the_labels_of_its_own_image(way, tmp_path) -> None:
    path = write_tiny_model(tmp_path)
    with PanopticPipeline.load(path, **way) as pipeline:
        pipeline.set_thresholds(score_threshold=0.95, stuff_area_limit=0)
        assert pipeline.max_batch == 1
        with pytest.raises(ParameterError, match='2 images at once'):
            pipeline.process_batch([image_of(0), image_of(1)])
        classes = [index % 11 for index in range(44)]
        with ThreadPoolExecutor(2) as cameras:
            results = list(
                cameras.map(lambda seen: pipeline.process_batch([image_of(seen)])[0], classes)
            )
    for seen, result in zip(classes, results, strict=True):
        assert set(np.unique(class_image(result.panoptic.label_image))) == {seen}


def test_thresholds_that_change_hold_from_the_next_image_on(way, tmp_path) -> None:
    with PanopticPipeline.load(write_tiny_model(tmp_path), **way) as pipeline:
        found = []
        for threshold in (0.6, 0.95, 0.6):
            pipeline.set_thresholds(score_threshold=threshold)
            instances = pipeline.process(image_of(CAR)).panoptic.instances
            found.append([instance.class_id for instance in instances])
    assert found == [[CAR], [], [CAR]]


def test_an_answer_with_nan_is_refused_and_the_next_image_labelled(way, tmp_path) -> None:
    graph = tiny_graph()
    (end,) = (node for node in graph.graph.node if 'semantic_logits' in node.output)
    end.output[0] = 'logits'
    # 0 / 0 where the first pixel is 19, else x / 1.
    graph.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(19, np.float32), 'bad'),
        ]
    )
    graph.graph.node.extend(
        [
            helper.make_node('Sub', ['plane', 'bad'], ['from_bad']),
            helper.make_node('Div', ['from_bad', 'from_bad'], ['one_or_nan']),
            helper.make_node('Mul', ['logits', 'one_or_nan'], ['semantic_logits']),
        ]
    )
    onnx.checker.check_model(graph)
    with PanopticPipeline.load(write_tiny_model(tmp_path, graph), **way) as pipeline:
        pipeline.process(image_of(0))
        with pytest.raises(ModelError, match="'semantic_logits' holds .* NaN or infinite"):
            pipeline.process(image_of(19))
        pipeline.process(image_of(0))
