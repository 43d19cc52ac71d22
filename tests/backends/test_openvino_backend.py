# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""OpenVINO beside ONNX Runtime: our operator, the shipped model, precisions, cache, manners."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.fakes.graphs import deform_conv_graph, make_graph, run_graph
from tests.fakes.tiny_model import INPUT_SIZE, write_tiny_model
from tests.python_process import run_python
from upsnet_ros.agreement import compare_backends
from upsnet_ros.backends import backend as backend_module
from upsnet_ros.backends import compiled_cache, openvino_backend, openvino_precision
from upsnet_ros.backends.onnx_backend import OnnxBackend
from upsnet_ros.backends.openvino_backend import OpenVinoBackend, open_core, precisions_of
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.manifest import ModelManifest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
needs_bf16 = pytest.mark.skipif(
    'bf16' not in precisions_of('cpu'), reason='this processor does not multiply bf16'
)


# --- the operator


def small_offsets(rng, shape):
    return rng.normal(0, 1.5, shape)


def no_offsets(rng, shape):
    return np.zeros(shape)


def whole_offsets(rng, shape):
    return rng.integers(-3, 4, shape)


def half_offsets(rng, shape):
    return rng.integers(-6, 7, shape) / 2


def offsets_at_the_border(rng, shape):
    """A hair inside and outside of where the border pixel has faded to nothing."""
    return rng.integers(-8, 9, shape) + rng.choice([-1e-3, 1e-3], shape)


def far_offsets(rng, shape):
    return rng.choice([-1e6, -1e3, 1e3, 1e6], shape)


OFFSETS = [
    small_offsets,
    no_offsets,
    whole_offsets,
    half_offsets,
    offsets_at_the_border,
    far_offsets,
]


@pytest.mark.parametrize('make_offsets', OFFSETS)
@pytest.mark.parametrize(
    ('size', 'kernel', 'stride', 'pad', 'dilation'),
    [
        ((9, 7), (3, 3), 1, 1, 1),
        ((9, 7), (3, 3), 1, 2, 2),
        ((9, 7), (3, 3), 2, 1, 1),
        ((6, 5), (1, 1), 1, 0, 1),
        ((8, 8), (3, 1), 1, 0, 1),
        ((1, 1), (3, 3), 1, 1, 1),
        ((1, 12), (3, 3), 1, 1, 1),
    ],
)
def test_deformable_convolution_is_that_of_onnx_runtime(
    make_offsets, size, kernel, stride, pad, dilation
) -> None:
    rng = np.random.default_rng(7)
    data = rng.normal(size=(1, 4, *size)).astype(np.float32)
    weight = rng.normal(size=(5, 4, *kernel)).astype(np.float32)
    bias = rng.normal(size=5).astype(np.float32)
    out = [
        (side + 2 * pad - dilation * (taps - 1) - 1) // stride + 1
        for side, taps in zip(size, kernel, strict=True)
    ]
    offset = make_offsets(rng, (1, 2 * kernel[0] * kernel[1], *out)).astype(np.float32)
    attributes = {
        'kernel_shape': list(kernel),
        'strides': [stride] * 2,
        'pads': [pad] * 4,
        'dilations': [dilation] * 2,
    }
    model = deform_conv_graph(data, weight, offset, bias, attributes)
    core = open_core()
    compiled = core.compile_model(
        core.read_model(model.SerializeToString()), 'CPU', {'INFERENCE_PRECISION_HINT': 'f32'}
    )
    found = compiled({'x': data, 'offset': offset})['y']
    expected = run_graph(model, x=data, offset=offset)['y']
    np.testing.assert_allclose(found, expected, atol=2e-5)


# --- the shipped model


@pytest.fixture(scope='module')
def manifest() -> ModelManifest:
    return ModelManifest.load(SHIPPED)


@pytest.fixture(scope='module')
def frames(manifest: ModelManifest) -> list[tuple[np.ndarray, InputGeometry]]:
    """The shipped frames in the network's input."""
    placed = []
    for path in sorted((ROOT / 'config' / 'golden_frames').glob('*.jpg')):
        image = cv2.imread(str(path))
        geometry = InputGeometry.fit(image_size=image.shape[:2], input_size=manifest.input_size)
        pixels = place_image(image, geometry, pad_value=manifest.input.pad_value)
        placed.append((pixels, geometry))
    assert placed
    return placed


