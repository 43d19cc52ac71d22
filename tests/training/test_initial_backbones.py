# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ImageNet backbones: every tensor where it belongs, and every file that does not fit refused."""

import urllib.error
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.fakes.torchvision_resnet import make_torchvision_resnet
from training.initial.backbones import load_caffe_backbone, load_torchvision_backbone
from training.initial.weight_file import InitialWeightsError
from training.models.resnet import ResNet

BLOCKS = (1, 1, 2, 1)


def make_backbone(**values: Any) -> ResNet:
    torch.manual_seed(5)
    return ResNet(**({'blocks': BLOCKS} | values))


@pytest.fixture(scope='module')
def weights() -> OrderedDict[str, Tensor]:
    """Weights of a small ResNet by torchvision's names."""
    return make_torchvision_resnet(BLOCKS).state_dict()


def write(folder: Path, values: object) -> Path:
    path = folder / 'resnet.pth'
    torch.save(values, path)
    return path


@pytest.mark.parametrize('load', [load_caffe_backbone, load_torchvision_backbone])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_every_tensor_is_loaded_once(
    load: Any, prefix: str, weights: OrderedDict[str, Tensor], tmp_path: Path
) -> None:
    """Each to its place: test_resnet compares the outputs with torchvision's."""
    backbone = make_backbone()
    load(backbone, write(tmp_path, {prefix + name: value for name, value in weights.items()}))
    state = {n: v for n, v in backbone.state_dict().items() if 'num_batches' not in n}
    wanted = {
        n: v for n, v in weights.items() if not n.startswith('fc.') and 'num_batches' not in n
    }
    assert len(state) == len(wanted)
    found = {value.flatten().numpy().tobytes() for value in state.values()}
    assert found == {value.flatten().numpy().tobytes() for value in wanted.values()}
    assert torch.equal(state['stages.2.1.bn3.bias'], weights['layer3.1.bn3.bias'])


def test_files_without_classifier_and_counters_fit_too(
    weights: OrderedDict[str, Tensor], tmp_path: Path
) -> None:
    kept = {
        name: value.half()
        for name, value in weights.items()
        if not name.startswith('fc.') and not name.endswith('num_batches_tracked')
    }
    backbone = make_backbone()
    load_caffe_backbone(backbone, write(tmp_path, {'state_dict': kept, 'epoch': 90}))
    loaded = backbone.state_dict()['stages.3.0.conv3.weight']
    assert torch.equal(loaded, weights['layer4.0.conv3.weight'].half().float())


def test_a_deformable_convolution_starts_as_the_convolution_it_replaces(
    weights: OrderedDict[str, Tensor], tmp_path: Path
) -> None:
    path = write(tmp_path, weights)
    plain, deformable = make_backbone(), make_backbone(deformable_stages=(3, 4, 5))
    for backbone in (plain, deformable):
        load_caffe_backbone(backbone.eval(), path)
    state = deformable.state_dict()
    assert torch.equal(state['stages.2.1.conv2.weight'], weights['layer3.1.conv2.weight'])
    assert not any(value.any() for name, value in state.items() if '.offset.' in name)
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        for mine, other in zip(deformable(images), plain(images), strict=True):
            torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-4)


def without(weights: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if key != name}


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda w: without(w, 'bn1.running_var'), r'bn1\.running_var: missing'),
        (lambda w: without(w, 'layer3.1.conv2.weight'), r'layer3\.1\.conv2\.weight: missing'),
        (
            lambda w: w | {'layer2.0.downsample.0.weight': torch.zeros(512, 256, 3, 3)},
            r'layer2\.0\.downsample\.0\.weight: 512x256x3x3, expected 512x256x1x1',
        ),
        (lambda w: w | {'conv1.bias': torch.zeros(64)}, r'conv1\.bias: unexpected'),
        (
            lambda w: w | {'layer4.1.conv1.weight': torch.zeros(512, 2048, 1, 1)},
            r'layer4\.1\.conv1\.weight: unexpected',
        ),
        (
            lambda w: w | {'bn1.bias': torch.full((64,), torch.nan)},
            r'bn1\.bias: 64 of 64 values are not finite',
        ),
        (
            lambda w: w | {'conv1.weight': torch.zeros(64, 3, 7, 7, dtype=torch.int8)},
            r'conv1\.weight: torch\.int8, expected torch\.float32',
        ),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_is_changed(
    change: Any, message: str, weights: OrderedDict[str, Tensor], tmp_path: Path
) -> None:
    backbone = make_backbone()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    with pytest.raises(InitialWeightsError, match=message):
        load_caffe_backbone(backbone, write(tmp_path, change(dict(weights))))
    assert all(torch.equal(value, before[name]) for name, value in backbone.state_dict().items())


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of torchvision's downloads, empty, on a machine without network."""

    def fail(*_: object, **__: object) -> None:
        raise urllib.error.URLError('no network')

    monkeypatch.setattr('torch.hub.urlopen', fail)
    monkeypatch.setenv('TORCH_HOME', str(tmp_path))
    folder = tmp_path / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    return folder


def test_torchvision_weights_come_from_its_own_cache(offline: Path) -> None:
    theirs = make_torchvision_resnet((3, 4, 6, 3)).state_dict()
    torch.save(theirs, offline / 'resnet50-0676ba61.pth')  # the first version, IMAGENET1K_V1
    backbone = make_backbone(blocks=(3, 4, 6, 3), stride_in='3x3')
    load_torchvision_backbone(backbone, None)
    loaded = backbone.state_dict()['stages.2.5.conv2.weight']
    assert torch.equal(loaded, theirs['layer3.5.conv2.weight'])


def test_without_network_the_address_to_download_is_named(offline: Path) -> None:
    backbone = make_backbone(blocks=(3, 4, 23, 3), stride_in='3x3')
    with pytest.raises(InitialWeightsError, match=r'no network.*resnet101-.*\.pth.*--initial'):
        load_torchvision_backbone(backbone, None)


def test_networks_that_torchvision_has_not_are_refused(offline: Path) -> None:
    with pytest.raises(InitialWeightsError, match=r'with \(1, 1, 2, 1\) blocks'):
        load_torchvision_backbone(make_backbone(), None)
