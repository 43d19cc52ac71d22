# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The kernels around the network: labels beside the panoptic head's, times beside plain PyTorch.

The shipped PTX is launched through the driver as the backend does it. Times of kernels are of the
device; `host_ms` is one recording from the camera's bytes in page-locked memory to labels there,
without the network; `cpu_head_ms` is the panoptic head on the processor. `floor_ms` is the time
that the bytes which must be read and written take at the rate of a copy.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu_parts.part import Result, Settings
from benchmarks.gpu_parts.timing import kernel_times, median_ms
from tests.fakes.network_output import street_output
from training.panoptic_kernels.torch_frame import TorchFrame, current_stream
from upsnet_ros.backends.cuda_runtime import CudaRuntime, load_cuda_library
from upsnet_ros.backends.frame_launches import (
    ANSWER,
    FramePlan,
    head_settings,
    plan_frame,
    read_result,
)
from upsnet_ros.backends.loaded_kernels import LoadedKernels
from upsnet_ros.core.geometry import InputGeometry, place_image
from upsnet_ros.core.labels import LabelSet, cityscapes_label_set
from upsnet_ros.core.panoptic_head import PanopticHead
from upsnet_ros.core.structures import MASK_SIZE, SEMANTIC_STRIDE, NetworkOutput
from upsnet_ros.core.window import Window, mask_window

SIZES = ((1024, 2048), (512, 1024))
COUNTS = (0, 10, 50, 100)
LEAST_EQUAL = 0.9999
COPIED_BYTES = 512 * 2**20
# Where a group of launches behind the network begins.
GROUPS = {'check': 'check_output', 'prune': 'measure_rows', 'label': 'list_members'}
GROUPS |= {'assign': 'gather_counts'}


@dataclass(frozen=True, kw_only=True)
class Device:
    """What the kernels are run with; a test hands over other things than a GPU's.

    Attributes:
        name: PyTorch's name of the device.
        kernels: on the device.
        times: times of a call, as :func:`.timing.kernel_times`.
        waits: median milliseconds of a call with its end waited for.
        frame: makes memory for a plan.
        sizes: heights and widths of images.
        counts: instances in them.
    """

    name: str
    kernels: LoadedKernels
    times: Callable[..., dict[str, float]]
    waits: Callable[..., float]
    frame: Callable[..., TorchFrame] = TorchFrame
    sizes: tuple[tuple[int, int], ...] = SIZES
    counts: tuple[int, ...] = COUNTS
    label_set: LabelSet = field(default_factory=cityscapes_label_set)


def measure(settings: Settings) -> Result:
    """All sizes and numbers of instances on this GPU."""
    torch.cuda.synchronize()  # creates the context that the driver takes
    cuda = CudaRuntime(load_cuda_library())
    cuda.use_device()
    device = Device(
        name=settings.device,
        kernels=LoadedKernels(cuda),
        times=kernel_times,
        waits=functools.partial(median_ms, device=settings.device),
        frame=functools.partial(TorchFrame, stream=current_stream),
    )
    return measure_on(device, repeat=settings.repeat)


def measure_on(device: Device, *, repeat: int) -> Result:
    """Figures by size and number of instances, and ``failures``."""
    result: Result = {'frames': {}, 'failures': []}
    rate = copy_rate(device, repeat=repeat)
    result['copied_gb_per_s'] = rate / 1e9
    for size in device.sizes:
        for count in device.counts:
            name = f'{size[1]}x{size[0]} {count}'
            try:
                figures = _measure_case(device, size, count, rate, repeat)
            except Exception as error:  # the other cases must still be measured
                result['failures'].append(f'{name}: {type(error).__name__}: {error}'[:1000])
                continue
            result['frames'][name] = figures
            result['failures'] += [f'{name}: {text}' for text in complaints(figures)]
    return result


