# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Deformable convolution v1: the operator and the layer that predicts its own offsets.

Three implementations of the operator with one meaning:

* ``torchvision.ops.deform_conv2d``: the reference, used in the exported graph, and on GPUs where
  our kernel does not run;
* our kernel for GPUs, :mod:`training.deform_conv_kernels`;
* a gather formulation for CPUs: bilinear sampling is a weighted sum of rows of a table, which
  is :mod:`training.models.weighted_bag`; forward and backward together are several times faster
  than torchvision's CPU kernels (``benchmarks/gpu.py`` measures all three).

Source: Dai et al. 2017; conventions of the published models: offset channels interleaved per
kernel tap in row-major order (dy, dx), samples outside the map contribute zero.
"""

import functools
import logging
from collections.abc import Callable
from subprocess import SubprocessError

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.ops import deform_conv2d

from training.models.weighted_bag import weighted_bag

KERNEL = 3
TAPS = KERNEL * KERNEL
MARGIN = 2  # cells of zeros before the map; two more after it
OUR_TYPES = (torch.float32, torch.float16, torch.bfloat16)
OLDEST_GPU = (8, 0)  # compute capability that the kernel's tiles are made for

_LOGGER = logging.getLogger(__name__)


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
        float32 ``[B, O, H, W]``.
    """
    batch, channels, height, width = x.shape
    out_channels, cells = weight.shape[0], batch * height * width
    padded = F.pad(x, (MARGIN, MARGIN + 2) * 2).permute(0, 2, 3, 1)  # samples outside read zeros
    taps = weight.permute(2, 3, 0, 1).reshape(TAPS * out_channels, channels)
    table = F.linear(padded.reshape(-1, channels), taps).view(-1, out_channels)
    rows, weights = _bilinear_corners(offset.float(), height, width)
    out = weighted_bag(table, rows.view(cells, 4 * TAPS), weights.view(cells, 4 * TAPS))
    if bias is not None:
        out = out + bias
    return out.view(batch, height, width, out_channels).permute(0, 3, 1, 2)


def _bilinear_corners(offset: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Table rows (int32) and weights of the four corners around every sample: ``[B, H, W, 9, 4]``.

    The map is padded with zeros, so wide that clamped samples outside read nothing else.
    """
    batch, device = offset.shape[0], offset.device
    taps = offset.permute(0, 2, 3, 1).reshape(batch, height, width, TAPS, 2)
    taps = taps.contiguous()
    steps = torch.arange(KERNEL, device=device, dtype=offset.dtype) + (MARGIN - 1)  # padded map
    tap_y, tap_x = steps.repeat_interleave(KERNEL), steps.repeat(KERNEL)
    base_y = torch.arange(height, device=device, dtype=offset.dtype)[:, None, None] + tap_y
    base_x = torch.arange(width, device=device, dtype=offset.dtype)[None, :, None] + tap_x
    y = (taps[..., 0] + base_y).clamp(0, height + MARGIN + 1)
    x = (taps[..., 1] + base_x).clamp(0, width + MARGIN + 1)
    # An offset that is no number must not become an index; it still spoils the weights.
    y_low, x_low = (axis.detach().nan_to_num().floor() for axis in (y, x))
    y_share, x_share = y - y_low, x - x_low
    row_length = width + 2 * MARGIN + 2
    image_cells = (height + 2 * MARGIN + 2) * row_length
    image = torch.arange(batch, device=device, dtype=torch.int32) * image_cells
    cell = y_low.int() * row_length + x_low.int() + image[:, None, None, None]
    first = cell * TAPS + torch.arange(TAPS, device=device, dtype=torch.int32)
    corners = [0, TAPS, row_length * TAPS, (row_length + 1) * TAPS]
    rows = first[..., None] + torch.tensor(corners, device=device, dtype=torch.int32)
    y_weights = torch.stack((1 - y_share, y_share), dim=-1)
    x_weights = torch.stack((1 - x_share, x_share), dim=-1)
    weights = y_weights[..., :, None] * x_weights[..., None, :]  # [B, H, W, 9, 2, 2]
    return rows, weights


@functools.cache
def our_operator() -> Callable[..., Tensor] | None:
    """Our operator for GPUs, or None where Triton does not work.

    Asked for and imported on a GPU only: all else needs no Triton.
    """
    try:
        from training.deform_conv_kernels.torch_operator import deform_conv2d as ours

        _start_triton()
    except (ImportError, OSError, RuntimeError, AssertionError, SubprocessError) as error:
        _LOGGER.warning(
            "deformable convolution takes torchvision's slow kernels, because Triton does not "
            "work (%s); install Triton, a C compiler and Python's header files",
            error,
        )
        return None
    return ours


def _start_triton() -> None:
    """Let Triton build its part for this machine, which takes a C compiler."""
    import triton

    triton.runtime.driver.active.utils.get_current_device()


def runs_our_kernel(x: Tensor) -> bool:
    """Whether our kernel computes features of this type on this device."""
    return (
        x.is_cuda
        and x.dtype in OUR_TYPES
        and torch.cuda.get_device_capability(x.device) >= OLDEST_GPU
        and our_operator() is not None
    )


def use_torchvision(model: nn.Module, *, always: bool = True) -> None:
    """Make the layers of a model compute with torchvision's operator, also where ours runs.

    Args:
        model: Any; its deformable layers are changed.
        always: False goes back to choosing the fastest.
    """
    for layer in model.modules():
        if isinstance(layer, OffsetDeformConv2d):
            layer.torchvision_always = always


class OffsetDeformConv2d(nn.Module):
    """3x3 deformable convolution whose offsets come from a plain 3x3 convolution of its input.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        bias: Whether the deformable convolution has a bias (the offset convolution always has).
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__()
        self.torchvision_always = False  # see :func:`use_torchvision`
        self.offset = nn.Conv2d(in_channels, 2 * TAPS, KERNEL, padding=1)
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        nn.init.kaiming_normal_(self.weight, nonlinearity='relu')
        nn.init.zeros_(self.offset.weight)
        nn.init.zeros_(self.offset.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, in_channels, H, W]`` to ``[B, out_channels, H, W]``."""
        offset = self.offset(x)
        if torch.compiler.is_exporting() or self.torchvision_always:
            return deform_conv2d(x, offset.to(x.dtype), self.weight, self.bias, padding=1)
        ours = our_operator() if runs_our_kernel(x) else None
        if ours is not None:
            return ours(x, offset, self.weight, self.bias, padding=(1, 1))
        if x.is_cuda:
            return deform_conv2d(x, offset.to(x.dtype), self.weight, self.bias, padding=1)
        return deform_conv2d_gather(x, offset, self.weight, self.bias)
