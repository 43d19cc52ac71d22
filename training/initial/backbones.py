# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""ImageNet weights of a backbone: MSRA/Caffe files, and torchvision's.

Both have torchvision's names (``conv1``, ``bn1``, ``layer1..4``, ``downsample``). They differ in
what they expect: Caffe's weights the stride in the first 1x1 convolution and BGR pixels minus
means, torchvision's the stride in the 3x3 and normalised RGB pixels.

Source: facts of the published models, section 3.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torchvision.models import get_model_weights

from training.initial.weight_file import (
    InitialWeightsError,
    named_tensors,
    problem_of,
    read_weight_file,
    refuse_problems,
)
from training.models.resnet import ResNet
from training.official_names import COUNTER

CLASSIFIER = 'fc.'  # of ImageNet's classes
OFFSET = '.conv2.offset.'  # starts at zero
# The weights that torchvision's own detection models start from: the newer ones classify better,
# but no detection model there is trained from them.
TORCHVISION_WEIGHTS = 'IMAGENET1K_V1'
TORCHVISION_NETWORKS = {
    (3, 4, 6, 3): 'resnet50',
    (3, 4, 23, 3): 'resnet101',
    (3, 8, 36, 3): 'resnet152',
}
_RULES = (
    (r'stem\.0\.', 'conv1.'),
    (r'stem\.1\.', 'bn1.'),
    (r'stages\.(\d+)\.(\d+)\.shortcut\.', r'layer{stage}.\2.downsample.'),
    (r'stages\.(\d+)\.(\d+)\.', r'layer{stage}.\2.'),
)


def load_caffe_backbone(backbone: ResNet, path: Path) -> None:
    """Load a MSRA/Caffe ResNet, converted to PyTorch with torchvision's names.

    A deformable convolution takes the weight of the 3x3 convolution it replaces; its offsets stay
    zero, so that it starts as that convolution.

    Args:
        backbone: Network with ``stride_in='1x1'``, for Caffe pixels; changed in place.
        path: The file.

    Raises:
        InitialWeightsError: If the file cannot be read or a tensor does not fit; names each.
    """
    _load(backbone, read_weight_file(path), source=str(path))


def load_torchvision_backbone(backbone: ResNet, path: Path | None) -> None:
    """Load torchvision's ImageNet weights.

    Args:
        backbone: Network with ``stride_in='3x3'``, for torchvision pixels; changed in place.
        path: A file of torchvision's; None: torchvision downloads it, once, with a progress bar.

    Raises:
        InitialWeightsError: If there is no such network, the file cannot be downloaded or read,
            or a tensor does not fit; names each.
    """
    if path is not None:
        _load(backbone, read_weight_file(path), source=str(path))
        return
    name = _torchvision_network(backbone)
    _load(backbone, _download(name), source=f"torchvision's {name}")


def _torchvision_network(backbone: ResNet) -> str:
    blocks = tuple(len(stage) for stage in backbone.stages)
    if blocks not in TORCHVISION_NETWORKS:
        known = ', '.join(f'{name} {key}' for key, name in TORCHVISION_NETWORKS.items())
        raise InitialWeightsError(
            f'torchvision has no ImageNet weights of a ResNet with {blocks} blocks, only of '
            f'{known}; change model.blocks, or give a file with --initial'
        )
    return TORCHVISION_NETWORKS[blocks]


def _download(name: str) -> dict[str, Tensor]:
    weights = get_model_weights(name)[TORCHVISION_WEIGHTS]
    try:
        values = weights.get_state_dict(
            progress=True, check_hash=True, map_location='cpu', weights_only=True
        )
    except Exception as error:  # of the network, the disk, or a file that is damaged
        raise InitialWeightsError(
            f"cannot download torchvision's {name}: {error}; download {weights.url} on a machine "
            'that can and give the file with --initial'
        ) from error
    return named_tensors(values, source=weights.url)


def _load(backbone: ResNet, weights: Mapping[str, Tensor], *, source: str) -> None:
    ours = {
        _torchvision_name(name): (name, tensor)
        for name, tensor in backbone.state_dict().items()
        if OFFSET not in name and not name.endswith(COUNTER)
    }
    given = {
        name: tensor
        for name, tensor in weights.items()
        if not name.startswith(CLASSIFIER) and not name.endswith(COUNTER)
    }
    found = ((name, problem_of(given.get(name), tensor)) for name, (_, tensor) in ours.items())
    problems = [f'{name}: {problem}' for name, problem in found if problem]
    problems += [f'{name}: unexpected' for name in given if name not in ours]
    refuse_problems(problems, f'{source} does not fit the backbone (model.blocks, model.width)')
    with torch.no_grad():
        for name, (_, tensor) in ours.items():
            tensor.copy_(given[name])


def _torchvision_name(name: str) -> str:
    """The name that torchvision gives to one of a backbone's tensors."""
    for pattern, replacement in _RULES:
        match = re.match(pattern, name)
        if match:
            stage = int(match[1]) + 1 if match.re.groups else 0
            return match.expand(replacement).format(stage=stage) + name[match.end() :]
    raise ValueError(f'{name!r} is no tensor of a backbone')
