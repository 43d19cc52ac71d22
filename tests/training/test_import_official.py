# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0

import io
import logging
import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.fakes.official_checkpoint import official_list, random_checkpoint
from training.build import load_trained_model
from training.checkpoint import load_checkpoint
from training.import_official import (
    VARIANTS,
    OfficialWeightsError,
    convert_weights,
    expected_tensors,
    import_official,
    main,
    variant_recipe,
)
from training.initial.weight_file import InitialWeightsError, read_weight_file
from training.official_names import official_name

LAYER = 'fpn.fpn_p5.weight'


def blank_weights(variant: str = 'r50_cityscapes') -> dict[str, Tensor]:
    """Zeros of the right shapes that take no memory and next to no room in a file."""
    weights = {}
    for name, (shape, dtype) in official_list(variant).items():
        weights[name] = torch.zeros((), dtype=getattr(torch, dtype)).expand(shape)
    return weights


def write(path: Path, values: object, **options) -> Path:
    torch.save(values, path, **options)
    return path


@pytest.mark.parametrize('variant', VARIANTS)
def test_our_names_and_the_published_ones_are_in_bijection(variant: str) -> None:
    ours = expected_tensors(variant_recipe(variant))
    renamed = {official_name(name): tensor for name, tensor in ours.items()}
    assert len(renamed) == len(ours)
    shapes = {
        name: (tuple(tensor.shape), str(tensor.dtype).removeprefix('torch.'))
        for name, tensor in renamed.items()
    }
    assert shapes == official_list(variant)


def test_every_value_arrives_at_its_place() -> None:
    weights = random_checkpoint('r101_dcn_coco')
    converted = convert_weights(weights, 'r101_dcn_coco').model
    arrived = {official_name(name): tensor for name, tensor in converted.items()}
    for name, tensor in weights.items():
        if not name.endswith('num_batches_tracked'):
            assert torch.equal(arrived[name], tensor), name


@pytest.fixture
def round_trip(tmp_path: Path):
    """Run the command, and remove its large file afterwards."""
    output = tmp_path / 'folder' / 'model.pt'

    def run(weights: Path, variant: str = 'r50_cityscapes') -> tuple[int, Path]:
        options = ['--weights', weights, '--variant', variant, '--output', output]
        return main([str(option) for option in options]), output

    yield run
    output.unlink(missing_ok=True)


def test_the_command_writes_a_checkpoint_and_warns_of_the_licence(
    tmp_path: Path, round_trip, caplog
) -> None:
    caplog.set_level(logging.INFO)
    weights = blank_weights() | {LAYER: torch.arange(256 * 256 * 9.0).view(256, 256, 3, 3)}
    status, output = round_trip(write(tmp_path / 'published.pth', weights))
    assert status == 0
    assert '44,527,804 parameters' in caplog.text
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and 'non-commercial use only' in warnings[0].getMessage()
    checkpoint = load_checkpoint(output)
    assert checkpoint.recipe == variant_recipe('r50_cityscapes')
    model = load_trained_model(checkpoint)
    assert torch.equal(model.pyramid.output[3].weight, weights[LAYER])
    assert [path.name for path in output.parent.iterdir()] == ['model.pt']


def old_format(path: Path, weights: dict) -> Path:
    return write(path, weights, _use_new_zipfile_serialization=False)


def wrapped(path: Path, weights: dict) -> Path:
    return write(path, {'state_dict': weights, 'epoch': 3})


def several_devices(path: Path, weights: dict) -> Path:
    return write(path, {f'module.{name}': tensor for name, tensor in weights.items()})


def without_counters(path: Path, weights: dict) -> Path:
    return write(path, {n: t for n, t in weights.items() if not n.endswith('batches_tracked')})


@pytest.mark.parametrize('save', [old_format, wrapped, several_devices, without_counters])
def test_other_forms_of_the_same_file(tmp_path: Path, save) -> None:
    weights = blank_weights() | {LAYER: torch.arange(256 * 256 * 9.0).view(256, 256, 3, 3)}
    path = save(tmp_path / 'published.pth', weights)
    converted = convert_weights(read_weight_file(path), 'r50_cityscapes').model
    assert torch.equal(converted['pyramid.output.3.weight'], weights[LAYER])


def spoiled(name: str, value: float) -> dict[str, Tensor]:
    weights = blank_weights()
    weights[name] = weights[name].clone()
    weights[name].view(-1)[-1] = value
    return weights


