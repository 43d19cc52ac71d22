# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The record of an engine: what it accepts, and what it says of another computer."""

from __future__ import annotations

import json
import pickle
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.changed_fields import with_field
from tests.fakes.fake_backend import make_manifest
from tests.fakes.tiny_engine import record_values, write_tiny_engine
from training.build_engine import parse_arguments
from upsnet_ros.backends.cuda_runtime import Gpu
from upsnet_ros.backends.engine_record import (
    EngineRecord,
    EngineRecordError,
    Surroundings,
    current_platform,
    read_fitting_engine,
)
from upsnet_ros.core.errors import ModelError, StaleEngineError

VALUES = record_values(make_manifest())
HOME = Surroundings(
    tensorrt='10.16.1',
    cuda_driver='13.0',
    gpu=Gpu('Fake GPU', '8.7', integrated=False),
    platform=current_platform(),
    model_sha256='0' * 64,
)


def problems(**changes: object) -> tuple[str, ...]:
    return EngineRecord.from_dict(VALUES).problems(replace(HOME, **changes))


def test_to_dict_and_from_dict_are_inverse() -> None:
    assert EngineRecord.from_dict(VALUES).to_dict() == VALUES
    assert json.loads(json.dumps(VALUES)) == VALUES


def test_a_written_record_is_read_back(tmp_path: Path) -> None:
    record = EngineRecord.from_dict(VALUES)
    record.write(tmp_path / 'model.engine')
    assert [path.name for path in tmp_path.iterdir()] == ['model.engine.json']
    assert EngineRecord.load(str(tmp_path / 'model.engine')) == record


@pytest.mark.parametrize('field', [*VALUES, 'gpu.name', 'input.shape', 'outputs.boxes.dtype'])
def test_missing_fields_are_named(field: str) -> None:
    with pytest.raises(EngineRecordError) as caught:
        EngineRecord.from_dict(with_field(VALUES, field, ...))
    assert caught.value.field == field


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('format_version', 2),
        ('format_version', True),
        ('engine_sha256', 'A' * 64),
        ('onnx_sha256', ''),
        ('model_sha256', None),
        ('model_name', ''),
        ('precision', 'int8'),
        ('precision', ['fp16']),
        ('deform_conv', 'other'),
        ('plugin_ptx_sha256', 'none'),
        ('cameras', 0),
        ('cameras', True),
        ('tensorrt', 'ten'),
        ('tensorrt', 10.16),
        ('cuda_driver', '13'),
        ('gpu', []),
        ('gpu.compute_capability', 87),
        ('gpu.integrated', 1),
        ('gpu.speed', 1),
        ('input.shape', []),
        ('input.shape', [1, -1, 96, 3]),
        ('input.dtype', 'float64'),
        ('outputs.boxes', None),
        ('outputs.boxes.shape', 4),
        ('verification', 'good'),
        ('built', 0),
        ('weather', 'fine'),
    ],
)
def test_wrong_fields_are_named_with_what_to_do(field: str, value: object) -> None:
    with pytest.raises(EngineRecordError, match='python -m training.build_engine') as caught:
        EngineRecord.from_dict(with_field(VALUES, field, value))
    assert caught.value.field == field
    assert caught.value.received == value


def test_errors_cross_process_borders() -> None:
    error = pickle.loads(pickle.dumps(EngineRecordError('gpu.name', 1, 'a text')))
    assert (error.field, error.received, error.expected) == ('gpu.name', 1, 'a text')


@pytest.mark.parametrize(
    ('content', 'message'), [(None, 'cannot be read'), ('{', 'is not JSON'), ('[]', 'JSON object')]
)
def test_unreadable_records_say_what_to_do(
    tmp_path: Path, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / 'model.engine.json').write_text(content)
    with pytest.raises(ModelError, match=message) as caught:
        EngineRecord.load(tmp_path / 'model.engine')
    assert 'training.build_engine' in str(caught.value)


def test_no_record_holds_numbers_that_json_has_not(tmp_path: Path) -> None:
    record = EngineRecord.from_dict(with_field(VALUES, 'verification.pq', float('nan')))
    with pytest.raises(ValueError):
        record.write(tmp_path / 'model.engine')
    assert not (tmp_path / 'model.engine.json').exists()


def test_at_home_there_is_no_problem() -> None:
    assert problems() == ()


@pytest.mark.parametrize(
    ('change', 'there', 'wanted'),
    [
        ({'tensorrt': '10.16.2'}, '10.16.2', '10.16.1'),
        ({'tensorrt': '11.16.1'}, '11.16.1', '10.16.1'),
        ({'tensorrt': '10.9.1.3'}, '10.9.1.3', '10.16.1'),
        ({'cuda_driver': '12.9'}, '12.9', '13.0'),
        ({'platform': 'linux-sparc'}, 'linux-sparc', current_platform()),
        ({'model_sha256': 'b' * 64}, 'b' * 64, '0' * 64),
        ({'gpu': Gpu('Other', '8.7', integrated=False)}, 'Other', 'Fake GPU'),
        ({'gpu': Gpu('Fake GPU', '8.9', integrated=False)}, '8.9', '8.7'),
    ],
)
def test_each_problem_says_what_is_there_and_what_is_wanted(
    change: dict, there: str, wanted: str
) -> None:
    (line,) = problems(**change)
    assert there in line and wanted in line
    assert '\n' not in line


@pytest.mark.parametrize(
    'change', [{'tensorrt': '10.16.1.11'}, {'cuda_driver': '13.1'}, {'cuda_driver': '14.0'}]
)
def test_the_build_number_and_newer_drivers_are_no_problem(change: dict) -> None:
    assert problems(**change) == ()


def test_numbers_of_versions_are_compared_as_numbers() -> None:
    record = EngineRecord.from_dict(with_field(VALUES, 'cuda_driver', '12.9'))
    assert record.problems(replace(HOME, cuda_driver='12.10')) == ()
    assert len(record.problems(replace(HOME, cuda_driver='12.8'))) == 1


def test_all_problems_are_told_at_once() -> None:
    other = Surroundings('11.4.0', '12.0', Gpu('X', '9.0', integrated=True), 'mars-z80', 'c' * 64)
    lines = EngineRecord.from_dict(VALUES).problems(other)
    assert len(lines) == 6 == len(set(lines))
    assert 'TensorRT' in lines[0]


def test_a_stale_engine_is_told_with_the_command_that_builds_it_as_it_was(tmp_path: Path) -> None:
    engine = write_tiny_engine(tmp_path, precision='fp32', deform_conv='native')
    with pytest.raises(StaleEngineError) as caught:
        read_fitting_engine(engine, replace(HOME, tensorrt='11.0', cuda_driver='12.0'))
    error = pickle.loads(pickle.dumps(caught.value))
    assert str(error) == str(caught.value) and error.command in str(error)
    assert all(problem in str(error) for problem in error.problems)
    program, *arguments = shlex.split(error.command)
    assert (program, arguments[:2]) == ('python', ['-m', 'training.build_engine'])
    options = parse_arguments(arguments[2:])
    assert (options.model, options.output) == (tmp_path / 'model.onnx', engine)
    assert (options.precision, options.deform_conv, options.cameras) == ('fp32', 'native', 1)
