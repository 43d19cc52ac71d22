# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Weighted sums of table rows: what bilinear sampling is, for deformable convolution and RoIAlign.

Forward is PyTorch's ``embedding_bag``. Its backward sorts all indices first; a plain scatter
compiled by Numba does without. ``benchmarks/gpu.py`` times the operators built on this.
"""

from typing import Any

import numba
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


@numba.njit(fastmath=True, nogil=True, cache=True)
def _scatter(
    rows: np.ndarray,
    weights: np.ndarray,
    table: np.ndarray,
    gradient: np.ndarray,
    table_gradient: np.ndarray,
    weight_gradient: np.ndarray,
) -> None:
    bags, size = rows.shape
    channels = gradient.shape[1]
    for bag in range(bags):
        for item in range(size):
            row, weight = rows[bag, item], weights[bag, item]
            total = np.float32(0.0)
            for channel in range(channels):
                value = gradient[bag, channel]
                table_gradient[row, channel] += weight * value
                total += value * table[row, channel]
            weight_gradient[bag, item] = total


class _WeightedBag(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:  # noqa: D102
        ctx.save_for_backward(table, rows, weights)
        return F.embedding_bag(rows, table, mode='sum', per_sample_weights=weights)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor]:  # noqa: D102
        table, rows, weights = ctx.saved_tensors
        table_gradient, weight_gradient = torch.zeros_like(table), torch.empty_like(weights)
        _scatter(
            rows.numpy(),
            weights.numpy(),
            table.numpy(),
            gradient.contiguous().numpy(),
            table_gradient.numpy(),
            weight_gradient.numpy(),
        )
        return table_gradient, None, weight_gradient


def weighted_bag(table: Tensor, rows: Tensor, weights: Tensor) -> Tensor:
    """Sum rows of a table with weights, in single precision on the CPU.

    Args:
        table: ``[R, C]`` float.
        rows: int32 ``[n, k]`` in 0..R - 1.
        weights: ``[n, k]`` float.

    All tensors are on the CPU.

    Returns:
        float32 ``[n, C]``: ``sum_k weights[n, k] * table[rows[n, k]]``, differentiable in the
        table and the weights.
    """
    with torch.autocast('cpu', enabled=False):
        return _WeightedBag.apply(
            table.float().contiguous(), rows.contiguous(), weights.float().contiguous()
        )