@pytest.mark.parametrize(
    ('weights', 'lines'),
    [
        ({n: t for n, t in blank_weights().items() if n != LAYER}, [f'{LAYER}: missing']),
        (
            blank_weights() | {'extra.weight': torch.zeros(3, 2)},
            ['extra.weight: unexpected, 3x2 float32'],
        ),
        (
            blank_weights() | {LAYER: torch.zeros(256, 256, 1, 1), 'rpn.cls_score.bias': None},
            ['rpn.cls_score.bias: NoneType'],
        ),
        (
            blank_weights()
            | {LAYER: torch.zeros(256, 256, 1, 1), 'rcnn.cls_score.bias': torch.zeros(())},
            [
                f'{LAYER}: 256x256x1x1 float32, expected 256x256x3x3 float32',
                'rcnn.cls_score.bias: scalar float32, expected 9 float32',
            ],
        ),
        (
            blank_weights() | {LAYER: torch.zeros(256, 256, 3, 3, dtype=torch.float64)},
            [f'{LAYER}: 256x256x3x3 float64, expected 256x256x3x3 float32'],
        ),
        (spoiled(LAYER, float('nan')), [f'{LAYER}: 1 of 589824 values are NaN or infinite']),
        (spoiled('rpn.cls_score.bias', float('-inf')), ['rpn.cls_score.bias: 1 of 3 values']),
        (
            blank_weights() | {f'module.{LAYER}': torch.zeros(1)},
            [f"module.{LAYER}: is there with and without 'module.'"],
        ),
    ],
    ids=['missing', 'unexpected', 'no tensor', 'shape', 'type', 'nan', 'inf', 'twice'],
)  # fmt: skip
def test_what_does_not_fit_is_named(
    tmp_path: Path, round_trip, caplog, weights: dict, lines: list[str]
) -> None:
    status, output = round_trip(write(tmp_path / 'published.pth', weights))
    assert status == 1 and not output.exists()
    reported = caplog.text.split('\n  ')[1:]
    assert len(reported) == len(lines)
    for line, expected in zip(reported, lines, strict=True):
        assert line.startswith(expected)


def test_sparse_tensors_are_named() -> None:
    weights = blank_weights() | {LAYER: torch.zeros(256, 256, 3, 3).to_sparse()}
    with pytest.raises(OfficialWeightsError, match=f'{LAYER}: .* sparse_coo, expected 256x256x3'):
        convert_weights(weights, 'r50_cityscapes')


@pytest.mark.parametrize('variant', VARIANTS)
def test_the_variant_of_a_file_is_suggested(variant: str) -> None:
    wrong = VARIANTS[VARIANTS.index(variant) - 1]
    with pytest.raises(
        OfficialWeightsError, match=f'not {wrong}: .*; they fit --variant {variant}'
    ):
        convert_weights(blank_weights(variant), wrong)


def test_another_network_gets_no_suggestion() -> None:
    with pytest.raises(OfficialWeightsError, match='tensors do not fit\n') as caught:
        convert_weights({'layer1.0.conv1.weight': torch.zeros(1)}, 'r50_coco')
    assert len(caught.value.problems) == 323 + 1


class Intruder:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize('new_format', [True, False])
def test_nothing_in_a_file_is_executed(tmp_path: Path, new_format: bool) -> None:
    trace = tmp_path / 'executed'
    values = blank_weights() | {'hook': Intruder(trace)}
    path = write(tmp_path / 'f.pth', values, _use_new_zipfile_serialization=new_format)
    with pytest.raises(InitialWeightsError, match='cannot be read as plain tensors'):
        read_weight_file(path)
    assert not trace.exists()
    pickle.loads(pickle.dumps(Intruder(trace)))
    assert trace.exists()  # the intruder would have worked


def content(values: object) -> bytes:
    stream = io.BytesIO()
    torch.save(values, stream)
    return stream.getvalue()


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (None, 'no file of weights at'),
        (b'', 'cannot be read'),
        (b'<html>not found</html>', 'cannot be read'),
        (content(blank_weights())[:-3000], 'cannot be read'),
        (content([torch.zeros(1)]), 'holds list'),
        (content({}), 'holds nothing'),
        (content({'state_dict': {}}), 'holds nothing'),
        (content({'epoch': 3, 'net': {'a': torch.zeros(1)}}), 'net: dict'),
    ],
    ids=['missing', 'empty', 'page', 'cut', 'list', 'no names', 'no state', 'nested'],
)
def test_files_that_hold_something_else(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / 'published.pth'
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InitialWeightsError, match=message):
        read_weight_file(path)


def test_an_older_output_and_the_input_stay_when_it_is_refused(tmp_path: Path) -> None:
    older, weights = tmp_path / 'older.pt', tmp_path / 'published.pth'
    older.write_bytes(b'older')
    write(weights, {LAYER: torch.zeros(1)})
    before = weights.read_bytes()
    with pytest.raises(OfficialWeightsError, match='missing'):
        import_official(weights, 'r50_coco', older)
    (tmp_path / 'link.pt').symlink_to(weights)
    with pytest.raises(OfficialWeightsError, match='is the file to read'):
        import_official(weights, 'r50_coco', tmp_path / 'link.pt')
    assert older.read_bytes() == b'older' and weights.read_bytes() == before
