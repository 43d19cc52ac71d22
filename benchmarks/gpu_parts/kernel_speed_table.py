# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What the times of layers come to: ratios to the peers, share of the peak, aims, a table.

Each layer is judged by the less favourable of two ratios, that with the second-level cache flushed
and that of calls back to back: the former hides nothing of memory, the latter nothing of short
kernels.
"""

from typing import Any

TORCHVISION_AIM = 5.0  # times as fast, at least
DENSE_AIM = 1.5  # times the dense convolution's time, at most
PEERS = ('torchvision', 'dense', 'dense_channels_last', 'operator')
CONDITIONS = ('cold_ms', 'warm_ms')

Figures = dict[str, Any]
Times = dict[str, dict[str, float]]


def ratios(times: Times, chosen: str, flop: int, rate: float) -> Figures:
    """Our best and chosen tile beside the peers.

    Args:
        times: ``cold_ms`` and ``warm_ms`` by name: peers and tiles; those that failed are missing.
        chosen: Name of the tile that the operator takes.
        flop: Of the layer.
        rate: Matrix rate in TFLOP/s.

    Returns:
        The best tile's name, and of both tiles (``best_``, ``chosen_``): ``over_torchvision``
        (how many times as fast), ``of_dense`` (time over the dense convolution's) and ``of_peak``
        (share of the matrix rate, warm). What cannot be computed is missing.
    """
    tiles = {name: taken for name, taken in times.items() if name not in PEERS}
    if not tiles:
        return {}
    best = min(tiles, key=lambda name: tiles[name]['warm_ms'])
    figures: Figures = {'best': best}
    for which, name in (('best', best), ('chosen', chosen)):
        if name in tiles:
            figures |= _beside_peers(which, tiles[name], times, flop, rate)
    return figures


def _beside_peers(
    which: str, ours: dict[str, float], times: Times, flop: int, rate: float
) -> Figures:
    found = {f'{which}_of_peak': flop / (1e-3 * ours['warm_ms']) / 1e12 / rate}
    if 'torchvision' in times:
        theirs = times['torchvision']
        found[f'{which}_over_torchvision'] = min(theirs[c] / ours[c] for c in CONDITIONS)
    dense = [times[name] for name in ('dense', 'dense_channels_last') if name in times]
    if dense:
        found[f'{which}_of_dense'] = max(
            ours[c] / min(taken[c] for taken in dense) for c in CONDITIONS
        )
    return found


def aims(figures: Figures) -> str:
    """Whether the best tile reaches both aims, in words."""
    if 'best_over_torchvision' not in figures or 'best_of_dense' not in figures:
        return 'aims not measured'
    missed = []
    if figures['best_over_torchvision'] < TORCHVISION_AIM:
        missed.append(f'{TORCHVISION_AIM:g} times torchvision')
    if figures['best_of_dense'] > DENSE_AIM:
        missed.append(f'{DENSE_AIM:g} of dense')
    return f'MISSED {" and ".join(missed)}' if missed else 'aims reached'


def lines(result: Figures) -> list[str]:
    """The matrix rates, then one line for each layer."""
    rates = result['matrix_tflops'].items()
    out = [f'{name:8}matrix rate {rate:.1f} TFLOP/s' for name, rate in rates]
    for precision, layers in result['layers'].items():
        for name, figures in layers.items():
            out.append(f'{precision:8}{name:17}{_layer_text(figures)}')
    return out


def _layer_text(figures: Figures) -> str:
    times = figures['times']
    if 'best' not in figures:
        return 'no tile was timed'

    def warm(name: str) -> str:
        return f'{times[name]["warm_ms"]:.4f}' if name in times else 'none'

    dense = min(
        (times[name]['warm_ms'] for name in ('dense', 'dense_channels_last') if name in times),
        default=float('nan'),
    )
    return (
        f'best {warm(figures["best"])} chosen {warm(figures["chosen"])} operator '
        f'{warm("operator")} torchvision {warm("torchvision")} dense {dense:.4f} ms; '
        f'{figures.get("best_over_torchvision", float("nan")):.1f}x torchvision, '
        f'{figures.get("best_of_dense", float("nan")):.2f} of dense, '
        f'{100 * figures["best_of_peak"]:.0f} % of peak, {aims(figures)} ({figures["best"]})'
    )
