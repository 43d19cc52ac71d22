# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Activations computed again for the gradients instead of kept (gradient checkpointing)."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

NORMALISATION_LAYERS = (nn.BatchNorm2d, nn.SyncBatchNorm)


def recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """The block's output, with only its input kept for the gradients.

    Running statistics of normalisation layers move once, as if nothing were computed again.

    Args:
        block: A module without dropout or other random choices.
        x: Its input.
    """

    def contexts() -> tuple[AbstractContextManager, AbstractContextManager]:
        return nullcontext(), _unrecorded_statistics(block)

    # PyTorch's checkpoint needs no copy of the generators' states, for nothing here is random.
    return checkpoint(block, x, use_reentrant=False, preserve_rng_state=False, context_fn=contexts)


@contextmanager
def _unrecorded_statistics(block: nn.Module) -> Iterator[None]:
    """Let normalisation layers record their statistics into copies that are thrown away.

    Not recording at all would keep other tensors than the first time, which PyTorch refuses.
    """
    layers = [layer for layer in block.modules() if isinstance(layer, NORMALISATION_LAYERS)]
    recorded = [
        (layer, name, buffer) for layer in layers for name, buffer in layer.named_buffers()
    ]
    for layer, name, buffer in recorded:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in recorded:
            setattr(layer, name, buffer)
