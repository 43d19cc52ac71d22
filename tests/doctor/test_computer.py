# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Cores and quota; driver, GPU and variables of CUDA, over a fake of the library."""

from __future__ import annotations

import os

import pytest

from tests.doctor.expectations import levels, only
from tests.fakes.fake_cuda import Error
from tests.fakes.tiny_engine import write_tiny_engine
from upsnet_ros.doctor.computer import check_cuda_environment, check_gpu, check_processor


@pytest.mark.parametrize(
    ('allowed', 'quota', 'level', 'text'),
    [
        (8, 'max 100000', 'ok', '8 of 16 cores may be used (8 allowed, no quota)'),
        (8, '250000 100000', 'ok', '2.5 of 16 cores may be used (8 allowed, a quota of 2.5)'),
        (8, '50000 100000', 'warning', '0.5 of 16 cores'),
        (1, 'max 100000', 'warning', '1 of 16 cores'),
    ],
)
def test_cores_and_quota(computer, monkeypatch, allowed, quota, level, text) -> None:
    monkeypatch.setattr(os, 'cpu_count', lambda: 16)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda pid: set(range(allowed)))
    subject = computer()
    (subject.proc / 'self').mkdir()
    (subject.proc / 'self' / 'cgroup').write_text('0::/node\n')
    group = subject.control_groups / 'node'
    group.mkdir(parents=True)
    (group / 'cpu.max').write_text(quota + '\n')
    finding = only(check_processor(subject))
    assert finding.level == level and text in finding.found
    assert finding.values['allowed'] == allowed


def test_driver_and_gpu_are_described(computer, cuda, engine_path) -> None:
    subject = computer(model_path=engine_path)
    folder = subject.proc / 'driver' / 'nvidia'
    folder.mkdir(parents=True)
    (folder / 'version').write_text(
        'NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 07:15:50 UTC 2025\n'
        'GCC version:  gcc version 13.3.0\n'
    )
    driver, gpu, memory = check_gpu(subject)
    assert levels([driver, gpu, memory]) == ['ok'] * 3
    assert 'CUDA up to 13.0 (driver 580.65.06)' in driver.found
    assert 'Fake GPU, discrete, compute capability 8.7' in gpu.found
    assert gpu.values['compute_capability'] == '8.7'
    assert memory.found == '6144 MiB are free' and memory.values['free_mib'] == 6144


@pytest.mark.parametrize(
    ('name', 'level'), [('model.engine', 'error'), ('model.onnx', 'ok')], ids=['engine', 'onnx']
)
def test_without_a_gpu_only_an_engine_is_in_trouble(computer, no_cuda, tmp_path, name, level):
    finding = only(check_gpu(computer(model_path=tmp_path / name)))
    assert finding.level == level
    assert ('cuda-bindings' in finding.found) == (level == 'error')


@pytest.mark.parametrize('name', ['model.engine', 'model.onnx'])
def test_a_failing_driver_is_told(computer, cuda, tmp_path, name) -> None:
    cuda.fail('cudaGetDeviceProperties', Error.cudaErrorNoDevice)
    finding = only(check_gpu(computer(model_path=tmp_path / name)))
    assert finding.level == ('error' if name == 'model.engine' else 'ok')


def test_an_older_driver_than_the_libraries_is_an_error(computer, cuda, engine_path) -> None:
    cuda.driver = 12080
    driver, *others = check_gpu(computer(model_path=engine_path))
    assert levels([driver, *others]) == ['error', 'ok', 'ok']
    assert 'CUDA up to 12.8' in driver.found and 'CUDA 13.2' in driver.expected
    driver, *_ = check_gpu(computer())
    assert levels([driver]) == ['warning']


def test_an_old_gpu_and_little_memory(computer, cuda, engine_path) -> None:
    cuda.properties.major, cuda.properties.minor = 7, 5
    cuda.free_memory = 300 * 2**20
    _, gpu, memory = check_gpu(computer(model_path=engine_path))
    assert levels([gpu, memory]) == ['error', 'warning']
    assert 'compute capability 7.5' in gpu.found and '300 MiB' in memory.found
    _, gpu, memory = check_gpu(computer())
    assert levels([gpu, memory]) == ['warning', 'ok']


# --- environment variables


def test_no_variable_is_no_trap(computer, cuda, engine_path) -> None:
    finding = only(check_cuda_environment(computer(model_path=engine_path)))
    assert finding.level == 'ok'


def test_they_do_not_matter_to_an_onnx_file(computer, cuda) -> None:
    environment = {'CUDA_DISABLE_PTX_JIT': '1', 'CUDA_VISIBLE_DEVICES': ''}
    assert only(check_cuda_environment(computer(environment=environment))).level == 'ok'


@pytest.mark.parametrize(
    ('changes', 'level'),
    [
        ({}, 'error'),
        ({'deform_conv': 'native', 'plugin_ptx_sha256': None}, 'warning'),
    ],
)
def test_no_ptx_no_plugin(computer, cuda, tmp_path, changes, level) -> None:
    subject = computer(
        model_path=write_tiny_engine(tmp_path, **changes),
        environment={'CUDA_DISABLE_PTX_JIT': '1'},
    )
    finding = only(check_cuda_environment(subject))
    assert finding.level == level and 'unset CUDA_DISABLE_PTX_JIT' in finding.remedy


def test_an_engine_without_a_record_may_have_the_plugin(computer, cuda, tmp_path) -> None:
    subject = computer(
        model_path=tmp_path / 'none.engine', environment={'CUDA_DISABLE_PTX_JIT': '1'}
    )
    assert only(check_cuda_environment(subject)).level == 'error'


@pytest.mark.parametrize(
    ('environment', 'level', 'text'),
    [
        ({'CUDA_VISIBLE_DEVICES': ''}, 'error', 'hides every GPU'),
        ({'CUDA_VISIBLE_DEVICES': '-1'}, 'error', 'hides every GPU'),
        ({'CUDA_VISIBLE_DEVICES': '0'}, 'ok', 'none'),
        ({'CUDA_DISABLE_PTX_JIT': '0'}, 'ok', 'none'),
        ({'CUDA_CACHE_DISABLE': '1'}, 'warning', 'CUDA_CACHE_DISABLE'),
    ],
)
def test_other_traps(computer, cuda, engine_path, environment, level, text) -> None:
    finding = only(
        check_cuda_environment(computer(model_path=engine_path, environment=environment))
    )
    assert finding.level == level and text in finding.found


def test_an_integrated_gpu_wants_a_cache_that_stays(computer, cuda, engine_path) -> None:
    cuda.properties.integrated = 1
    finding = only(check_cuda_environment(computer(model_path=engine_path)))
    assert finding.level == 'warning' and 'CUDA_CACHE_PATH' in finding.remedy
    environment = {'CUDA_CACHE_PATH': '/data/cache'}
    subject = computer(model_path=engine_path, environment=environment)
    assert only(check_cuda_environment(subject)).level == 'ok'


def test_without_a_gpu_the_traps_are_still_looked_for(computer, no_cuda, engine_path) -> None:
    environment = {'CUDA_DISABLE_PTX_JIT': '1'}
    subject = computer(model_path=engine_path, environment=environment)
    assert only(check_cuda_environment(subject)).level == 'error'
