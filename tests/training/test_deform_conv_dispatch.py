# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Which operator a deformable layer computes with: PyTorch's fake tensors stand for a GPU's."""

import sys
from collections.abc import Callable, Iterator

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from tests.python_process import run_python
from training.models import deform_conv
from training.models.deform_conv import OffsetDeformConv2d, our_operator, use_torchvision

OURS, TORCHVISIONS = 'upsnet.deform_conv2d.default', 'torchvision.deform_conv2d.default'


class CalledOperators(TorchDispatchMode):
    """Names of the operators that are called."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        self.names.append(str(operator))
        return operator(*args, **(kwargs or {}))


@pytest.fixture(autouse=True)
def fresh_import() -> Iterator[None]:
    """Whether our operator can be imported is asked once for each process, and here each test."""
    our_operator.cache_clear()
    yield
    our_operator.cache_clear()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[int, int]], None]:
    """Sets the compute capability that PyTorch reports."""

    def set_capability(capability: tuple[int, int]) -> None:
        monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: capability)

    set_capability((9, 0))
    monkeypatch.setattr(deform_conv, '_start_triton', lambda: None)
    return set_capability


def operator_on(
    device: str, *, always_torchvision: bool = False, kind: torch.dtype = torch.float32
) -> tuple[str, torch.Tensor]:
    """The deformable operator that a layer calls on a device, or '', and its output."""
    with FakeTensorMode(), torch.device(device):
        layer = OffsetDeformConv2d(32, 8)
        for parameter in layer.parameters():
            parameter.data = parameter.data.to(kind)
        use_torchvision(torch.nn.Sequential(layer), always=always_torchvision)
        with CalledOperators() as called:
            y = layer(torch.empty(2, 32, 6, 7, dtype=kind))
    found = [name for name in called.names if name in (OURS, TORCHVISIONS)]
    assert len(found) <= 1
    return ''.join(found), y


@pytest.mark.parametrize('kind', [torch.float32, torch.float16, torch.bfloat16])
def test_gpu_computes_with_our_kernel(gpu, kind: torch.dtype) -> None:
    name, y = operator_on('cuda', kind=kind)
    assert name == OURS
    assert (y.shape, y.dtype, y.device.type) == ((2, 8, 6, 7), kind, 'cuda')


def test_torchvisions_can_be_asked_for_and_ours_again(gpu) -> None:
    assert operator_on('cuda', always_torchvision=True)[0] == TORCHVISIONS
    assert operator_on('cuda', always_torchvision=False)[0] == OURS
    assert operator_on('cpu', always_torchvision=True)[0] == TORCHVISIONS


def test_older_gpu_and_double_precision_take_torchvisions(gpu) -> None:
    assert operator_on('cuda', kind=torch.float64)[0] == TORCHVISIONS
    gpu((7, 5))
    assert operator_on('cuda')[0] == TORCHVISIONS


def test_without_triton_torchvisions_computes_and_a_warning_says_so(gpu, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, 'training.deform_conv_kernels.torch_operator', None)
    assert operator_on('cuda')[0] == TORCHVISIONS
    assert operator_on('cuda')[0] == TORCHVISIONS
    assert [record.levelname for record in caplog.records] == ['WARNING']
    assert 'install Triton' in caplog.text


def test_without_a_c_compiler_torchvisions_computes(gpu, monkeypatch, caplog) -> None:
    def fail() -> None:
        raise RuntimeError('Failed to find C compiler')

    monkeypatch.setattr(deform_conv, '_start_triton', fail)
    assert operator_on('cuda')[0] == TORCHVISIONS
    assert 'Failed to find C compiler' in caplog.text and 'header files' in caplog.text


def test_cpu_computes_with_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deform_conv, 'our_operator', lambda: pytest.fail('asked for on a CPU'))
    assert operator_on('cpu')[0] == ''


@pytest.mark.parametrize('always', [True, False])
def test_export_holds_torchvisions_operator(always: bool) -> None:
    layer = OffsetDeformConv2d(4, 3).eval()
    use_torchvision(layer, always=always)
    program = torch.export.export(layer, (torch.randn(1, 4, 6, 7),))
    called = [str(node.target) for node in program.graph.nodes if node.op == 'call_function']
    assert TORCHVISIONS in called and OURS not in called


def test_networks_are_imported_without_triton() -> None:
    program = (
        "import sys; sys.modules['triton'] = None; import training.build, training.export_wrapper"
    )
    run_python(program)
