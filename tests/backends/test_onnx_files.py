# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime and OpenVINO with a tiny real model, and every way they can refuse one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.fakes.fake_backend import make_manifest
from tests.fakes.tiny_model import (
    BOX,
    CAR,
    INPUT_SIZE,
    ROWS,
    TOP,
    UNFIT_IMAGES,
    tiny_graph,
    write_tiny_model,
)
from upsnet_ros.backends import onnx_backend, openvino_backend
from upsnet_ros.backends.onnx_backend import OnnxBackend
from upsnet_ros.backends.openvino_backend import OpenVinoBackend, precisions_of
from upsnet_ros.core.errors import ImageError, ManifestError, ModelError, ParameterError
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

Backend = OnnxBackend | OpenVinoBackend
Loader = Callable[..., Backend]


def load_in_bf16(path: Path, manifest: ModelManifest, **options) -> OpenVinoBackend:
    return OpenVinoBackend(path, manifest, precision='bf16', **options)


# The tiny model's numbers are whole and small, so that half the width holds them exactly.
LOADERS: list[Loader] = [OnnxBackend, OpenVinoBackend]
if 'bf16' in precisions_of('cpu'):
    LOADERS.append(load_in_bf16)


@pytest.fixture(params=LOADERS, ids=lambda loader: loader.__name__)
def load(request: pytest.FixtureRequest) -> Loader:
    """Loads a model, in one library and precision after the other."""
    return request.param


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path)


@pytest.fixture
def backend(load: Loader, model_path: Path) -> Backend:
    return load(model_path, ModelManifest.load(model_path), num_threads=1)


def blue_image(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 19, size=(*INPUT_SIZE, 3), dtype=np.uint8)


@pytest.mark.parametrize('num_threads', [0, 1, 2])
def test_answers_are_the_graphs(load: Loader, model_path: Path, num_threads: int) -> None:
    backend = load(model_path, ModelManifest.load(model_path), num_threads=num_threads)
    image = blue_image()
    output = backend.infer(image)
    blue = image[::4, ::4, 0].astype(np.float32)
    expected = TOP - np.abs(np.arange(19, dtype=np.float32)[:, None, None] - blue)
    np.testing.assert_array_equal(output.semantic_logits, expected)
    assert output.count == 1
    assert output.boxes.shape == (ROWS, 4) and tuple(output.boxes[0]) == BOX
    assert output.classes[0] == CAR and output.scores[0] == np.float32(0.9)
    assert output.mask_logits.shape == (ROWS, 28, 28)


def test_it_says_what_it_is(backend: Backend) -> None:
    assert (backend.device, backend.input_size) == ('cpu', INPUT_SIZE)
    assert backend.precision in ('fp32', 'bf16')


def test_answers_stay_as_they_are_when_the_next_image_comes(backend: Backend) -> None:
    first = backend.infer(blue_image(1))
    before = first.semantic_logits.copy()
    backend.infer(blue_image(2))
    np.testing.assert_array_equal(first.semantic_logits, before)


def test_images_that_are_not_contiguous_are_read_right(backend: Backend) -> None:
    image = blue_image(3)
    mirrored = image[:, ::-1]
    assert not mirrored.flags.c_contiguous
    np.testing.assert_array_equal(
        backend.infer(mirrored).semantic_logits,
        backend.infer(mirrored.copy()).semantic_logits,
    )


@pytest.mark.parametrize('image', UNFIT_IMAGES)
def test_other_images_are_refused(backend: Backend, image: np.ndarray) -> None:
    with pytest.raises(ImageError, match='network input'):
        backend.infer(image)


def test_closing_twice_is_safe_and_using_it_after_is_not(backend: Backend) -> None:
    backend.close()
    backend.close()
    with pytest.raises(ModelError, match='closed'):
        backend.infer(blue_image())


