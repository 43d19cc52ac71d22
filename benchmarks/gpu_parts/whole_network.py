# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""UPSNet-50 at its full size with random weights: plain PyTorch beside one CUDA graph.

``plain`` is the network as it is trained, with torchvision's operator; ``kernel`` the same with
ours; ``wrapper`` the module that is exported, whose shapes are all fixed; ``graph`` that module as
one CUDA graph. Latency is that of a caller who waits for the result.
"""

import copy
import functools
import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from benchmarks.gpu_parts.calm_network import LAYERS, calm_network, make_picture
from benchmarks.gpu_parts.part import NEEDS_GPU, ROOT, Result, Settings
from benchmarks.gpu_parts.precision import products
from benchmarks.gpu_parts.timing import matrix_rate, median_ms, record
from training.export_wrapper import ExportWrapper
from training.models import upsnet
from training.models.deform_conv import use_torchvision
from training.models.detections import predict
from training.models.upsnet import UPSNet
from training.recipe.reading import load_recipe
from training.recipe.recipe import Recipe

RECIPE = ROOT / 'config' / 'training' / 'upsnet_r50_cityscapes.yaml'
FULL_SIZE, FULL_TFLOP = (1024, 2048), 1.10  # of UPSNet-50
REFERENCE = 'plain_float32'
# Least share of pixels whose semantic class is the reference's. Random weights have no clear
# classes; wrong numbers would leave about one pixel in nineteen.
LEAST_EQUAL = {'float32': 0.99, 'tf32': 0.8, 'float16': 0.8}


@dataclass(frozen=True)
class Mode:
    """One way to run the network.

    Attributes:
        name: Key in the result.
        precision: ``float32``, ``tf32`` or ``float16`` (autocast).
        is_wrapper: Whether the exported module runs instead of the trained one.
        is_ours: Whether deformable convolution is our kernel's.
        is_captured: Whether it runs as a CUDA graph.
    """

    name: str
    precision: str
    is_wrapper: bool = False
    is_ours: bool = False
    is_captured: bool = False

    def runs_on(self, device: str) -> bool:
        """Whether this device can do it."""
        return device == 'cuda' or (self.precision == 'float32' and not self.is_captured)


MODES = (
    Mode('plain_float32', 'float32'),
    Mode('plain_tf32', 'tf32'),
    Mode('plain_float16', 'float16'),
    Mode('kernel_float16', 'float16', is_ours=True),
    Mode('wrapper_float32', 'float32', is_wrapper=True, is_ours=True),
    Mode('wrapper_float16', 'float16', is_wrapper=True, is_ours=True),
    Mode('graph_torchvision_float16', 'float16', is_wrapper=True, is_captured=True),
    Mode('graph_tf32', 'tf32', is_wrapper=True, is_ours=True, is_captured=True),
    Mode('graph_float16', 'float16', is_wrapper=True, is_ours=True, is_captured=True),
)


def measure(settings: Settings) -> Result:
    """All modes at full size, and what share of the latency the products alone would take."""
    benchmark = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        result = measure_modes(load_recipe(RECIPE), settings)
    finally:
        torch.backends.cudnn.benchmark = benchmark
    if settings.device == 'cuda' and settings.network_size == FULL_SIZE:
        result |= floor(result, matrix_rate('float16'))
    return result


def measure_modes(recipe: Recipe, settings: Settings) -> Result:
    """Latency, peak memory and agreement by mode, and ``failures``."""
    picture = make_picture(settings.network_size, settings.device)
    model = calm_network(recipe, picture).cpu()
    result: Result = {'modes': {}, 'failures': []}
    reference = None
    for mode in MODES:
        if not mode.runs_on(settings.device):
            result['modes'][mode.name] = {'not_run': NEEDS_GPU}
            continue
        try:
            figures, labels = run_mode(mode, model, picture, settings)
        except Exception as error:  # the other modes must still be measured
            result['failures'].append(f'{mode.name}: {type(error).__name__}: {error}'[:1000])
            continue
        reference = labels if mode.name == REFERENCE else reference
        if reference is not None:
            figures['labels_equal'] = (labels == reference).float().mean().item()
        result['modes'][mode.name] = figures
        result['failures'] += [f'{mode.name}: {text}' for text in complaints(mode, figures)]
    return result


def run_mode(
    mode: Mode, model: UPSNet, picture: Tensor, settings: Settings
) -> tuple[dict[str, float], Tensor]:
    """Figures of one mode, and its semantic classes on the processor.

    Args:
        mode: Any that runs on the device.
        model: The network, on the processor; it is copied.
        picture: uint8 ``[1, H, W, 3]`` on the device.
        settings: Device and repetitions.
    """
    device = settings.device
    with products(mode.precision), anchors_on(device):
        run = prepare(mode, model, picture)
        run()  # cuDNN tries its algorithms, some of which take much memory
        _forget(device)
        if mode.is_captured:
            graph, logits = record(run)
            timed = graph.replay
        else:
            timed = run
        latency = median_ms(timed, repeat=settings.repeat, device=device)
        logits = logits if mode.is_captured else run()
    figures = {'latency_ms': latency, 'finite': float(logits.isfinite().all().item())}
    if device == 'cuda':
        figures['peak_allocated_mb'] = torch.cuda.max_memory_allocated() / 1e6
        figures['peak_reserved_mb'] = torch.cuda.max_memory_reserved() / 1e6
    return figures, logits.reshape(-1, *logits.shape[-2:]).argmax(dim=0).cpu()


def _forget(device: str) -> None:
    """Give unused memory back, and count peaks anew."""
    gc.collect()
    if device == 'cuda':
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def prepare(mode: Mode, model: UPSNet, picture: Tensor) -> Callable[[], Tensor]:
    """A call from the picture to semantic logits that runs the whole network."""
    size = (picture.shape[1], picture.shape[2])
    network: nn.Module = copy.deepcopy(model)
    use_torchvision(network, always=not mode.is_ours)
    if mode.is_wrapper:
        network = ExportWrapper(network, input_size=size).eval()
    network.to(picture.device)
    is_half = mode.precision == 'float16'
    if mode.is_wrapper and mode.precision != 'float32':
        network.to(memory_format=torch.channels_last)  # as matrix units read
    if mode.is_wrapper and is_half:
        keep_products_in_half(network)

    @torch.no_grad()
    def run() -> Tensor:
        # A recording must not refer to autocast's cache.
        caching = {'cache_enabled': not mode.is_captured}
        with torch.autocast(picture.device.type, torch.float16, is_half, **caching):
            if mode.is_wrapper:
                return network(picture)[0]
            pixels = network.normalise(picture.permute(0, 3, 1, 2))
            return predict(network, pixels[0], image_size=size).semantic_logits

    return run


def keep_products_in_half(network: nn.Module) -> None:
    """Keep the weights of products in half precision, as autocast would make them every time."""
    for layer in network.modules():
        if isinstance(layer, LAYERS):
            for parameter in layer.parameters(recurse=False):
                parameter.data = parameter.data.half()


@contextmanager
def anchors_on(device: str) -> Iterator[None]:
    """Keep anchors on the device: a recording cannot copy them from the processor every time."""
    original = upsnet.level_anchors

    @functools.cache
    def level_anchors(stride: int, size: torch.Size, *, scale: float) -> Tensor:
        return original(stride, size, scale=scale).to(device)

    with mock.patch.object(upsnet, 'level_anchors', level_anchors):
        yield


def complaints(mode: Mode, figures: dict[str, float]) -> list[str]:
    """What is wrong with the figures of a mode."""
    found = [] if figures['finite'] else ['logits that are no numbers']
    equal, least = figures.get('labels_equal', 1.0), LEAST_EQUAL[mode.precision]
    if equal < least:
        found.append(f'{equal:.1%} of the pixels as in {REFERENCE}, at least {least:.0%} expected')
    return found


def floor(result: Result, rate: float) -> dict[str, Any]:
    """Least time of the products at the matrix rate (TFLOP/s), and its share of the latency."""
    least_ms = 1e3 * FULL_TFLOP / rate
    found: dict[str, Any] = {'matrix_tflops': rate, 'floor_ms': least_ms, 'share_of_floor': {}}
    for name, figures in result['modes'].items():
        found['share_of_floor'][name] = least_ms / figures['latency_ms']
    return found


def lines(result: Result) -> list[str]:
    """One line for each mode."""
    out = []
    if 'floor_ms' in result:
        rate = result['matrix_tflops']
        out.append(f'floor {result["floor_ms"]:.2f} ms: {FULL_TFLOP} TFLOP at {rate:.0f} TFLOP/s')
    for name, figures in result['modes'].items():
        out.append(f'{name:26}{_mode_text(figures, result.get("share_of_floor", {}).get(name))}')
    return out


def _mode_text(figures: dict[str, Any], share: float | None) -> str:
    if 'not_run' in figures:
        return figures['not_run']
    text = f'{figures["latency_ms"]:9.2f} ms'
    if share is not None:
        text += f'  floor is {share:.0%} of it'
    if 'peak_allocated_mb' in figures:
        text += f'  peak {figures["peak_allocated_mb"]:.0f} MB'
    return text + f'  labels equal {figures.get("labels_equal", float("nan")):.1%}'
