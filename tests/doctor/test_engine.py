# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Engines: over fakes of both libraries, in this process and in the trial's."""

from __future__ import annotations

import dataclasses
import re

import pytest

from tests.doctor.expectations import levels, looked, only
from tests.fakes.fake_tensorrt import tiny_answer
from tests.fakes.tiny_engine import write_tiny_engine
from upsnet_ros.agreement import ENGINE_TOLERANCES, Agreement
from upsnet_ros.doctor.engine import judge_agreement

PERFECT = Agreement(frames=2, equal_pixels=1, worst_equal_pixels=1, candidates=8, matched=1)


def test_an_engine_that_fits(computer, tensorrt, engine_path) -> None:
    finding = only(looked('engine', computer(model_path=engine_path)))
    assert finding.level == 'ok' and 'fp16' in finding.found and 'Fake GPU' in finding.found
    assert finding.values['tensorrt'] == '10.16.1'


def test_everything_that_does_not_fit_is_a_line(computer, tensorrt, engine_path) -> None:
    tensorrt.cuda.properties.minor = 9
    tensorrt.cuda.driver = 12080
    findings = looked('engine', computer(model_path=engine_path))
    assert levels(findings) == ['error', 'error']
    assert 'compute capability is 8.9' in findings[0].found
    assert 'driver runs CUDA up to 12.8' in findings[1].found


def test_a_truncated_engine_is_an_error_and_never_loaded(computer, tensorrt, engine_path) -> None:
    engine_path.write_bytes(engine_path.read_bytes()[:-1])
    finding = only(looked('engine', computer(model_path=engine_path)))
    assert finding.level == 'error' and 'truncated' in finding.found
    assert 'deserialize' not in tensorrt.cuda.calls


def test_an_engine_for_several_cameras_says_so(computer, tensorrt, tmp_path) -> None:
    subject = computer(model_path=write_tiny_engine(tmp_path, cameras=4))
    assert re.search('images at once: 4|4 images at once', only(looked('engine', subject)).found)


def test_a_damaged_record_is_an_error(computer, tensorrt, engine_path) -> None:
    engine_path.with_name('model.engine.json').write_text('{}')
    finding = only(looked('engine', computer(model_path=engine_path)))
    assert finding.level == 'error' and 'format_version' in finding.found


def test_without_cuda_the_record_cannot_be_compared(computer, no_cuda, engine_path) -> None:
    finding = only(looked('engine', computer(model_path=engine_path)))
    assert finding.level == 'error' and 'cuda-bindings' in finding.found


def test_an_onnx_file_has_no_engine(computer, tmp_path, model_path) -> None:
    subject = computer(model_path=model_path)
    assert only(looked('engine', subject)).level == 'ok'
    assert looked('engine trial', subject) == looked('comparison', subject) == []
    (tmp_path / 'model.engine').write_bytes(b'')
    finding = only(looked('engine', subject))
    assert finding.level == 'ok' and 'model.engine' in finding.found


def test_the_trial_is_made_in_another_process(computer, child_libraries, engine_path) -> None:
    """Whose driver takes no kernels, see `write_cuda_library`."""
    finding = only(looked('engine trial', computer(model_path=engine_path)))
    assert finding.level == 'warning'
    assert 'labels are made by the processor' in finding.found
    assert 'update the NVIDIA driver to that of CUDA 12.5' in finding.found


def test_an_engine_whose_labels_the_gpu_makes_is_sound(computer, monkeypatch, engine_path) -> None:
    monkeypatch.setattr('upsnet_ros.doctor.model.run_trial', lambda command: '')
    finding = only(looked('engine trial', computer(model_path=engine_path)))
    assert finding.level == 'ok' and finding.values['seconds'] >= 0


def test_a_crash_in_the_trial_is_an_error(computer, child_libraries, engine_path) -> None:
    (child_libraries / 'tensorrt.py').write_text('import os\nos.abort()\n')
    finding = only(looked('engine trial', computer(model_path=engine_path)))
    assert finding.level == 'error' and 'SIGABRT' in finding.found


# --- beside ONNX Runtime


def test_an_engine_that_agrees(computer, tensorrt, engine_path) -> None:
    finding = only(looked('comparison', computer(model_path=engine_path)))
    assert finding.level == 'ok', finding
    assert finding.values['frames'] == 3 and finding.values['equal_pixels'] == 1.0
    assert tensorrt.cuda.live == 0


def test_an_engine_that_disagrees(computer, tensorrt, engine_path) -> None:
    def wrong_answer(image):
        answer = tiny_answer(image)
        return {**answer, 'semantic_logits': answer['semantic_logits'][:, ::-1]}

    tensorrt.answer = wrong_answer
    finding = only(looked('comparison', computer(model_path=engine_path)))
    assert finding.level == 'error' and 'equal_pixels' in finding.found
    assert 'fp32' in finding.remedy and tensorrt.cuda.live == 0


def test_an_engine_that_fails(computer, tensorrt, engine_path) -> None:
    tensorrt.refuse_enqueue = 1
    finding = only(looked('comparison', computer(model_path=engine_path)))
    assert finding.level == 'error' and 'could not be launched' in finding.found
    assert tensorrt.cuda.live == 0


def test_without_the_onnx_file_nothing_is_compared(computer, tensorrt, engine_path) -> None:
    engine_path.with_name('model.onnx').unlink()
    finding = only(looked('comparison', computer(model_path=engine_path)))
    assert finding.level == 'warning' and 'model.onnx' in finding.found


@pytest.mark.parametrize(
    ('changes', 'level'),
    [
        ({}, 'ok'),
        ({'equal_pixels': 0.99}, 'error'),
        ({'matched': 0.9}, 'error'),
        ({'semantic_difference': float('nan')}, 'error'),
        ({'candidates': 0, 'matched': 0.0}, 'warning'),
        ({'candidates': 0, 'matched': 0.0, 'equal_pixels': 0.5}, 'error'),
        ({'frames': 0}, 'error'),
    ],
)
def test_what_agreement_is_enough(changes, level) -> None:
    finding = judge_agreement(dataclasses.replace(PERFECT, **changes), ENGINE_TOLERANCES['fp16'])
    assert levels([finding]) == [level]


# --- with the engine loaded


@pytest.mark.parametrize(
    'on_gpu',
    [pytest.param(True, marks=pytest.mark.heavy), False],  # compiles the kernels
)
def test_labels_and_speed_of_an_engine(
    computer, tensorrt, engine_path, monkeypatch, on_gpu: bool
) -> None:
    reason = '' if on_gpu else 'too old a driver'
    monkeypatch.setattr('upsnet_ros.doctor.model.run_trial', lambda command: reason)
    subject = computer(model_path=engine_path, frames=1)
    labels = only(looked('labels', subject))
    assert labels.level == 'ok' and 'tensorrt on cuda:0' in labels.found
    assert only(looked('speed', subject)).what == 'speed'
    assert ('cuLaunchKernel' in tensorrt.cuda.calls) == on_gpu
    assert tensorrt.cuda.live == 0


def test_an_engine_without_a_graph_is_slower(computer, tensorrt, engine_path, monkeypatch) -> None:
    monkeypatch.setattr('upsnet_ros.doctor.model.run_trial', lambda command: 'too old a driver')
    tensorrt.capture = 'refused'
    speed, graph = looked('speed', computer(model_path=engine_path, frames=1))
    assert levels([speed, graph])[1] == 'warning' and graph.what == 'CUDA graph'