def test_closing_while_an_image_is_in_work_leaves_its_answer(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    for library in (onnx_backend, openvino_backend):
        monkeypatch.setattr(library, 'check_network_image', lambda *given: backend.close())
    backend.infer(np.zeros((*backend.input_size, 3), np.uint8))
    with pytest.raises(ModelError, match='closed'):
        backend.infer(np.zeros((*backend.input_size, 3), np.uint8))


def test_missing_file_is_named(load: Loader, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match='nowhere.onnx'):
        load(tmp_path / 'nowhere.onnx', make_manifest())


def test_a_file_that_is_no_model_is_refused(load: Loader, tmp_path: Path) -> None:
    path = tmp_path / 'model.onnx'
    path.write_bytes(b'nonsense')
    with pytest.raises(ModelError, match='cannot load'):
        load(path, make_manifest())


@pytest.mark.parametrize('num_threads', [-1, 1.5, True])
def test_impossible_numbers_of_threads_are_refused(
    load: Loader, model_path: Path, num_threads: object
) -> None:
    with pytest.raises(ParameterError, match='num_threads'):
        load(model_path, ModelManifest.load(model_path), num_threads=num_threads)


def test_devices_that_are_not_there_are_refused(load: Loader, model_path: Path) -> None:
    with pytest.raises(ParameterError, match="device is 'tpu'"):
        load(model_path, ModelManifest.load(model_path), device='tpu')


def rename_input(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == 'image':
                node.input[index] = 'picture'
    model.graph.input[0].name = 'picture'


def resize_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 32
    del model.graph.output[0].type.tensor_type.shape.dim[:]


def retype_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT


def free_input(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = 'batch'


def drop_output(model: onnx.ModelProto) -> None:
    del model.graph.output[5]


def swap_outputs(model: onnx.ModelProto) -> None:
    # Names of the second and third output exchanged: the shapes no longer fit.
    model.graph.output[1].name, model.graph.output[2].name = 'scores', 'boxes'
    for value in (model.graph.node[6], model.graph.node[7]):
        value.output[0] = {'boxes': 'scores', 'scores': 'boxes'}[value.output[0]]


@pytest.mark.parametrize(
    'alter, field',
    [
        (rename_input, 'input'),
        (resize_input, 'input'),
        (retype_input, 'input'),
        (free_input, 'input'),
        (drop_output, 'outputs.count'),
        (swap_outputs, 'outputs.boxes'),
    ],
)
def test_graphs_that_do_not_fit_the_manifest_are_refused(
    load: Loader, tmp_path: Path, alter: Callable[[onnx.ModelProto], None], field: str
) -> None:
    model = tiny_graph()
    alter(model)
    path = write_tiny_model(tmp_path, model)
    with pytest.raises(ManifestError) as caught:
        load(path, ModelManifest.load(path))
    assert caught.value.field == field


def lose_a_shape(tmp_path: Path) -> Path:
    """A model whose further output has as many values as a pixel says."""
    model = tiny_graph()
    model.graph.node.extend(
        [
            onnx.helper.make_node('Cast', ['corner'], ['sizes'], to=TensorProto.INT64),
            onnx.helper.make_node('Reshape', ['sizes', 'flat'], ['row']),
            onnx.helper.make_node('Gather', ['row', 'first'], ['size']),
            onnx.helper.make_node('Reshape', ['plane', 'size'], ['lost']),
        ]
    )
    for name, numbers in (('flat', [-1]), ('first', [0, 1])):
        constant = onnx.numpy_helper.from_array(np.array(numbers, np.int64), name)
        model.graph.initializer.append(constant)
    model.graph.output.append(onnx.helper.make_tensor_value_info('lost', 1, ['N', 'M']))
    return write_tiny_model(tmp_path, model)


def test_failures_of_onnx_runtime_while_running_are_model_errors(tmp_path: Path) -> None:
    path = lose_a_shape(tmp_path)
    backend = OnnxBackend(path, ModelManifest.load(path), num_threads=1)
    with pytest.raises(ModelError, match='failed on an image'):
        backend.infer(np.full((*INPUT_SIZE, 3), 7, np.uint8))


def test_shapes_whose_errors_openvino_would_not_tell_are_refused(tmp_path: Path) -> None:
    path = lose_a_shape(tmp_path)
    with pytest.raises(ModelError, match="fixed shape.*use backend 'onnxruntime'"):
        OpenVinoBackend(path, ModelManifest.load(path))


def test_two_at_once_do_not_disturb_each_other(load: Loader, model_path: Path) -> None:
    manifest = ModelManifest.load(model_path)
    backends = [load(model_path, manifest, num_threads=2) for _ in range(2)]
    images = [blue_image(seed) for seed in range(8)]
    expected = [backends[0].infer(image).semantic_logits for image in images]

    def label_all(index: int) -> list[np.ndarray]:
        # The four threads share both backends too: two of them use the same one.
        return [backends[index % 2].infer(image).semantic_logits for image in images * 20]

    with ThreadPoolExecutor(4) as threads:
        for answers in threads.map(label_all, range(4)):
            np.testing.assert_array_equal(answers, expected * 20)


def test_thresholds_change_while_it_runs(load: Loader, model_path: Path) -> None:
    manifest = ModelManifest.load(model_path)
    with PanopticPipeline(load(model_path, manifest), manifest) as pipeline:
        image = np.full((*INPUT_SIZE, 3), CAR, np.uint8)
        assert len(pipeline.process(image).panoptic.instances) == 1
        pipeline.set_thresholds(score_threshold=0.95)
        assert pipeline.process(image).panoptic.instances == ()


def test_cameras_in_a_batch_get_what_each_gets_alone(load: Loader, model_path: Path) -> None:
    manifest = ModelManifest.load(model_path)
    with PanopticPipeline(load(model_path, manifest), manifest) as pipeline:
        (batch,) = pipeline.process_batch([blue_image()])
        alone = pipeline.process(blue_image())
    np.testing.assert_array_equal(batch.panoptic.label_image, alone.panoptic.label_image)
