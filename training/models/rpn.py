# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Region proposal network: the head shared by all levels, and the selection of proposals."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from training.models.anchors import RATIOS
from training.models.box_coding import RPN_WEIGHTS, clip_boxes, decode_boxes

RPN_NMS_THRESHOLD = 0.7


class RegionProposalHead(nn.Module):
    """3x3 convolution, then objectness and box deltas per anchor; shared over P2..P6.

    Args:
        in_channels: Channels of the pyramid.
        channels: Channels of the hidden 3x3 convolution.
    """

    def __init__(self, *, in_channels: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.objectness = nn.Conv2d(channels, len(RATIOS), 1)
        self.deltas = nn.Conv2d(channels, 4 * len(RATIOS), 1)
        for layer in (self.conv, self.objectness, self.deltas):
            nn.init.normal_(layer.weight, std=0.01)
            nn.init.zeros_(layer.bias)

    def forward(self, levels: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Predict for every anchor of every level.

        Args:
            levels: P2..P6, each ``[B, in_channels, h, w]``.

        Returns:
            Objectness logits ``[B, h * w * 3]`` and deltas ``[B, h * w * 3, 4]`` per level, in
            the anchors' order (row, column, ratio).
        """
        logits, deltas = [], []
        for level in levels:
            hidden = torch.relu(self.conv(level))
            batch = hidden.shape[0]
            logits.append(self.objectness(hidden).permute(0, 2, 3, 1).reshape(batch, -1))
            deltas.append(self.deltas(hidden).permute(0, 2, 3, 1).reshape(batch, -1, 4))
        return logits, deltas


@torch.no_grad()
def select_proposals(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    anchors: Sequence[Tensor],
    *,
    image_size: tuple[int, int],
    pre_nms: int,
    post_nms: int,
    iou_threshold: float = RPN_NMS_THRESHOLD,
) -> Tensor:
    """Proposals of one image.

    Per level: best ``pre_nms`` anchors, decode, clip, non-maximum suppression, best ``post_nms``;
    then the best ``post_nms`` over all levels.

    Args:
        logits: Objectness logits per level, each ``[A_l]``.
        deltas: Deltas per level, each ``[A_l, 4]``.
        anchors: Anchors per level, each ``[A_l, 4]`` in input pixels.
        image_size: Height and width of the unpadded input in pixels.
        pre_nms: Candidates per level before suppression.
        post_nms: Proposals kept per level and in total.
        iou_threshold: A box is suppressed when its IoU with a better one is greater.

    Returns:
        ``[P, 4]`` boxes in input pixels (P <= ``post_nms``), by descending objectness.
    """
    height, width = image_size
    kept_boxes, kept_scores = [], []
    for level_logits, level_deltas, level_boxes in zip(logits, deltas, anchors, strict=True):
        count = min(pre_nms, level_logits.numel())
        scores, order = level_logits.float().topk(count)
        boxes = decode_boxes(level_boxes[order], level_deltas[order], weights=RPN_WEIGHTS)
        boxes = clip_boxes(boxes, height=height, width=width)
        keep = nms_inclusive(boxes, scores, iou_threshold)[:post_nms]
        kept_boxes.append(boxes[keep])
        kept_scores.append(scores[keep])
    boxes, scores = torch.cat(kept_boxes), torch.cat(kept_scores)
    best = scores.topk(min(post_nms, scores.numel())).indices
    return boxes[best]


def nms_inclusive(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Non-maximum suppression with inclusive box ends: indices kept, by descending score."""
    return nms(torch.cat((boxes[:, :2], boxes[:, 2:] + 1), dim=1), scores, iou_threshold)
