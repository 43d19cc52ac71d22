# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The panoptic head for training: differentiable logits Z over stuff, instances and unknown.

The inference twin, on NumPy, is ``upsnet_ros.core.panoptic_head``.
Source: paper section 3.1, "Panoptic Segmentation Head", and equation for Z_unknown.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def build_panoptic_logits(
    semantic_logits: Tensor,
    mask_logits: Tensor,
    boxes: Tensor,
    classes: Tensor,
    *,
    num_stuff: int,
    predict_unknown: bool = True,
) -> Tensor:
    """Z = [stuff, X_i + Y_i per instance, unknown] of one image.

    Args:
        semantic_logits: ``[S, h, w]`` at 1/4 of the input, stuff channels first.
        mask_logits: ``[k, 28, 28]`` of each instance's own class.
        boxes: ``[k, 4]`` in cells of this map (input pixels / 4), x1, y1, x2, y2.
        classes: int64 ``[k]`` thing classes 1..T; channel of class c is ``num_stuff - 1 + c``.
        num_stuff: Number of stuff classes.
        predict_unknown: Whether there is an unknown channel (row "Unk." of the paper's table 6).

    Returns:
        ``[num_stuff + k + 1, h, w]``; the last channel is the unknown class. Without unknown
        prediction it is left out.
    """
    stuff, things = semantic_logits[:num_stuff], semantic_logits[num_stuff:]
    instances, inside = [], []
    for mask, box, thing in zip(mask_logits, boxes.tolist(), classes.tolist(), strict=True):
        x_part = crop_to_box(things[thing - 1], box)
        inside.append(x_part)
        instances.append(x_part + paste_mask(mask, box, things.shape[1:]))
    if not predict_unknown:
        return torch.cat((stuff, torch.stack(instances))) if instances else stuff
    best_thing = things.max(dim=0).values
    if not instances:
        return torch.cat((stuff, best_thing[None]))
    unknown = best_thing - torch.stack(inside).max(dim=0).values
    return torch.cat((stuff, torch.stack(instances), unknown[None]))


def crop_to_box(channel: Tensor, box: list[float]) -> Tensor:
    """X_i: ``[h, w]`` channel inside the box, zero outside.

    Rows run from ``int(y1)`` to ``int(round(y2) + 1)`` (end exclusive), columns likewise; rounding
    is half to even, as in the published models.
    """
    x1, y1, x2, y2 = box
    out = torch.zeros_like(channel)
    rows = slice(max(int(y1), 0), max(int(round(y2) + 1), 0))
    columns = slice(max(int(x1), 0), max(int(round(x2) + 1), 0))
    out[rows, columns] = channel[rows, columns]
    return out


def paste_mask(mask: Tensor, box: list[float], size: torch.Size | tuple[int, int]) -> Tensor:
    """Y_i: ``[28, 28]`` logits resized bilinearly into the truncated box of an ``[h, w]`` map."""
    height, width = size
    x1, y1, x2, y2 = (int(v) for v in box)
    box_w, box_h = max(x2 - x1 + 1, 1), max(y2 - y1 + 1, 1)
    out = mask.new_zeros(height, width)
    top, left = max(y1, 0), max(x1, 0)
    bottom, right = min(y1 + box_h, height), min(x1 + box_w, width)
    if top >= bottom or left >= right:
        return out
    patch = F.interpolate(
        mask[None, None], size=(box_h, box_w), mode='bilinear', align_corners=False
    )[0, 0]
    out[top:bottom, left:right] = patch[top - y1 : bottom - y1, left - x1 : right - x1]
    return out