def test_labels_in_single_precision_are_those_of_onnx_runtime(manifest, frames) -> None:
    head = PanopticHead(manifest.label_set, **manifest.panoptic_head)
    backends = [
        OnnxBackend(SHIPPED, manifest),
        OpenVinoBackend(SHIPPED, manifest, precision='fp32'),
    ]
    for pixels, geometry in frames:
        one, other = (head(backend.infer(pixels), geometry) for backend in backends)
        assert np.mean(one.label_image == other.label_image) >= 0.9999
        assert [found.class_id for found in one.instances] == [
            found.class_id for found in other.instances
        ]


def layers(backend: OpenVinoBackend) -> dict[str, tuple[str, str, list[str]]]:
    """Kind, precision and origin of each node that OpenVINO runs."""
    graph = backend._request.get_compiled_model().get_runtime_model()
    return {
        node.get_friendly_name(): (
            node.get_rt_info()['layerType'].astype(str),
            node.get_rt_info()['runtimePrecision'].astype(str),
            node.get_rt_info()['originalLayersNames'].astype(str).split(','),
        )
        for node in graph.get_ops()
    }


def names_behind_products(path: Path) -> set[str]:
    """Nodes of a model between an output or a region's coordinates and the products before them.

    Found in the ONNX file, where operators have other names than in OpenVINO.
    """
    graph = onnx.load(path).graph
    makers = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name for tensor in graph.initializer}

    def is_stored(name: str) -> bool:
        while name in makers and makers[name].op_type in ('Cast', 'Transpose', 'Reshape'):
            name = makers[name].input[0]
        return name in stored

    def is_product(node: onnx.NodeProto) -> bool:
        products = ('Conv', 'ConvTranspose', 'Gemm', 'MatMul', 'DeformConv2d')
        return node.op_type in products and any(map(is_stored, node.input[:2]))

    waiting = [value.name for value in graph.output]
    for node in graph.node:
        if node.op_type == 'RoiAlign':
            waiting += node.input[1:3]
    seen: set[str] = set()
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.name in seen or is_product(node):
            continue
        seen.add(node.name)
        waiting += node.input
    return seen


# What only moves numbers. OpenVINO chooses the width in which such a copy is made by itself; the
# sums and products on both sides are what counts, and the numbers of a copy are exact.
COPIES = {'Reorder', 'Reshape', 'Gather', 'Const', 'Split', 'Convert'}


@needs_bf16
@pytest.mark.parametrize('start', ['compiled', 'from the cache'])
def test_coordinates_and_scores_are_single_precision_in_bf16(
    manifest, tmp_path, start: str
) -> None:
    backend = OpenVinoBackend(SHIPPED, manifest, precision='bf16', cache_folder=tmp_path)
    if start == 'from the cache':
        backend = OpenVinoBackend(SHIPPED, manifest, precision='bf16', cache_folder=tmp_path)
        assert backend.is_from_cache
    found = layers(backend)
    kept = names_behind_products(SHIPPED)
    assert len(kept) > 500
    narrow = {
        name: kind
        for name, (kind, precision, origins) in found.items()
        if precision == 'bf16' and kind not in COPIES and kept & set(origins)
    }
    assert narrow == {}
    kinds = [(kind, precision) for kind, precision, _ in found.values()]
    assert ('Softmax', 'f32') in kinds and ('TopK', 'f32') in kinds
    convolutions = [precision for kind, precision in kinds if kind == 'Convolution']
    assert convolutions.count('bf16') > 0.7 * len(convolutions)


@needs_bf16
def test_no_coordinate_of_a_region_passes_through_8_bits(manifest, tmp_path) -> None:
    backend = OpenVinoBackend(SHIPPED, manifest, precision='bf16', cache_folder=tmp_path)
    nodes = backend._request.get_compiled_model().get_runtime_model().get_ops()

    def said(node, key: str) -> str:
        return node.get_rt_info()[key].astype(str)

    regions = [node for node in nodes if said(node, 'layerType') == 'ROIAlign']
    assert len(regions) == 2
    for region in regions:
        node = region.input_value(1).get_node()
        while said(node, 'layerType') in COPIES:  # one sum places the boxes on the map
            assert said(node, 'outputPrecisions') == 'f32'
            node = node.input_value(0).get_node()
        assert said(node, 'outputPrecisions') == 'f32'


