# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The precisions that are compared, and what PyTorch's own products take in each."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

PRECISIONS = ('float16', 'tf32', 'float32')
KINDS = {'float16': torch.float16, 'tf32': torch.float32, 'float32': torch.float32}


@contextmanager
def products(precision: str) -> Iterator[None]:
    """Let float32 products be rounded (``tf32``) or not; the former settings come back."""
    settings = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)
    before = [setting.fp32_precision for setting in settings]
    for setting in settings:
        setting.fp32_precision = 'tf32' if precision == 'tf32' else 'ieee'
    try:
        yield
    finally:
        for setting, value in zip(settings, before, strict=True):
            setting.fp32_precision = value