def copy_rate(device: Device, *, repeat: int) -> float:
    """Bytes read and written per second by a large copy."""
    source = torch.zeros(COPIED_BYTES // (1 if device.name == 'cuda' else 512), dtype=torch.uint8)
    source = source.to(device.name)
    target = torch.empty_like(source)
    taken = device.times(lambda: target.copy_(source), repeat=repeat)
    return 2 * source.numel() / (1e-3 * taken['warm_ms'])


def _measure_case(
    device: Device, size: tuple[int, int], count: int, rate: float, repeat: int
) -> dict[str, Any]:
    label_set = device.label_set
    geometry = InputGeometry.fit(image_size=size, input_size=size)
    rng = np.random.default_rng(count)
    output = street_output(rng, label_set, geometry, count=count)
    image = rng.integers(0, 256, (*size, 3), np.uint8)
    head = PanopticHead(label_set)
    plan = plan_frame(
        geometry,
        label_resolution='input_frame',
        num_stuff=label_set.num_stuff,
        num_classes=label_set.num_classes,
        slots=len(output.scores),
        pad_value=(103, 116, 123),
        raw_shape=(size[0], 3 * size[1]),
    )
    frame = device.frame(device.kernels, plan, device.name)
    raw = torch.from_numpy(image.reshape(size[0], -1))
    frame.tensors['raw'].copy_(raw)
    answer = {name: torch.as_tensor(getattr(output, name)) for name in ANSWER}
    frame.put_answer(answer)
    frame.put_settings(head_settings(head))
    frame.queue(frame.before)
    frame.label()
    figures = _compare(frame, head, output, geometry, image)
    figures |= _time(device, frame, plan, raw, repeat)
    figures['plain_head_ms'] = device.times(
        lambda: plain_head(frame.tensors, label_set.num_stuff, count, output), repeat=repeat
    )['warm_ms']
    figures['cpu_head_ms'] = device.waits(lambda: head(output, geometry), repeat=repeat)
    figures['floor_ms'] = 1e3 * needed_bytes(plan) / rate
    figures['floor_share'] = figures['floor_ms'] / figures['total_ms']
    return figures


def _compare(
    frame: TorchFrame,
    head: PanopticHead,
    output: NetworkOutput,
    geometry: InputGeometry,
    image: np.ndarray,
) -> dict[str, Any]:
    """What is equal: labels and instances to the head's, placed pixels to OpenCV's."""
    results = frame.results()
    want = head(output, geometry)
    placed = frame.tensors['placed'].cpu().numpy().astype(int)
    found = read_result(results, geometry, head.label_set)
    return {
        'faults': int(results['faults'][0]),
        'labels_equal': float((found.label_image == want.label_image).mean()),
        'instances_equal': found.instances == want.instances,
        'placed_differ_by': int(np.abs(placed - place_image(image, geometry)).max()),
    }


def complaints(figures: dict[str, Any]) -> list[str]:
    """What is wrong with the figures of a case."""
    found = []
    if figures['faults']:
        found.append(f'{figures["faults"]} faults in a sound answer')
    if not figures['labels_equal'] >= LEAST_EQUAL:
        found.append(f'{figures["labels_equal"]:.4%} of the labels equal, expected 99.99 %')
    elif figures['labels_equal'] == 1 and not figures['instances_equal']:
        found.append('other instances for the same labels')
    if figures['placed_differ_by'] > 1:
        found.append(f'placed pixels differ by {figures["placed_differ_by"]}, at most 1 expected')
    return found


def _time(
    device: Device, frame: TorchFrame, plan: FramePlan, raw: Tensor, repeat: int
) -> dict[str, float]:
    """Times of groups of kernels, of all, and from host to host."""
    names = [launch.kernel for launch in plan.after]
    starts = [names.index(first) for first in GROUPS.values()] + [len(names)]
    figures = {
        'place_ms': device.times(lambda: frame.queue(frame.before), repeat=repeat)['warm_ms']
    }
    for group, begin, end in zip(GROUPS, starts[:-1], starts[1:], strict=True):
        calls = frame.after[begin:end]
        taken = device.times(functools.partial(frame.queue, calls), repeat=repeat)
        figures[f'{group}_ms'] = taken['warm_ms']

    def all_kernels() -> None:
        frame.queue(frame.before)
        frame.label()

    figures['total_ms'] = device.times(all_kernels, repeat=repeat)['warm_ms']
    is_pinned = device.name == 'cuda'
    source = raw.pin_memory() if is_pinned else raw
    host = {
        name: torch.empty_like(frame.tensors[name], device='cpu', pin_memory=is_pinned)
        for name in plan.results
    }

    def host_to_host() -> None:
        frame.tensors['raw'].copy_(source, non_blocking=True)
        all_kernels()
        for name, target in host.items():
            target.copy_(frame.tensors[name], non_blocking=True)

    figures['host_ms'] = device.times(host_to_host, repeat=repeat)['warm_ms']
    return figures


def needed_bytes(plan: FramePlan) -> int:
    """Bytes that are read or written at least once: image, input, answer, labels."""
    return sum(
        int(np.prod(plan.arrays[name].shape)) * np.dtype(plan.arrays[name].dtype).itemsize
        for name in ('raw', 'placed', 'semantic_logits', 'mask_logits', 'image')
    )


def plain_head(
    tensors: dict[str, Tensor], num_stuff: int, count: int, output: NetworkOutput
) -> Tensor:
    """The panoptic logits as PyTorch would write them: enlarge, put side by side, argmax.

    Without pruning, majority and areas, so this is less than the kernels do.
    """
    logits = functional.interpolate(
        tensors['semantic_logits'][None],
        scale_factor=SEMANTIC_STRIDE,
        mode='bilinear',
        align_corners=False,
    )[0]
    instances = []
    canvas = Window(0, 0, *logits.shape[1:])
    for row in range(count):
        window = mask_window(output.boxes[row].tolist())
        inside = window.intersect(canvas)
        channel = torch.zeros_like(logits[0])
        mask = tensors['mask_logits'][row].reshape(1, 1, MASK_SIZE, MASK_SIZE)
        enlarged = functional.interpolate(
            mask, size=(window.height, window.width), mode='bilinear', align_corners=False
        )[0, 0]
        part = enlarged[inside.relative_to(window).slices]
        class_id = int(output.classes[row])
        channel[inside.slices] = logits[class_id][inside.slices] + part
        instances.append(channel)
    stuff, things = logits[:num_stuff], logits[num_stuff:]
    largest = things.amax(0)
    if instances:
        largest = largest - torch.stack(instances).amax(0)
    return torch.cat([stuff, *(one[None] for one in instances), largest[None]]).argmax(0)


def lines(result: Result) -> list[str]:
    """One line for each case."""
    return [
        f'{name:14} place {f["place_ms"]:.3f} check {f["check_ms"]:.3f} prune {f["prune_ms"]:.3f} '
        f'label {f["label_ms"]:.3f} assign {f["assign_ms"]:.3f} all {f["total_ms"]:.3f} ms '
        f'({f["floor_share"]:.0%} of it the floor), host to host {f["host_ms"]:.3f}, plain '
        f'PyTorch head {f["plain_head_ms"]:.3f}, on the processor {f["cpu_head_ms"]:.1f} ms; '
        f'{f["labels_equal"]:.4%} equal'
        for name, f in result['frames'].items()
    ]
