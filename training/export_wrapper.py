# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The network as one graph with fixed shapes: all concessions to export live here.

In: one uint8 camera image. Out: semantic logits and exactly 100 candidates with a count. Boxes are
clipped to the picture, as published; its size is read off the colour of the padding. No shape
depends on the data: suppression is unrolled, lists are padded, all regions are cut from one canvas
that holds the four pyramid levels. The clean network is :mod:`training.models.detections`; export
is refused when the two disagree.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.ops import roi_align

from training.models.box_coding import (
    BOX_HEAD_WEIGHTS,
    RPN_WEIGHTS,
    decode_boxes,
    pairwise_iou,
)
from training.models.detections import NMS_THRESHOLD, SCORE_FLOOR
from training.models.pixels import PictureSize
from training.models.resnet import Bottleneck
from training.models.roi_features import SAMPLING_RATIO, STRIDES, assign_levels
from training.models.rpn import RPN_NMS_THRESHOLD
from training.models.upsnet import PyramidOutput, UPSNet
from upsnet_ros.core.errors import ModelError
from upsnet_ros.core.structures import CANDIDATE_SLOTS

# Depth of suppression chains that is resolved exactly. On real proposals, 1000 a level, chains
# were up to 17 deep (benchmarks/nms_exactness.py); a round adds 0.5 % to the network on a CPU.
NMS_ITERATIONS = 24
SUPPRESSED = -1.0e4  # below every logit of a real anchor

OUTPUT_NAMES = ('semantic_logits', 'boxes', 'scores', 'classes', 'mask_logits', 'count')


def unrolled_nms(boxes: Tensor, valid: Tensor, threshold: float) -> Tensor:
    """Greedy suppression of boxes sorted by descending score, as a fixed number of products.

    A box is kept when no kept box before it overlaps it too much; iterating that rule from "all
    kept" reaches the greedy answer after as many rounds as the longest chain of suppressions.

    Args:
        boxes: ``[..., n, 4]`` inclusive; leading axes are independent lists.
        valid: bool ``[..., n]``; invalid boxes are never kept and suppress nothing.
        threshold: Suppress when the IoU is greater.

    Returns:
        bool ``[..., n]``.
    """
    count = boxes.shape[-2]
    earlier = torch.ones(count, count, device=boxes.device).triu(1)
    overlaps = (pairwise_iou(boxes, boxes) > threshold).float() * earlier
    alive = valid.float().unsqueeze(-2)  # [..., 1, n]
    keep = alive
    for _ in range(NMS_ITERATIONS):
        keep = torch.relu(alive - torch.matmul(keep, overlaps))  # counts are whole: 0 or 1 again
    return keep.squeeze(-2) > 0.5


