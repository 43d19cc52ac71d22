# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a batch to the eight losses of the paper (section 3.2, "Training")."""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.sample import MEAN_BGR, Sample
from training.divergence import TrainingDiverged
from training.losses.pixel_loss import panoptic_loss, semantic_loss, semantic_roi_loss
from training.losses.proposal_loss import proposal_losses
from training.losses.region_loss import box_losses, mask_loss
from training.matching.mask_targets import mask_targets
from training.matching.panoptic_targets import draw_kept, panoptic_targets, quarter
from training.matching.roi_sampling import RoiTargets, sample_rois
from training.matching.rpn_targets import match_anchors
from training.models.panoptic_logits import build_panoptic_logits
from training.models.roi_features import quarter_roi_align
from training.models.upsnet import PyramidOutput, UPSNet


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses; those of the RPN, box and mask losses are 1."""

    semantic: float
    semantic_roi: float
    panoptic: float


class Criterion:
    """Computes the losses of a batch.

    Args:
        weights: Loss weights; 0 for the RoI or the panoptic loss saves its work.
        rois_per_image: Regions drawn per image.
        foreground_rois: Most foreground regions per image.
        keep_share: Share of instances that stay known in the panoptic loss.
        full_resolution_semantic: See :func:`training.losses.pixel_loss.semantic_loss`.
        generator: Source of randomness on the CPU.
    """

    def __init__(
        self,
        *,
        weights: LossWeights,
        rois_per_image: int,
        foreground_rois: int,
        keep_share: float,
        full_resolution_semantic: bool,
        generator: torch.Generator,
    ) -> None:
        self.weights = weights
        self.rois_per_image = rois_per_image
        self.foreground_rois = foreground_rois
        self.keep_share = keep_share
        self.full_resolution_semantic = full_resolution_semantic
        self.generator = generator

    def __call__(self, model: UPSNet, batch: list[Sample]) -> dict[str, Tensor]:
        """Run the network on a batch of equally sized samples.

        RPN and panoptic losses are averaged over the images, the others pooled over the batch;
        with one image per device, as published, the two are the same.

        Returns:
            Weighted losses by name; their sum is what is minimised.

        Raises:
            TrainingDiverged: If the features are not finite.
        """
        images = normalise(torch.stack([sample.image for sample in batch]))
        output = model.pyramid_output(images)
        if not torch.isfinite(output.levels[0]).all():  # P2 contains what is wrong above it
            raise TrainingDiverged('the features are not finite', [s.name for s in batch])
        losses = self._proposal_losses(output, batch)
        proposals = model.proposals(output, [sample.size for sample in batch])
        rois = [
            sample_rois(
                found,
                sample.boxes,
                sample.classes,
                scale=sample.scale,
                per_image=self.rois_per_image,
                foreground=self.foreground_rois,
                generator=self.generator,
            )
            for found, sample in zip(proposals, batch, strict=True)
        ]
        losses |= self._box_losses(model, output, rois)
        losses['mask'] = self._mask_loss(model, output, batch, rois)
        losses |= self._pixel_losses(model, output, batch)
        return losses

    def _proposal_losses(self, output: PyramidOutput, batch: list[Sample]) -> dict[str, Tensor]:
        anchors = torch.cat(output.anchors)
        logits, deltas = torch.cat(output.rpn_logits, 1), torch.cat(output.rpn_deltas, 1)
        terms = []
        for index, sample in enumerate(batch):
            targets = match_anchors(
                anchors, sample.boxes, image_size=sample.size, generator=self.generator
            )
            terms.append(proposal_losses(logits[index], deltas[index], targets))
        objectness, box = zip(*terms, strict=True)
        return {
            'rpn_objectness': torch.stack(objectness).mean(),
            'rpn_box': torch.stack(box).mean(),
        }

    def _box_losses(
        self, model: UPSNet, output: PyramidOutput, rois: list[RoiTargets]
    ) -> dict[str, Tensor]:
        logits, deltas = model.box_outputs(output.levels, [roi.boxes for roi in rois])
        classes = torch.cat([roi.classes for roi in rois])
        classification, regression = box_losses(
            logits,
            deltas,
            classes,
            torch.nonzero(classes > 0).squeeze(1),
            torch.cat([roi.deltas for roi in rois]),
        )
        return {'box_class': classification, 'box_regression': regression}

    def _mask_loss(
        self, model: UPSNet, output: PyramidOutput, batch: list[Sample], rois: list[RoiTargets]
    ) -> Tensor:
        foreground = [roi.boxes[: len(roi.matched)] for roi in rois]
        logits = model.mask_outputs(output.levels, foreground)
        targets = [
            mask_targets(sample.masks, roi.matched, boxes)
            for sample, roi, boxes in zip(batch, rois, foreground, strict=True)
            if len(roi.matched)
        ]
        classes = torch.cat([roi.classes[: len(roi.matched)] for roi in rois])
        if not targets:
            return logits.sum() * 0.0
        return mask_loss(logits, classes, torch.cat(targets))

    def _pixel_losses(
        self, model: UPSNet, output: PyramidOutput, batch: list[Sample]
    ) -> dict[str, Tensor]:
        logits = model.semantic_head(output.levels[:4])
        labels = torch.stack([sample.semantic for sample in batch])
        loss = semantic_loss(logits, labels, full_resolution=self.full_resolution_semantic)
        losses = {'semantic': self.weights.semantic * loss}
        if self.weights.semantic_roi:
            loss = self._semantic_roi_loss(model, logits, batch)
            losses['semantic_roi'] = self.weights.semantic_roi * loss
        if self.weights.panoptic:
            loss = self._panoptic_loss(model, output, logits, batch)
            losses['panoptic'] = self.weights.panoptic * loss
        return losses

    def _semantic_roi_loss(self, model: UPSNet, logits: Tensor, batch: list[Sample]) -> Tensor:
        size = model.mask_head.mask_size
        boxes = [sample.boxes for sample in batch]
        crops = quarter_roi_align(logits, boxes, output_size=size)
        labels = [
            crop_labels(sample.semantic, box, size) for sample in batch for box in sample.boxes
        ]
        if not labels:
            return crops.sum() * 0.0
        return semantic_roi_loss(crops, torch.stack(labels))

    def _panoptic_loss(
        self, model: UPSNet, output: PyramidOutput, logits: Tensor, batch: list[Sample]
    ) -> Tensor:
        kept = [
            draw_kept(len(s.boxes), keep_share=self.keep_share, generator=self.generator).to(
                s.boxes.device
            )
            for s in batch
        ]
        boxes = [sample.boxes[keep] for sample, keep in zip(batch, kept, strict=True)]
        masks = model.mask_outputs(output.levels, boxes).split([len(b) for b in boxes])
        terms = []
        for index, (sample, keep) in enumerate(zip(batch, kept, strict=True)):
            classes = sample.classes[keep]
            own = masks[index][torch.arange(len(keep), device=classes.device), classes]
            z = build_panoptic_logits(
                logits[index].float(),
                own.float(),
                boxes[index] / 4,
                classes,
                num_stuff=model.num_stuff,
            )
            targets = panoptic_targets(
                quarter(sample.semantic), quarter(sample.masks[keep]), num_stuff=model.num_stuff
            )
            terms.append(panoptic_loss(z, targets))
        return torch.stack(terms).mean()


def normalise(images: Tensor) -> Tensor:
    """Subtract the channel means from ``[B, 3, H, W]`` uint8 BGR images.

    Padding holds the rounded mean colour, so it stays below one grey level of zero.
    """
    mean = torch.tensor(MEAN_BGR, device=images.device).view(1, 3, 1, 1)
    return (images.float() - mean).contiguous(memory_format=torch.channels_last)


def crop_labels(semantic: Tensor, box: Tensor, size: int) -> Tensor:
    """Nearest crop ``[size, size]`` of a label map at the rounded box, ends exclusive."""
    x1, y1, x2, y2 = (int(v) for v in box.round().tolist())
    rows = nearest_positions(y1, max(y2, y1 + 1), size, semantic.shape[0])
    columns = nearest_positions(x1, max(x2, x1 + 1), size, semantic.shape[1])
    return semantic[rows[:, None], columns[None, :]]


def nearest_positions(start: int, end: int, count: int, limit: int) -> Tensor:
    """Source positions of a nearest resize of ``[start, end)`` to ``count`` cells, clamped."""
    positions = start + (torch.arange(count) * (end - start)) // count
    return positions.clamp(0, limit - 1)
