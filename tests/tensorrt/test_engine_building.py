# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Builds in a child process with a real parser and builder: TensorRT-RTX needs no GPU for them."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import tensorrt_rtx_bindings as trt
from onnx import TensorProto, helper, numpy_helper

from training.engine import build_process
from training.engine.build_process import build_engine
from training.engine.compile_process import CompileJob
from training.engine.engine_compiler import CompileOptions, EngineBuildError, compile_graph

LIBRARY = 'tensorrt_rtx_bindings'


def small_graph(*, channels: int = 3, operator: str = 'Relu') -> onnx.ModelProto:
    """One convolution of fixed sizes and what follows it."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node('Conv', ['x', 'weight'], ['a'], 'first', pads=[1, 1, 1, 1]),
        helper.make_node(operator, ['a'], ['y'], 'second'),
    ]
    graph = helper.make_graph(
        nodes,
        'small',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, channels, 16, 24])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 4, 16, 24])],
        [numpy_helper.from_array(weight, 'weight')],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 20)], ir_version=9)


@pytest.fixture
def job(tmp_path: Path) -> CompileJob:
    path = tmp_path / 'graph.onnx'
    path.write_bytes(small_graph().SerializeToString())
    return CompileJob(
        path,
        tmp_path / 'engine',
        CompileOptions('fp32'),
        module=LIBRARY,
        use_plugin=False,
        use_gpu=False,
    )


def test_an_engine_is_built_and_told_of(job: CompileJob) -> None:
    built = build_engine(job, progress=False)
    assert built['version'] == trt.__version__ and built['library'] == LIBRARY
    assert built['bytes'] == job.engine.stat().st_size > 1000
    assert built['layers'] >= 2


def test_progress_is_drawn(job: CompileJob, capsys: pytest.CaptureFixture) -> None:
    build_engine(job)
    assert '%|' in capsys.readouterr().err


def test_every_phase_ends_complete(job: CompileJob) -> None:
    told: list[tuple[str, int, int]] = []
    compile_graph(trt, job.graph.read_bytes(), job.options, report=lambda *step: told.append(step))
    assert told
    last = {phase: (done, total) for phase, done, total in told}
    assert all(done == total for done, total in last.values())


@pytest.mark.parametrize('options', [
    CompileOptions('fp32', workspace_gib=0.25, optimisation_level=0),
    CompileOptions('fp16', optimisation_level=5),
])  # fmt: skip
def test_options_are_taken(job: CompileJob, options: CompileOptions) -> None:
    assert build_engine(replace(job, options=options), progress=False)['bytes'] > 0


def test_a_timing_cache_is_kept_and_a_foreign_one_replaced(job: CompileJob) -> None:
    cache = job.graph.with_name('times')
    cache.write_bytes(b'not a cache')
    built = build_engine(replace(job, timing_cache=cache), progress=False)
    assert built['bytes'] > 0
    assert not cache.with_name('times.part').exists()


@pytest.mark.parametrize(
    'content, message',
    [
        (b'', 'cannot read the graph'),
        (b'no protobuf', 'cannot read the graph'),
        (small_graph(operator='Unique').SerializeToString(), 'cannot read the graph: second'),
    ],
)
def test_a_graph_that_cannot_be_read_is_refused(
    job: CompileJob, content: bytes, message: str
) -> None:
    job.graph.write_bytes(content)
    with pytest.raises(EngineBuildError, match=message):
        build_engine(job, progress=False)
    assert not job.engine.exists()


def test_a_missing_library_says_what_to_install(job: CompileJob) -> None:
    with pytest.raises(EngineBuildError, match="'tensorrt_of_mars' cannot be imported.*install"):
        build_engine(replace(job, module='tensorrt_of_mars'), progress=False)


def test_tensorrt_without_its_builder_gives_a_reason(job: CompileJob) -> None:
    """The stub's ``createInferBuilder`` gives nothing, as where the builder library is missing."""
    with pytest.raises(EngineBuildError, match="TensorRT's builder does not start"):
        build_engine(replace(job, module='tensorrt'), progress=False)
    assert not job.engine.exists()


def test_no_gpu_is_told_of_before_a_build_begins(job: CompileJob) -> None:
    with pytest.raises(EngineBuildError, match="CUDA's Python interface|NVIDIA driver|no CUDA"):
        build_engine(replace(job, use_gpu=True), progress=False)
    assert not job.engine.exists()


def test_a_process_that_dies_is_told_of(job: CompileJob, monkeypatch: pytest.MonkeyPatch) -> None:
    script = job.graph.with_name('dies.py')
    script.write_text(
        'import os, sys\n'
        'print("no line of ours")\n'
        'print("last words", file=sys.stderr, flush=True)\n'
        'os.abort()\n'
    )
    original = subprocess.Popen

    def dying(command: list[str], **options: object) -> subprocess.Popen:
        return original([sys.executable, str(script)], **options)

    monkeypatch.setattr(build_process.subprocess, 'Popen', dying)
    with pytest.raises(EngineBuildError, match='was killed by SIGABRT.*last words'):
        build_engine(job, progress=False)


def test_an_interrupt_leaves_no_process_behind(
    job: CompileJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[subprocess.Popen] = []
    original = subprocess.Popen

    def sleeping(command: list[str], **options: object) -> subprocess.Popen:
        started.append(original([sys.executable, '-c', 'import time; time.sleep(60)'], **options))
        return started[0]

    def interrupted(*_: object, **__: object) -> dict:
        raise KeyboardInterrupt

    monkeypatch.setattr(build_process.subprocess, 'Popen', sleeping)
    monkeypatch.setattr(build_process, '_follow', interrupted)
    with pytest.raises(KeyboardInterrupt):
        build_engine(job, progress=False)
    assert started[0].poll() is not None