class LevelCanvas(nn.Module):
    """P2..P5 below each other on one map, so that one RoIAlign serves all regions.

    Each level is followed by a copy of its last row and column (samples between the last cell and
    the border are clamped) and by zeros. The only difference from RoIAlign per level: a region
    less than one cell wide at the right or bottom border.

    Args:
        input_size: Height and width of the network's input.
        canonical_size: Side in pixels of a box that belongs to P4.
    """

    margin = 2

    def __init__(self, input_size: tuple[int, int], *, canonical_size: float) -> None:
        super().__init__()
        self.canonical_size = canonical_size
        self.width = input_size[1] // STRIDES[0] + self.margin
        offsets, total = [], 0
        for stride in STRIDES:
            offsets.append(float(total))
            total += input_size[0] // stride + self.margin
        self.register_buffer('scales', torch.tensor([1.0 / s for s in STRIDES]))
        self.register_buffer('offsets', torch.tensor(offsets))

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Canvas ``[1, C, sum(h_l + 2), W / 4 + 2]`` of P2..P5."""
        rows = []
        for level in levels:
            padded = F.pad(level, (0, 1, 0, 1), mode='replicate')
            right = self.width - padded.shape[3]
            rows.append(F.pad(padded, (0, right, 0, self.margin - 1)))
        return torch.cat(rows, dim=2)

    def align(self, canvas: Tensor, boxes: Tensor, bins: int) -> Tensor:
        """Features ``[n, C, bins, bins]`` of ``[n, 4]`` boxes in input pixels."""
        level = assign_levels(boxes, canonical_size=self.canonical_size)
        scale, offset = self.scales[level], self.offsets[level]
        zero = torch.zeros_like(offset)
        shift = torch.stack((zero, offset, zero, offset), dim=1)
        placed = boxes * scale[:, None] + shift
        rois = torch.cat((torch.zeros_like(placed[:, :1]), placed), dim=1)
        return roi_align(
            canvas, rois, bins, spatial_scale=1.0, sampling_ratio=SAMPLING_RATIO, aligned=False
        )


class ExportWrapper(nn.Module):
    """UPSNet from a camera image to padded candidates.

    Args:
        model: A trained network.
        input_size: Height and width of the graph's input in pixels, multiples of 32.

    Raises:
        ModelError: If the network has no semantic head, or more candidates than proposals or than
            the graph has rows.
    """

    def __init__(self, model: UPSNet, *, input_size: tuple[int, int]) -> None:
        super().__init__()
        if not isinstance(model, UPSNet) or model.semantic_head is None:
            raise ModelError(
                'the graph needs a semantic and an instance head; expected a checkpoint of a '
                "recipe with model.network 'upsnet'"
            )
        if not model.test_candidates <= min(model.test_proposals.post_nms, CANDIDATE_SLOTS):
            raise ModelError(
                f'model.test_candidates is {model.test_candidates}, expected at most '
                f'{CANDIDATE_SLOTS} and at most model.test_post_nms, which is '
                f'{model.test_proposals.post_nms}'
            )
        self.model = fuse_normalisation(model)
        self.input_size = input_size
        self.picture_size = PictureSize(input_size)
        self.canvas = LevelCanvas(input_size, canonical_size=model.canonical_size)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Run the network.

        Args:
            image: uint8 ``[1, H, W, 3]`` BGR.

        Returns:
            Semantic logits ``[1, S, H / 4, W / 4]``, boxes ``[1, 100, 4]``, scores ``[1, 100]``,
            classes int32 ``[1, 100]`` (train ids), mask logits ``[1, 100, 28, 28]`` and count
            int32 ``[1]``; rows from count on are zero.
        """
        camera_pixels = image.float()
        last = (self.picture_size(camera_pixels) - 1).clamp(min=0)
        corner = last.flip(0).repeat(2)  # x, y, x, y
        pixels = self.model.normalise(camera_pixels.permute(0, 3, 1, 2))
        output = self.model.pyramid_output(pixels)
        proposals, valid = self._proposals(output, corner)
        canvas = self.canvas(output.levels[:4])
        boxes, scores, classes, kept = self._candidates(canvas, proposals, valid, corner)
        masks = self.model.mask_head(
            self.canvas.align(canvas, boxes, self.model.mask_head.bins)
        )  # [k, T + 1, 28, 28]
        index = classes.view(-1, 1, 1, 1).expand(-1, 1, *masks.shape[2:])
        own = masks.gather(1, index)[:, 0]
        shown = kept.float()
        train_ids = (classes + self.model.num_stuff - 1) * kept.long()
        empty = CANDIDATE_SLOTS - self.model.test_candidates
        return (
            self.model.semantic()(output.levels[:4]),
            F.pad(boxes * shown[:, None], (0, 0, 0, empty))[None],
            F.pad(scores * shown, (0, empty))[None],
            F.pad(train_ids.int(), (0, empty))[None],
            F.pad(own * shown[:, None, None], (0, 0, 0, 0, 0, empty))[None],
            kept.int().sum().int().view(1),
        )

    def _proposals(self, output: PyramidOutput, corner: Tensor) -> tuple[Tensor, Tensor]:
        limits = self.model.test_proposals
        all_boxes, all_scores = [], []
        for logits, deltas, anchors in zip(
            output.rpn_logits, output.rpn_deltas, output.anchors, strict=True
        ):
            count = min(limits.pre_nms, anchors.shape[0])
            scores, order = logits[0].topk(count)
            boxes = decode_boxes(anchors[order], deltas[0][order], weights=RPN_WEIGHTS)
            missing = limits.pre_nms - count  # small levels are filled up: one product for all
            all_boxes.append(F.pad(boxes, (0, 0, 0, missing)))
            all_scores.append(F.pad(scores, (0, missing), value=SUPPRESSED))
        boxes = _clip(torch.stack(all_boxes), corner)  # [5, n, 4]
        scores = torch.stack(all_scores)
        keep = unrolled_nms(boxes, scores > SUPPRESSED, RPN_NMS_THRESHOLD)
        keep = keep & (keep.float().cumsum(1) <= limits.post_nms)
        scores = torch.where(keep, scores, torch.full_like(scores, SUPPRESSED))
        scores, order = scores.flatten().topk(limits.post_nms)
        return boxes.flatten(0, 1)[order], scores > SUPPRESSED

    def _candidates(
        self, canvas: Tensor, proposals: Tensor, valid: Tensor, corner: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        features = self.canvas.align(canvas, proposals, self.model.box_head.bins)
        logits, deltas = self.model.box_head(features)
        scores, best = logits.softmax(dim=1)[:, 1:].max(dim=1)
        classes = best + 1
        index = classes.view(-1, 1, 1).expand(-1, 1, 4)
        chosen = deltas.gather(1, index)[:, 0]
        boxes = decode_boxes(proposals, chosen, weights=BOX_HEAD_WEIGHTS)
        boxes = _clip(boxes, corner)
        usable = valid & (scores > SCORE_FLOOR)
        scores = torch.where(usable, scores, torch.full_like(scores, -1.0))
        scores, order = scores.topk(scores.shape[0])
        boxes, classes = boxes[order], classes[order]
        keep = unrolled_nms(boxes, scores > 0, NMS_THRESHOLD)
        ranked = torch.where(keep, scores, torch.full_like(scores, -1.0))
        scores, order = ranked.topk(self.model.test_candidates)
        return boxes[order], scores, classes[order], scores > 0


def _clip(boxes: Tensor, corner: Tensor) -> Tensor:
    """Clip ``[..., 4]`` boxes to what lies between zero and a corner ``(x, y, x, y)``."""
    return torch.minimum(boxes, corner).clamp(min=0)


def fuse_normalisation(model: UPSNet) -> UPSNet:
    """A copy of the network in evaluation mode with batch normalisation folded away.

    Normalisation after a deformable convolution stays; a network fused before is just copied.
    """
    fused = copy.deepcopy(model).eval()
    for pair in normalised_layers(fused.backbone):
        layers = [fused.backbone.get_submodule(name) for name in pair]
        for name, layer in zip(pair, _fuse(*layers), strict=True):
            fused.backbone.set_submodule(name, layer)
    return fused


def normalised_layers(backbone: nn.Module) -> list[tuple[str, str]]:
    """The names of each convolution and the normalisation behind it."""
    pairs = [('stem.0', 'stem.1')]
    for name, block in backbone.named_modules():
        if isinstance(block, Bottleneck):
            pairs += [(f'{name}.conv{index}', f'{name}.bn{index}') for index in (1, 2, 3)]
            if isinstance(block.shortcut, nn.Sequential):
                pairs.append((f'{name}.shortcut.0', f'{name}.shortcut.1'))
    return pairs


def _fuse(conv: nn.Module, norm: nn.Module) -> tuple[nn.Module, nn.Module]:
    if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
        return fuse_conv_bn_eval(conv, norm), nn.Identity()
    return conv, norm


def round_weights(model: UPSNet) -> UPSNet:
    """A fused copy whose weights are exactly representable in half precision."""
    rounded = fuse_normalisation(model)
    with torch.no_grad():
        for parameter in rounded.parameters():
            parameter.copy_(parameter.half().float())
    return rounded
