# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Times on a device: wall clock for networks, CUDA events around CUDA graphs for kernels."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.gpu_parts.precision import KINDS, products

WARM_UP = 3  # calls before a recording: compilation, cuDNN's choice of algorithm
BACK_TO_BACK = 5  # calls in one recording
FLUSH_BYTES = 256 * 2**20  # several times the second-level cache of the largest GPUs
LEAST_SAMPLES = 20  # of a kernel's time
MATRIX_SIDE = 8192


def median_ms(run: Callable[[], Any], *, repeat: int, device: str) -> float:
    """Median time of a call in milliseconds, the device's queue emptied before and after."""
    times = []
    for _ in range(repeat + 1):
        _wait(device)
        started = time.perf_counter()
        run()
        _wait(device)
        times.append(1e3 * (time.perf_counter() - started))
    return statistics.median(times[1:])


def _wait(device: str) -> None:
    if device == 'cuda':
        torch.cuda.synchronize()


def record(run: Callable[[], Any], *, calls: int = 1) -> tuple[torch.cuda.CUDAGraph, Any]:
    """Record calls as one CUDA graph.

    Args:
        run: Queues work of fixed shapes and waits for nothing.
        calls: How many are recorded one after another.

    Returns:
        The graph, and what the last call returned: every replay writes into the same tensors.
    """
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            run()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    output = None
    with torch.cuda.graph(graph):
        for _ in range(calls):
            output = run()
    return graph, output


def kernel_times(run: Callable[[], Any], *, repeat: int) -> dict[str, float]:
    """Median device time of a call in milliseconds, without what the processor takes to queue it.

    Returns:
        ``cold_ms``: the second-level cache flushed before; ``warm_ms``: one call after another.
    """
    samples = max(repeat, LEAST_SAMPLES)
    single, _ = record(run)
    several, _ = record(run, calls=BACK_TO_BACK)
    flush = torch.empty(FLUSH_BYTES // 4, dtype=torch.int32, device='cuda')
    cold = _event_ms(single.replay, before=flush.zero_, samples=samples)
    warm = _event_ms(several.replay, before=lambda: None, samples=samples) / BACK_TO_BACK
    return {'cold_ms': cold, 'warm_ms': warm}


def _event_ms(run: Callable[[], Any], *, before: Callable[[], Any], samples: int) -> float:
    """Median between two events of the current stream."""
    pairs = []
    for _ in range(samples):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        before()
        start.record()
        run()
        end.record()
        pairs.append((start, end))
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in pairs)


def matrix_rate(
    precision: str,
    *,
    times: Callable[..., dict[str, float]] = kernel_times,
    side: int = MATRIX_SIDE,
    device: str = 'cuda',
    repeat: int = LEAST_SAMPLES,
) -> float:
    """Products and sums per second that a large matrix product reaches, in TFLOP/s."""
    generator = torch.Generator(device).manual_seed(0)
    first, second = (
        torch.randn(side, side, device=device, generator=generator).to(KINDS[precision])
        for _ in range(2)
    )
    out = torch.empty_like(first)
    with products(precision):
        taken = times(lambda: torch.matmul(first, second, out=out), repeat=repeat)
    return 2 * side**3 / (1e-3 * taken['warm_ms']) / 1e12
