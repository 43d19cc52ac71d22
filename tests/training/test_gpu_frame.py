# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels of a frame over PyTorch's memory, with a driver that runs their source."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable
from dataclasses import asdict

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.gpu_parts import frame as part
from benchmarks.gpu_parts.frame import Device, complaints, measure_on
from tests.fakes.fake_cuda import FakeCuda
from tests.fakes.network_output import make_label_set, random_output
from training.panoptic_kernels.torch_frame import TorchFrame
from upsnet_ros.backends import cuda_runtime
from upsnet_ros.backends.cuda_runtime import CudaRuntime
from upsnet_ros.backends.frame_launches import (
    ANSWER,
    head_settings,
    plan_frame,
    read_result,
)
from upsnet_ros.backends.loaded_kernels import LoadedKernels
from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.panoptic_head import PanopticHead


class WaitedFor(TorchFrame):
    """Whose results wait for launches, as copies on a GPU do."""

    def __init__(self, *arguments: object, wait: Callable[[], None], **options: object) -> None:
        super().__init__(*arguments, **options)
        self._wait = wait

    def results(self) -> dict[str, np.ndarray]:
        self._wait()
        return super().results()


class Rig:
    """A fake device whose memory is that of PyTorch's tensors."""

    def __init__(self, cuda: FakeCuda) -> None:
        self.cuda = cuda
        self.runtime = CudaRuntime(cuda)
        self.stream = self.runtime.create_stream()
        self.kernels = LoadedKernels(self.runtime)
        self.frame = functools.partial(
            WaitedFor, wait=self.wait, stream=self.launching, made=self.add
        )

    def wait(self) -> None:
        self.runtime.synchronise(self.stream)

    def launching(self) -> int:
        self.cuda._do_waiting()  # what PyTorch does here it does at once, so launches do too
        return int(self.stream)

    def add(self, tensor: Tensor) -> None:
        size = max(tensor.numel() * tensor.element_size(), 1)
        self.cuda.device[tensor.data_ptr()] = (ctypes.c_ubyte * size).from_address(
            tensor.data_ptr()
        )

    def times(self, call, *, repeat: int) -> dict[str, float]:
        call()
        self.wait()
        return {'cold_ms': 2.0, 'warm_ms': 1.0}


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Rig:
    cuda = FakeCuda()
    monkeypatch.setattr(cuda_runtime, 'load_driver_library', lambda: cuda)
    return Rig(cuda)


def make_device(rig: Rig, **changes: object) -> Device:
    values = {
        'name': 'cpu',
        'kernels': rig.kernels,
        'times': rig.times,
        'waits': lambda call, *, repeat: call() and 3.0,
        'frame': rig.frame,
        'sizes': ((64, 96),),
        'counts': (0, 3),
        'label_set': make_label_set(3, 2),
    }
    return Device(**values | changes)


def test_labels_in_pytorchs_memory_are_the_heads(rig: Rig) -> None:
    label_set = make_label_set(3, 2)
    geometry = InputGeometry.fit(image_size=(50, 70), input_size=(64, 96))
    output = random_output(np.random.default_rng(1), label_set, geometry, count=6)
    head = PanopticHead(label_set, score_threshold=0.0, stuff_area_limit=20)
    plan = plan_frame(
        geometry,
        label_resolution='input_frame',
        num_stuff=3,
        num_classes=5,
        slots=100,
        pad_value=(1, 2, 3),
        raw_shape=(50, 210),
    )
    frame = rig.frame(rig.kernels, plan, 'cpu')
    # With the axis of images that a network has.
    frame.put_answer({name: torch.as_tensor(getattr(output, name))[None] for name in ANSWER})
    frame.put_settings(head_settings(head))
    for _ in range(2):
        frame.label()
        found, want = read_result(frame.results(), geometry, label_set), head(output, geometry)
        np.testing.assert_array_equal(found.label_image, want.label_image)
        assert [asdict(i) for i in found.instances] == [asdict(i) for i in want.instances]


def test_every_case_is_compared_and_timed(rig: Rig) -> None:
    result = measure_on(make_device(rig), repeat=1)
    assert result['failures'] == []
    assert list(result['frames']) == ['96x64 0', '96x64 3']
    for figures in result['frames'].values():
        assert figures['labels_equal'] == 1 and figures['instances_equal']
        assert figures['placed_differ_by'] == 0
        assert figures['total_ms'] == figures['host_ms'] == figures['plain_head_ms'] == 1.0
        assert figures['cpu_head_ms'] == 3.0 and 0 < figures['floor_share'] < 1
    launched = {name for name, _, _ in rig.cuda.launches}
    assert len(launched) == 13
    text = part.lines(result)
    assert len(text) == 2 and text[0].startswith('96x64 0') and '100.0000% equal' in text[0]


def test_a_case_that_fails_stops_no_other(rig: Rig) -> None:
    def frame(kernels: LoadedKernels, plan, name: str) -> TorchFrame:
        if plan.arrays['image'].shape == (32, 32):
            raise RuntimeError('out of memory')
        return rig.frame(kernels, plan, name)

    device = make_device(rig, frame=frame, sizes=((32, 32), (64, 96)), counts=(3,))
    result = measure_on(device, repeat=1)
    assert result['failures'] == ['32x32 3: RuntimeError: out of memory']
    assert list(result['frames']) == ['96x64 3']


def test_wrong_labels_and_pixels_are_complained_of() -> None:
    sound = {
        'faults': 0,
        'labels_equal': 1.0,
        'instances_equal': True,
        'placed_differ_by': 1,
    }
    assert complaints(sound) == []
    assert complaints(sound | {'labels_equal': 0.99995, 'instances_equal': False}) == []
    assert 'expected 99.99 %' in complaints(sound | {'labels_equal': 0.9998})[0]
    assert 'expected 99.99 %' in complaints(sound | {'labels_equal': float('nan')})[0]
    assert 'other instances' in complaints(sound | {'instances_equal': False})[0]
    assert 'differ by 2' in complaints(sound | {'placed_differ_by': 2})[0]
    assert '5 faults' in complaints(sound | {'faults': 5})[0]
