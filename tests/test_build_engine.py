# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The whole way of an engine, from the demo model to labels, over a stand-in for TensorRT.

It needs neither PyTorch nor Triton, as on a vehicle.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.gpu_libraries import write_cuda_library
from tests.fakes.tiny_model import write_tiny_model
from training.build_engine import main
from training.engine.golden_images import render_images
from upsnet_ros.backends.engine_record import EngineRecord
from upsnet_ros.pipeline import PanopticPipeline

ROOT = Path(__file__).parents[1]
MODEL = ROOT / 'config' / 'models' / 'upsnet_tiny_synthetic' / 'model.onnx'
LIBRARY = """
from tests.fakes import tensorrt_over_onnxruntime as fake
library = fake.SHARED_TENSORRT
{change}
fake.install()
"""


@pytest.fixture(autouse=True)
def libraries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what child processes import as `tensorrt` and `cuda`."""
    folder = tmp_path / 'libraries'
    write_cuda_library(folder)
    (folder / 'tensorrt.py').write_text(LIBRARY.format(change=''))
    monkeypatch.setenv('PYTHONPATH', f'{folder}:{ROOT}')
    return folder


def change_library(libraries: Path, change: str) -> None:
    (libraries / 'tensorrt.py').write_text(LIBRARY.format(change=change))


def build(output: Path, *options: str, frames: int = 1) -> int:
    arguments = ['--model', str(MODEL), '--output', str(output), '--frames', str(frames)]
    return main([*arguments, *options])


# Native and fp32: with several cameras below.
@pytest.mark.parametrize(
    'form, precision', [('plugin', 'fp16'), ('plugin', 'fp32'), ('native', 'fp16')]
)
def test_an_engine_is_built_compared_and_described(
    tmp_path: Path, form: str, precision: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level('INFO')
    output = tmp_path / 'engine' / 'model.engine'
    assert build(output, '--deform-conv', form, '--precision', precision, frames=2) == 0
    names = {'model.engine', 'model.engine.json', 'model.json', 'model.onnx', 'model.timing'}
    assert {path.name for path in output.parent.iterdir()} == names
    record = EngineRecord.load(output)
    assert (record.precision, record.deform_conv) == (precision, form)
    assert (record.plugin_ptx_sha256 is None) == (form == 'native')
    assert record.gpu.name == 'Fake GPU' and record.tensorrt == '10.16.1.11'
    assert record.verification['frames'] == 2
    assert record.verification['equal_pixels'] >= (0.999 if precision == 'fp32' else 0.995)
    assert f'Fake GPU, {precision}, beside ONNX Runtime' in caplog.text
    assert re.search(r'  equal pixels +(99|100)\.\d+ %  >= 99\.', caplog.text)
    assert '! ' not in caplog.text


def test_an_engine_for_several_cameras_is_compared_camera_by_camera(tmp_path: Path) -> None:
    output = tmp_path / 'model.engine'
    options = ['--deform-conv', 'native', '--precision', 'fp32', '--cameras', '2']
    assert build(output, *options, frames=3) == 0
    record = EngineRecord.load(output)
    assert record.cameras == 2 and record.input.shape[0] == 2
    assert all(tensor.shape[0] == 2 for tensor in record.outputs.values())
    assert record.verification['frames'] == 3
    assert record.verification['equal_pixels'] >= 0.999


def test_the_engine_runs_in_the_pipeline_and_outlives_a_build_that_fails(
    tmp_path: Path, libraries: Path
) -> None:
    output = tmp_path / 'model.engine'
    assert build(output, '--deform-conv', 'native', '--precision', 'fp32') == 0
    script = (
        'import sys, numpy as np\n'
        'from upsnet_ros.pipeline import PanopticPipeline\n'
        'pipeline = PanopticPipeline.load(sys.argv[1])\n'
        'image = np.load(sys.argv[2])\n'
        'np.save(sys.argv[3], pipeline.process(image).panoptic.label_image)\n'
    )
    (image,) = render_images(1)
    np.save(tmp_path / 'image.npy', image)
    files = [str(tmp_path / name) for name in ('image.npy', 'labels.npy')]
    subprocess.run([sys.executable, '-c', script, str(output), *files], check=True, cwd=ROOT)
    reference = PanopticPipeline.load(MODEL, backend='onnxruntime')
    want = reference.process(image).panoptic.label_image
    assert (np.load(tmp_path / 'labels.npy') == want).mean() >= 0.999
    assert len(np.unique(want)) > 5
    before = {path.name: path.read_bytes() for path in tmp_path.glob('model.*')}
    change_library(libraries, 'library.refuse_build = True')
    assert build(output, '--deform-conv', 'native') == 1
    assert {path.name: path.read_bytes() for path in tmp_path.glob('model.*')} == before


@pytest.mark.parametrize(
    'change, message',
    [
        ('library.refuse_build = True', 'cannot build the engine: Could not find any impl'),
        ('import os; os.abort()', 'was killed by SIGABRT'),
        (
            'library.distort = lambda name, value: value * 0',
            '! candidates that both have',
        ),
        (
            "library.distort = lambda name, value: value * float('nan') if "
            "name == 'semantic_logits' else value",
            'does not run',
        ),
        ('library.cuda.driver = 0', 'there is no NVIDIA driver'),
        ('raise ImportError("libnvinfer.so.10 is missing")', "'tensorrt' cannot be imported"),
    ],
    ids=['no engine', 'crash', 'wrong', 'NaN', 'no driver', 'no library'],
)
def test_what_goes_wrong_is_told_and_nothing_is_left(
    tmp_path: Path, libraries: Path, caplog: pytest.LogCaptureFixture, change: str, message: str
) -> None:
    change_library(libraries, change)
    output = tmp_path / 'engine' / 'model.engine'
    assert build(output, '--deform-conv', 'native') == 1
    assert 'no engine was written: ' in caplog.text and message in caplog.text
    left = {path.name for path in output.parent.iterdir()}
    assert left <= {'model.timing'}


def test_a_folder_of_another_model_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_tiny_model(tmp_path)
    assert build(tmp_path / 'other.engine') == 1
    assert 'belongs to another model' in caplog.text


@pytest.mark.parametrize(
    'options, message',
    [
        (['--output', 'model.plan'], '--output is model.plan, expected a file that ends in'),
        (['--model', 'model.pt'], '--model is model.pt, expected a file that ends in .onnx'),
        (['--model', 'none.onnx'], "'none.onnx'"),
        (['--frames', '0'], '--frames is 0'),
    ],
)
def test_bad_options_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, options: list[str], message: str
) -> None:
    assert build(tmp_path / 'model.engine', *options) == 1
    assert message in caplog.text


def test_images_of_the_camera_are_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    empty = tmp_path / 'empty'
    empty.mkdir()
    assert build(tmp_path / 'model.engine', '--images', str(empty)) == 1
    assert 'no image files' in caplog.text
    (empty / 'broken.png').write_bytes(b'no picture')
    assert build(tmp_path / 'model.engine', '--images', str(empty)) == 1
    assert 'broken.png: cannot be decoded' in caplog.text


def test_a_model_that_is_not_ours_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / 'model'
    folder.mkdir()
    (folder / 'model.onnx').write_bytes(b'something else')
    values = json.loads(MODEL.with_suffix('.json').read_text())
    (folder / 'model.json').write_text(json.dumps(values))
    arguments = ['--model', str(folder / 'model.onnx'), '--output', str(tmp_path / 'm.engine')]
    assert main(arguments) == 1
    assert 'sha256' in caplog.text
