# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""UPSNet: the parts put together, with no configuration below this point.

Source: Xiong et al. 2019, section 3.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from training.models.anchors import level_anchors
from training.models.box_head import BoxHead
from training.models.fpn import FeaturePyramid
from training.models.mask_head import MaskHead
from training.models.pixels import PixelFormat, PixelNormalisation
from training.models.resnet import ResNet
from training.models.roi_features import pyramid_roi_align
from training.models.rpn import RegionProposalHead, select_proposals
from training.models.semantic_head import SemanticHead
from upsnet_ros.core.errors import ModelError

LEVEL_STRIDES = (4, 8, 16, 32, 64)


@dataclass(frozen=True)
class ProposalLimits:
    """Candidates per level before suppression, and proposals kept per level and in total."""

    pre_nms: int
    post_nms: int


@dataclass(frozen=True)
class PyramidOutput:
    """What every head starts from.

    Attributes:
        levels: P2..P6, each ``[B, C, h, w]``.
        rpn_logits: Objectness logits per level, each ``[B, A_l]``.
        rpn_deltas: Box deltas per level, each ``[B, A_l, 4]``.
        anchors: Anchors per level, each ``[A_l, 4]`` in input pixels.
    """

    levels: list[Tensor]
    rpn_logits: list[Tensor]
    rpn_deltas: list[Tensor]
    anchors: list[Tensor]


class UPSNet(nn.Module):
    """Unified panoptic segmentation network.

    Args:
        backbone: Stage outputs res2..res5.
        pyramid: P2..P6.
        rpn: Region proposal head.
        box_head: Class and box of a region.
        mask_head: Mask of a region.
        semantic_head: Semantic logits at 1/4; None for Mask R-CNN alone.
        num_stuff: Stuff classes; semantic channels ``0..num_stuff - 1``.
        num_things: Thing classes; box class c in 1..num_things is channel ``num_stuff - 1 + c``.
        pixels: What the backbone's weights expect of camera pixels.
        anchor_scale: Anchor side over stride.
        canonical_size: Side in pixels of a box that belongs to P4.
        train_proposals: Proposal limits while training.
        test_proposals: Proposal limits at inference.
        test_candidates: Most candidates of the panoptic head per image.
    """

    def __init__(
        self,
        *,
        backbone: ResNet,
        pyramid: FeaturePyramid,
        rpn: RegionProposalHead,
        box_head: BoxHead,
        mask_head: MaskHead,
        semantic_head: SemanticHead | None,
        num_stuff: int,
        num_things: int,
        pixels: PixelFormat,
        anchor_scale: float,
        canonical_size: float,
        train_proposals: ProposalLimits,
        test_proposals: ProposalLimits,
        test_candidates: int,
    ) -> None:
        super().__init__()
        self.normalise = PixelNormalisation(pixels)
        self.backbone = backbone
        self.pyramid = pyramid
        self.rpn = rpn
        self.box_head = box_head
        self.mask_head = mask_head
        self.semantic_head = semantic_head
        self.num_stuff = num_stuff
        self.num_things = num_things
        self.anchor_scale = anchor_scale
        self.canonical_size = canonical_size
        self.train_proposals = train_proposals
        self.test_proposals = test_proposals
        self.test_candidates = test_candidates

    def pyramid_output(self, images: Tensor) -> PyramidOutput:
        """Features, proposal logits and anchors of a batch.

        Args:
            images: ``[B, 3, H, W]`` float from :attr:`normalise`; sides multiples of 32.
        """
        levels = self.pyramid(self.backbone(images))
        logits, deltas = self.rpn(levels)
        anchors = [
            level_anchors(stride, level.shape[-2:], scale=self.anchor_scale).to(images.device)
            for stride, level in zip(LEVEL_STRIDES, levels, strict=True)
        ]
        return PyramidOutput(levels, logits, deltas, anchors)

    def semantic(self) -> SemanticHead:
        """The semantic head of a network that has one.

        Raises:
            ModelError: If this is Mask R-CNN alone.
        """
        if self.semantic_head is None:
            raise ModelError('this network is Mask R-CNN alone, expected one with a semantic head')
        return self.semantic_head

    def semantic_logits_quarter(self, images: Tensor) -> Tensor:
        """Semantic logits alone, ``[B, S, H / 4, W / 4]``; see :meth:`pyramid_output`."""
        return self.semantic()(self.pyramid(self.backbone(images))[:4])

    def proposals(self, output: PyramidOutput, image_sizes: list[tuple[int, int]]) -> list[Tensor]:
        """Proposals per image, ``[P_i, 4]`` in input pixels, by descending objectness."""
        limits = self.train_proposals if self.training else self.test_proposals
        return [
            select_proposals(
                [level[index] for level in output.rpn_logits],
                [level[index] for level in output.rpn_deltas],
                output.anchors,
                image_size=size,
                pre_nms=limits.pre_nms,
                post_nms=limits.post_nms,
            )
            for index, size in enumerate(image_sizes)
        ]

    def box_outputs(self, levels: list[Tensor], boxes: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Class logits ``[R, C]`` and deltas ``[R, C, 4]`` of all images' boxes in order."""
        return self.box_head(self._roi(levels, boxes, self.box_head.bins))

    def mask_outputs(self, levels: list[Tensor], boxes: list[Tensor]) -> Tensor:
        """Mask logits ``[R, C, 28, 28]`` of all images' boxes in order."""
        return self.mask_head(self._roi(levels, boxes, self.mask_head.bins))

    def _roi(self, levels: list[Tensor], boxes: list[Tensor], bins: int) -> Tensor:
        return pyramid_roi_align(
            levels[:4], boxes, output_size=bins, canonical_size=self.canonical_size
        )
