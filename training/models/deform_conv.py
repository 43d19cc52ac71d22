# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Deformable convolution v1: the operator and the layer that predicts its own offsets.

Two implementations of the operator with one meaning:

* ``torchvision.ops.deform_conv2d``: the reference, used on GPUs and in the exported graph;
* a gather formulation for CPUs: bilinear sampling is a weighted sum of rows of a table, which
  is exactly ``embedding_bag``; forward and backward together are several times faster than
  torchvision's CPU kernels (``benchmarks/deform_conv.py`` measures both).

Source: Dai et al. 2017; conventions of the published models: offset channels interleaved per
kernel tap in row-major order (dy, dx), samples outside the map contribute zero.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

KERNEL = 3
TAPS = KERNEL * KERNEL


def deform_conv2d_gather(x: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """3x3 deformable convolution with stride 1, padding 1 and dilation 1, as a gather.

    The product with the weights comes first (a 1x1 convolution to nine taps per output channel):
    sampling is linear, so it may follow, and the column buffer of nine times the input is never
    written. An output position is then a weighted sum of 36 rows.

    Args:
        x: ``[B, C, H, W]`` float features.
        offset: ``[B, 18, H, W]`` float; channel ``2k`` is dy and ``2k + 1`` dx of tap k, in cells.
        weight: ``[O, C, 3, 3]``.
        bias: ``[O]`` or None.

    Returns:
        ``[B, O, H, W]`` in the dtype of the matrix product (the autocast dtype, if any).
    """
    batch, channels, height, width = x.shape
    out_channels, cells = weight.shape[0], batch * height * width
    taps = weight.permute(2, 3, 0, 1).reshape(TAPS * out_channels, channels)
    table = F.linear(x.permute(0, 2, 3, 1).reshape(cells, channels), taps)
    table = table.view(cells * TAPS, out_channels)
    rows, weights = _bilinear_corners(offset.float(), height, width)
    rows = rows * TAPS + torch.arange(TAPS, device=x.device).repeat(cells)[:, None]
    out = F.embedding_bag(
        rows.view(cells, 4 * TAPS),
        table,
        mode='sum',
        per_sample_weights=weights.view(cells, 4 * TAPS).to(table.dtype),
    )
    if bias is not None:
        out = out + bias.to(out.dtype)
    return out.view(batch, height, width, out_channels).permute(0, 3, 1, 2)


def _bilinear_corners(offset: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Table rows and weights of the four corners around every sample: both ``[B*H*W*9, 4]``."""
    batch = offset.shape[0]
    device = offset.device
    taps = offset.view(batch, TAPS, 2, height, width).permute(0, 3, 4, 1, 2)  # [B, H, W, 9, 2]
    steps = torch.arange(-1, 2, device=device, dtype=offset.dtype)
    tap_y, tap_x = steps.repeat_interleave(KERNEL), steps.repeat(KERNEL)
    base_y = torch.arange(height, device=device, dtype=offset.dtype)[:, None, None]
    base_x = torch.arange(width, device=device, dtype=offset.dtype)[None, :, None]
    y = taps[..., 0] + (base_y + tap_y)  # [B, H, W, 9]
    x = taps[..., 1] + (base_x + tap_x)
    y_low, x_low = y.detach().floor(), x.detach().floor()
    y_share, x_share = y - y_low, x - x_low
    start = torch.arange(batch, device=device)[:, None, None, None] * (height * width)
    rows, weights = [], []
    for step_y, share_y in ((0, 1 - y_share), (1, y_share)):
        corner_y = y_low + step_y
        for step_x, share_x in ((0, 1 - x_share), (1, x_share)):
            corner_x = x_low + step_x
            inside = (corner_y >= 0) & (corner_y < height) & (corner_x >= 0) & (corner_x < width)
            row = corner_y.clamp(0, height - 1) * width + corner_x.clamp(0, width - 1)
            rows.append(row.long() + start)
            weights.append(share_y * share_x * inside)
    return torch.stack(rows, -1).view(-1, 4), torch.stack(weights, -1).view(-1, 4)


class OffsetDeformConv2d(nn.Module):
    """3x3 deformable convolution whose offsets come from a plain 3x3 convolution of its input.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: Whether the deformable convolution has a bias (the offset convolution always has).
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__()
        self.offset = nn.Conv2d(in_channels, 2 * TAPS, KERNEL, padding=1)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_normal_(self.weight, nonlinearity='relu')
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, H, W]`` to ``[B, out_channels, H, W]``."""
        offset = self.offset(x)
        if x.is_cuda or torch.compiler.is_exporting():
            return deform_conv2d(x, offset.to(x.dtype), self.weight, self.bias, padding=1)
        return deform_conv2d_gather(x, offset, self.weight, self.bias)
