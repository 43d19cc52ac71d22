# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The argmax over stuff, instance and unknown logits, without building them all.

Every instance channel is zero outside its own window, so only windows are worked on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upsnet_ros.core.mask_pruning import PlacedInstance
from upsnet_ros.core.semantic_maps import SemanticMaps
from upsnet_ros.core.window import EMPTY, Window, row_bands


def panoptic_argmax(
    maps: SemanticMaps,
    instances: Sequence[PlacedInstance],
    *,
    num_stuff: int,
    predict_unknown: bool,
) -> np.ndarray:
    """Return the winning channel of every pixel.

    Channels are the stuff classes, then the instances in the order given, then unknown; the first
    of equal logits wins. The stuff logits and thing logits of `maps` are overwritten.

    Args:
        maps: semantic logits at label resolution [h, w], with the channel of every instance's
            class.
        instances: the kept instances. Without any, no instance channel exists; the published code
            then adds one that is zero everywhere, which only ever takes pixels from classes with
            negative logits and calls them a stuff class. It is left out here.
        num_stuff: number of stuff classes N.
        predict_unknown: whether there is an unknown channel.

    Returns:
        uint16 [h, w]: stuff class 0 to N - 1, N + i for instance i, N + k (with k instances) for
        unknown.

    Source: UPSNet section 3.1, panoptic head, with the conventions of the published models.
    """
    best = maps.stuff_logit
    labels = Window(0, 0, *best.shape)
    winner = maps.stuff_class.astype(np.uint16)
    uncovered = labels
    for index, instance in enumerate(instances):
        extent = instance.extent.intersect(labels)
        _offer_zero(best, winner, num_stuff + index, inside=uncovered, outside=extent)
        uncovered = uncovered.intersect(extent)
        if not extent.is_empty:
            logits = _instance_logits(instance, maps.channels[instance.class_id], extent)
            _offer(logits, num_stuff + index, best[extent.slices], winner[extent.slices])
    if predict_unknown:
        unknown = maps.thing_logit
        _subtract_largest_semantic_logit(unknown, instances, maps.channels)
        channel = np.uint16(num_stuff + len(instances))
        for rows in row_bands(best.shape):
            # It is the last channel, so a maximum selects it.
            chosen = (unknown[rows] > best[rows]) * channel
            np.maximum(winner[rows], chosen, out=winner[rows])
    return winner


def _offer(logits: np.ndarray, channel: int, best: np.ndarray, winner: np.ndarray) -> None:
    """Let a channel win, in place, where its logits are strictly larger."""
    larger = logits > best
    np.copyto(best, logits, where=larger)
    np.copyto(winner, np.uint16(channel), where=larger)


def _offer_zero(
    best: np.ndarray, winner: np.ndarray, channel: int, *, inside: Window, outside: Window
) -> None:
    """Let an instance win, in place, with the logit 0 that it has outside its window.

    It wins only where all stuff logits are negative and every earlier instance is present; those
    that come later find zero already there. So `inside`, the pixels that all earlier instances
    cover, shrinks quickly and this is rarely any work.
    """
    if inside.is_empty:
        return
    negative = best[inside.slices] < 0.0
    common = inside.intersect(outside)
    if not common.is_empty:
        negative[common.relative_to(inside).slices] = False
    if negative.any():
        best[inside.slices][negative] = 0.0
        winner[inside.slices][negative] = channel


def _instance_logits(instance: PlacedInstance, channel: np.ndarray, extent: Window) -> np.ndarray:
    """Return semantic plus mask logits of an instance inside a window: float32, its size."""
    semantic, mask = instance.semantic.intersect(extent), instance.mask.intersect(extent)
    if semantic == extent:
        logits = channel[extent.slices].copy()
    else:
        logits = np.zeros((extent.height, extent.width), dtype=np.float32)
        logits[semantic.relative_to(extent).slices] = channel[semantic.slices]
    if not mask.is_empty:
        part = mask.relative_to(instance.mask).slices
        logits[mask.relative_to(extent).slices] += instance.mask_logits[part]
    return logits


def _subtract_largest_semantic_logit(
    thing_logit: np.ndarray,
    instances: Sequence[PlacedInstance],
    channels: dict[int, np.ndarray],
) -> None:
    """Subtract, in place, the largest semantic logit over all instances from float32 [h, w].

    Each is zero outside its window, so the largest is at least zero wherever one is absent, and
    nothing changes where all are.
    """
    labels = Window(0, 0, *thing_logit.shape)
    windows = [instance.semantic.intersect(labels) for instance in instances]
    any_present, all_present = EMPTY, labels
    for window in windows:
        any_present = any_present.enclose(window)
        all_present = all_present.intersect(window)
    if any_present.is_empty:
        return
    largest = np.zeros((any_present.height, any_present.width), dtype=np.float32)
    if not all_present.is_empty:
        largest[all_present.relative_to(any_present).slices] = -np.inf
    for instance, window in zip(instances, windows, strict=True):
        if not window.is_empty:
            here = largest[window.relative_to(any_present).slices]
            np.maximum(here, channels[instance.class_id][window.slices], out=here)
    thing_logit[any_present.slices] -= largest