@needs_bf16
def test_bf16_finds_what_single_precision_finds(manifest, tmp_path) -> None:
    images = [
        cv2.imread(str(path)) for path in sorted((ROOT / 'config/golden_frames').glob('*.jpg'))
    ]
    exact, narrow = (
        OpenVinoBackend(SHIPPED, manifest, precision=precision, cache_folder=tmp_path)
        for precision in ('fp32', 'bf16')
    )
    agreement = compare_backends(exact, narrow, manifest, images, box_tolerance=4.0)
    # With coordinates in 8 bits nine in a hundred candidates are further off.
    assert agreement.candidates >= 20
    assert agreement.matched >= 0.98 and agreement.equal_pixels >= 0.995


# --- what the library replaces while it compiles


def lasting_graph() -> tuple[onnx.ModelProto, np.ndarray]:
    """Slices, axes that come and go, and products of lists, between an input and the output."""
    rng = np.random.default_rng(3)
    nodes = [
        helper.make_node('MatMul', ['x', 'upright'], ['a']),
        helper.make_node('Gemm', ['a', 'lying', 'bias'], ['b'], transB=1),
        helper.make_node('Slice', ['b', 'late', 'early', 'axis', 'back'], ['c']),
        helper.make_node('Slice', ['c', 'one', 'many', 'rows', 'two'], ['d']),
        helper.make_node('Slice', ['d', 'nought_nought', 'two_four', 'both'], ['e']),
        helper.make_node('Unsqueeze', ['e', 'rows'], ['f']),
        helper.make_node('Squeeze', ['f', 'rows'], ['y']),
    ]
    constants = {
        'upright': rng.normal(size=(6, 5)).astype(np.float32),
        'lying': rng.normal(size=(9, 5)).astype(np.float32),
        'bias': rng.normal(size=9).astype(np.float32),
    } | {
        name: np.array(values, np.int64)
        for name, values in {
            'late': [-2],
            'early': [0],
            'axis': [-1],
            'back': [-2],
            'one': [1],
            'many': [2**62],
            'rows': [0],
            'two': [2],
            'nought_nought': [0, 0],
            'two_four': [2, 3],
            'both': [0, 1],
        }.items()
    }
    x = rng.normal(size=(7, 6)).astype(np.float32)
    return make_graph(nodes, {'x': x}, {'y': (TensorProto.FLOAT, (2, 3))}, constants), x


def test_what_is_put_in_their_place_computes_the_same() -> None:
    model, x = lasting_graph()
    core = open_core()
    graph = core.read_model(model.SerializeToString())
    before = {node.get_type_name() for node in graph.get_ops()}
    assert {'MatMul', 'Slice', 'Unsqueeze', 'Squeeze'} <= before
    single = {'INFERENCE_PRECISION_HINT': 'f32'}
    compiled = core.compile_model(openvino_precision.keep_single(core, graph), 'CPU', single)
    np.testing.assert_allclose(
        compiled({'x': x})['y'], run_graph(model, x=x)['y'], rtol=1e-5, atol=1e-5
    )


# --- the cache


