# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Batch normalisation over the images of all processes that train together."""

import torch
from torch import nn

from upsnet_ros.core.errors import ParameterError


def synchronise_normalisation(
    model: nn.Module, device: torch.device, *, world: int = 1
) -> nn.Module:
    """Make a network whose parts ask for it gather its statistics over all processes.

    Parts ask with ``normalisation = 'synchronised'``. One process has nothing to gather, so it
    keeps ordinary batch normalisation, which computes the same. Names of weights do not change.

    Args:
        model: Network on any device; changed in place.
        device: Where it will compute.
        world: Number of processes that train together.

    Returns:
        The network, to be used instead of the one given.

    Raises:
        ParameterError: If several processes compute on CPUs, for which PyTorch has no
            synchronised batch normalisation.
    """
    asked = any(getattr(m, 'normalisation', None) == 'synchronised' for m in model.modules())
    if not asked or world == 1:
        return model
    if device.type != 'cuda':
        raise ParameterError(
            f"model.normalisation is 'synchronised' with {world} processes on {device}, but "
            'statistics are gathered between GPUs only; train with one process, or with '
            "model.normalisation 'batch' (each process its own statistics) or 'frozen'"
        )
    return nn.SyncBatchNorm.convert_sync_batchnorm(model)
