# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the GPU benchmark records as a CUDA graph can be recorded: it never meets the processor.

PyTorch's fake tensors stand for a GPU's: they know devices, types and shapes, and refuse to give a
value, as a recording does.
"""

import copy
import warnings
from collections.abc import Iterator

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.gpu_parts.operators import RECIPE
from benchmarks.gpu_parts.whole_network import MODES, Mode, anchors_on, prepare
from training.build import build_model
from training.models import deform_conv
from training.models.deform_conv import our_operator
from training.recipe.reading import load_recipe

CAPTURED = [mode for mode in MODES if mode.is_captured]


class DeviceWatch(TorchDispatchMode):
    """Notes the operators called, and those that take or give a tensor of the processor."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.on_processor: list[str] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        output = operator(*args, **(kwargs or {}))
        tensors = [t for t in tree_leaves((args, kwargs, output)) if isinstance(t, torch.Tensor)]
        self.names.add(str(operator))
        if any(tensor.device.type == 'cpu' for tensor in tensors):
            self.on_processor.append(str(operator))
        return output


@pytest.fixture(autouse=True)
def imagined_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets PyTorch and our dispatch believe in a GPU; fake tensors cannot be copied or moved."""
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: (9, 0))
    monkeypatch.setattr(torch.cuda.amp.common, 'amp_definitely_not_available', lambda: False)
    monkeypatch.setattr(deform_conv, '_start_triton', lambda: None)
    monkeypatch.setattr(copy, 'deepcopy', lambda value, *_: value)
    monkeypatch.setattr(torch.nn.Module, 'to', lambda module, *_, **__: module)
    our_operator.cache_clear()
    yield
    our_operator.cache_clear()


def second_run(mode: Mode) -> tuple[torch.Tensor, DeviceWatch]:
    """The result of a mode on a fake GPU, and what its second run called; the first warms up."""
    with FakeTensorMode(), anchors_on('cuda'):
        with torch.device('cuda'):
            picture = torch.empty(1, 96, 160, 3, dtype=torch.uint8)
            run = prepare(mode, build_model(load_recipe(RECIPE)).eval(), picture)
        run()
        with DeviceWatch() as watch:
            return run(), watch


@pytest.mark.parametrize('mode', CAPTURED, ids=lambda mode: mode.name)
def test_recorded_modes_stay_on_the_gpu(mode: Mode) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter('error', UserWarning)  # that autocast is off
        logits, watch = second_run(mode)
    assert watch.on_processor == []
    assert (logits.device.type, tuple(logits.shape)) == ('cuda', (1, 19, 24, 40))
    assert logits.dtype == (torch.float16 if mode.precision == 'float16' else torch.float32)
    deformable = {name for name in watch.names if 'deform_conv2d' in name}
    library = 'upsnet' if mode.is_ours else 'torchvision'
    assert deformable == {f'{library}.deform_conv2d.default'}


def test_anchors_from_the_processor_would_be_noticed() -> None:
    with FakeTensorMode():
        with torch.device('cuda'):
            picture = torch.empty(1, 96, 160, 3, dtype=torch.uint8)
            run = prepare(CAPTURED[-1], build_model(load_recipe(RECIPE)).eval(), picture)
        with DeviceWatch() as watch:
            run()
    assert watch.on_processor