@pytest.fixture
def model_path(tmp_path: Path) -> Path:
    return write_tiny_model(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / 'cache'


def load(path: Path, folder: Path | None, **options) -> OpenVinoBackend:
    return OpenVinoBackend(path, ModelManifest.load(path), cache_folder=folder, **options)


def works(backend: OpenVinoBackend) -> bool:
    return backend.infer(np.zeros((*INPUT_SIZE, 3), np.uint8)).count == 1


def test_the_second_start_compiles_nothing(model_path, folder, monkeypatch) -> None:
    first = load(model_path, folder, precision='fp32')
    monkeypatch.setattr(openvino_backend, '_read_model', None)  # cannot be called
    second = load(model_path, folder, precision='fp32')
    assert (first.is_from_cache, second.is_from_cache) == (False, True)
    image = np.random.default_rng(1).integers(0, 19, (*INPUT_SIZE, 3), np.uint8)
    one, other = first.infer(image), second.infer(image)
    np.testing.assert_array_equal(one.semantic_logits, other.semantic_logits)
    assert second.device == 'cpu' and second.precision == 'fp32'


def test_another_model_precision_or_library_is_another_entry(
    model_path, folder, tmp_path, monkeypatch
) -> None:
    load(model_path, folder, precision='fp32')
    (tmp_path / 'other').mkdir()
    other = write_tiny_model(tmp_path / 'other', input_size=(96, 64))
    assert not load(other, folder, precision='fp32').is_from_cache
    if 'bf16' in precisions_of('cpu'):
        assert not load(model_path, folder, precision='bf16').is_from_cache
    monkeypatch.setattr(openvino_backend.openvino, 'get_version', lambda: '2099.1')
    assert not load(model_path, folder, precision='fp32').is_from_cache


def damage(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    'spoil', [damage, lambda content: content[:1000], lambda content: b''], ids=str
)
def test_a_damaged_entry_costs_time_and_is_written_anew(model_path, folder, spoil, caplog) -> None:
    load(model_path, folder)
    (entry,) = folder.iterdir()
    entry.write_bytes(spoil(entry.read_bytes()))
    backend = load(model_path, folder)
    assert not backend.is_from_cache and works(backend)
    (message,) = caplog.messages
    assert str(entry) in message and 'damaged' in message
    assert load(model_path, folder).is_from_cache


def test_an_entry_that_openvino_refuses_is_compiled_anew(model_path, folder, caplog) -> None:
    load(model_path, folder)
    (entry,) = folder.iterdir()
    other = b'no network'
    entry.write_bytes(compiled_cache.hashlib.sha256(other).digest() + other)
    backend = load(model_path, folder)
    assert not backend.is_from_cache and works(backend)
    assert 'is not taken' in caplog.text
    assert load(model_path, folder).is_from_cache


def test_a_folder_that_is_a_file_only_costs_time_and_is_told_once(
    model_path, folder, caplog
) -> None:
    folder.write_text('a file')
    backend = load(model_path, folder)
    assert not backend.is_from_cache and works(backend)
    (message,) = caplog.messages
    assert str(folder) in message and 'give another cache_folder' in message


def test_a_folder_that_cannot_be_made_only_costs_time(model_path, caplog) -> None:
    backend = load(model_path, Path('/proc/upsnet_ros'))
    assert not backend.is_from_cache and works(backend)
    assert len(caplog.messages) == 1


def test_the_cache_does_not_grow_without_end(folder, monkeypatch) -> None:
    monkeypatch.setattr(compiled_cache, '_KEPT_FILES', 3)
    for index in range(6):
        cache = compiled_cache.CompiledCache(folder, [str(index)])
        cache.write(lambda: compiled_cache.BytesIO(b'network'))
        os.utime(cache.path, (index, index))
    assert compiled_cache.CompiledCache(folder, ['5']).read() == b'network'
    assert compiled_cache.CompiledCache(folder, ['0']).read() is None
    assert len(list(folder.iterdir())) == 3


def test_what_a_process_left_that_was_ended_while_it_wrote_is_removed(folder, monkeypatch) -> None:
    monkeypatch.setattr(compiled_cache, '_KEPT_FILES', 1)

    def die(*paths: object) -> None:
        raise SystemExit

    with monkeypatch.context() as ended:
        ended.setattr(compiled_cache.os, 'replace', die)
        ended.setattr(compiled_cache.os, 'unlink', lambda path: None)
        with pytest.raises(SystemExit):
            compiled_cache.CompiledCache(folder, ['1']).write(
                lambda: compiled_cache.BytesIO(b'network')
            )
    (left,) = folder.iterdir()
    os.utime(left, (0, 0))
    cache = compiled_cache.CompiledCache(folder, ['2'])
    cache.write(lambda: compiled_cache.BytesIO(b'network'))
    assert list(folder.iterdir()) == [cache.path]


@needs_bf16
def test_where_nothing_can_be_written_for_the_time_being_it_is_said_what_to_do(
    model_path, folder, monkeypatch
) -> None:
    monkeypatch.setattr(openvino_precision.tempfile, 'tempdir', '/proc/upsnet_ros')
    with pytest.raises(ModelError, match="TMPDIR .* precision 'fp32'"):
        load(model_path, folder, precision='bf16')
    assert works(load(model_path, folder, precision='fp32'))


def test_the_users_cache_folder_is_taken(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    assert compiled_cache.user_folder() == tmp_path / 'upsnet_ros'
    monkeypatch.delenv('XDG_CACHE_HOME')
    monkeypatch.setenv('HOME', '/home/someone')
    assert compiled_cache.user_folder() == Path('/home/someone/.cache/upsnet_ros')


def test_a_user_without_a_home_has_no_cache(model_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(compiled_cache, 'user_folder', lambda: None)
    backend = load(model_path, None)
    assert not backend.is_from_cache and works(backend)
    assert 'compiled at every start' in caplog.text


# --- manners


USE = """
import sys
import numpy as np
from upsnet_ros.backends.openvino_backend import OpenVinoBackend
from upsnet_ros.manifest import ModelManifest

def use(path):
    manifest = ModelManifest.load(path)
    backend = OpenVinoBackend(path, manifest)
    backend.infer(np.zeros((*manifest.input_size, 3), np.uint8))
    return backend
"""


def test_nothing_is_sent_or_forked_and_nothing_is_left_in_the_home(model_path, tmp_path) -> None:
    # OpenVINO reports each import from a process that it forks, unless it is kept from it.
    watch = (
        'import sys\n'
        "words = ('socket.', 'os.fork', 'os.posix_spawn', 'subprocess.')\n"
        'asked = []\n'
        'def listen(event, given):\n'
        '    if event.startswith(words):\n'
        '        asked.append(event)\n'
        'sys.addaudithook(listen)\n'
    )
    home = tmp_path / 'home'
    home.mkdir()
    told = run_python(
        watch + USE + 'use(sys.argv[1])\nprint("asked", *asked)\n',
        str(model_path),
        HOME=str(home),
        XDG_CACHE_HOME=str(tmp_path / 'cache'),
    )
    assert told.stdout.split() == ['asked']
    assert list(home.iterdir()) == []


def test_a_signal_finds_the_process_sound_after_networks_came_and_went(model_path) -> None:
    told = run_python(
        USE
        + """
import gc, os, signal, threading
first, second = use(sys.argv[1]), use(sys.argv[1])
first.close()
del first
second.close()
del second
threading.Thread(target=lambda: use(sys.argv[1]).close()).start()
gc.collect()
signal.signal(signal.SIGTERM, lambda number, frame: print('heard'))
os.kill(os.getpid(), signal.SIGTERM)
print('alive')
""",
        str(model_path),
    )
    assert told.stdout.split() == ['heard', 'alive']


def test_threads_stay_on_the_cores_that_the_process_may_use(tmp_path) -> None:
    core = str(min(os.sched_getaffinity(0)))
    code = (
        'import os, sys\n'
        'os.sched_setaffinity(0, {int(sys.argv[2])})\n' + USE + 'backend = use(sys.argv[1])\n'
        'model = backend._request.get_compiled_model()\n'
        "print(model.get_property('INFERENCE_NUM_THREADS'))\n"
        'for task in os.listdir("/proc/self/task"):\n'
        '    print(*os.sched_getaffinity(int(task)))\n'
    )
    told = run_python(code, SHIPPED, core, XDG_CACHE_HOME=str(tmp_path))
    threads, *cores = told.stdout.split()
    assert threads == '1'
    assert set(cores) == {core}


@pytest.mark.parametrize(('num_threads', 'used'), [(0, 1), (1, 1), (2, 2)])
def test_the_library_is_given_the_available_cores_for_0(
    model_path, folder, monkeypatch, num_threads: int, used: int
) -> None:
    monkeypatch.setattr(backend_module, 'available_cores', lambda: 1)
    backend = load(model_path, folder, num_threads=num_threads)
    compiled = backend._request.get_compiled_model()
    # The library takes no more than there are.
    assert compiled.get_property('INFERENCE_NUM_THREADS') == min(used, os.cpu_count())


@needs_bf16
def test_auto_is_single_precision_where_the_library_cannot_compile_the_other(tmp_path) -> None:
    code = (
        'import logging\n'
        'logging.basicConfig(format="%(message)s", stream=sys.stdout)\n'
        'backend = use(sys.argv[1])\n'
        'print("precision", backend.precision)\n'
    )
    # The library still says that the processor has bf16, but has no products for it.
    variables = {'ONEDNN_MAX_CPU_ISA': 'AVX2', 'XDG_CACHE_HOME': str(tmp_path)}
    told = run_python(USE + code, SHIPPED, **variables).stdout.split()
    assert told[-2:] == ['precision', 'fp32']
    assert 'the network runs in fp32 instead of bf16' in ' '.join(told)
