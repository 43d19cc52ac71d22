# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""From a batch to the eight losses of the paper (section 3.2, "Training").

Every loss is normalised within an image and then averaged over the images, as with one image per
device in the published runs: how a step's images are spread over processes, or over parts computed
one after another, changes nothing (but for what images of different shapes see of their common
padding).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from training.data.sample import Sample
from training.divergence import TrainingDiverged
from training.losses.pixel_loss import panoptic_loss, semantic_loss, semantic_roi_loss
from training.losses.proposal_loss import proposal_losses
from training.losses.region_loss import box_losses, image_shares, mask_loss
from training.matching.crop_labels import crop_labels
from training.matching.mask_targets import mask_targets, polygon_mask_targets
from training.matching.panoptic_targets import draw_kept, panoptic_targets, quarter
from training.matching.roi_sampling import RoiTargets, sample_rois
from training.matching.rpn_targets import match_anchors
from training.models.panoptic_logits import build_panoptic_logits
from training.models.pixels import PixelNormalisation
from training.models.roi_features import quarter_roi_align
from training.models.upsnet import PyramidOutput, UPSNet
from upsnet_ros.core.geometry import SIDE_MULTIPLE


@dataclass(frozen=True)
class LossWeights:
    """Weights of the losses; those of the RPN, box and mask losses are 1, and 0 saves the work."""

    semantic: float
    semantic_roi: float
    panoptic: float


@dataclass(frozen=True)
class TargetChoices:
    """What the losses are taught.

    Attributes:
        rois_per_image: Regions drawn per image.
        foreground_rois: Most foreground regions per image.
        keep_share: Share of instances that stay known in the panoptic loss.
        predict_unknown: Whether the panoptic logits have an unknown channel.
        full_resolution_semantic: See :func:`training.losses.pixel_loss.semantic_loss`.
        crop_features: Whether the RoI loss crops features (published) or logits (the paper).
        draw_polygons: Whether mask targets are drawn from outlines or sampled from pixels.
        match_crowds: Whether proposals on crowds are positives.
    """

    rois_per_image: int
    foreground_rois: int
    keep_share: float
    predict_unknown: bool
    full_resolution_semantic: bool
    crop_features: bool
    draw_polygons: bool
    match_crowds: bool


class Criterion:
    """Computes the losses of a batch.

    Args:
        weights: Loss weights.
        choices: What is taught.
    """

    def __init__(self, weights: LossWeights, choices: TargetChoices) -> None:
        self.weights = weights
        self.choices = choices

    def __call__(self, model: UPSNet, batch: list[Sample]) -> dict[str, Tensor]:
        """Run the network on a batch of samples of one padded size.

        Returns:
            Weighted losses by name; their sum is what is minimised.

        Raises:
            TrainingDiverged: If the features are not finite.
        """
        generators = [sample.generator() for sample in batch]
        output = model.pyramid_output(stack_images(model.normalise, batch))
        if not torch.isfinite(output.levels[0]).all():  # P2 contains what is wrong above it
            raise TrainingDiverged('the features are not finite', [s.name for s in batch])
        losses = self._proposal_losses(output, batch, generators)
        rois = self._sample_rois(model, output, batch, generators)
        losses |= self._box_losses(model, output, rois)
        losses['mask'] = self._mask_loss(model, output, batch, rois)
        if model.semantic_head is not None:
            losses |= self._pixel_losses(model, output, batch, generators)
        return losses

    def _proposal_losses(
        self, output: PyramidOutput, batch: list[Sample], generators: list[torch.Generator]
    ) -> dict[str, Tensor]:
        anchors = torch.cat(output.anchors)
        logits, deltas = torch.cat(output.rpn_logits, 1), torch.cat(output.rpn_deltas, 1)
        terms = []
        for index, sample in enumerate(batch):
            targets = match_anchors(
                anchors, sample.boxes, image_size=sample.size, generator=generators[index]
            )
            terms.append(proposal_losses(logits[index], deltas[index], targets))
        objectness, box = zip(*terms, strict=True)
        return {
            'rpn_objectness': torch.stack(objectness).mean(),
            'rpn_box': torch.stack(box).mean(),
        }

    def _sample_rois(
        self,
        model: UPSNet,
        output: PyramidOutput,
        batch: list[Sample],
        generators: list[torch.Generator],
    ) -> list[RoiTargets]:
        proposals = model.proposals(output, [sample.size for sample in batch])
        return [
            sample_rois(
                found,
                sample.boxes,
                sample.classes,
                crowd_boxes=sample.crowd_boxes,
                crowd_classes=sample.crowd_classes,
                match_crowds=self.choices.match_crowds,
                scale=sample.scale,
                per_image=self.choices.rois_per_image,
                foreground=self.choices.foreground_rois,
                generator=generator,
            )
            for found, sample, generator in zip(proposals, batch, generators, strict=True)
        ]

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
            image_shares([len(roi.boxes) for roi in rois], device=classes.device),
        )
        return {'box_class': classification, 'box_regression': regression}

    def _mask_loss(
        self, model: UPSNet, output: PyramidOutput, batch: list[Sample], rois: list[RoiTargets]
    ) -> Tensor:
        boxes = [roi.boxes[roi.mask_rows] for roi in rois]
        classes = torch.cat([roi.classes[roi.mask_rows] for roi in rois])
        logits = model.mask_outputs(output.levels, boxes)
        targets = [
            self._mask_targets(sample, roi.matched, own)
            for sample, roi, own in zip(batch, rois, boxes, strict=True)
        ]
        shares = image_shares([len(own) for own in boxes], device=classes.device)
        return mask_loss(logits, classes, torch.cat(targets), shares)

    def _mask_targets(self, sample: Sample, matched: Tensor, boxes: Tensor) -> Tensor:
        if self.choices.draw_polygons:
            return polygon_mask_targets(sample.polygons, matched, boxes)
        return mask_targets(sample.instances, matched, boxes)

    def _pixel_losses(
        self,
        model: UPSNet,
        output: PyramidOutput,
        batch: list[Sample],
        generators: list[torch.Generator],
    ) -> dict[str, Tensor]:
        features = model.semantic().features(output.levels[:4])
        logits = model.semantic().score(features)
        labels = torch.stack([sample.semantic for sample in batch])
        loss = semantic_loss(logits, labels, full_resolution=self.choices.full_resolution_semantic)
        losses = {'semantic': self.weights.semantic * loss}
        if self.weights.semantic_roi:
            loss = self._semantic_roi_loss(model, features, logits, batch)
            losses['semantic_roi'] = self.weights.semantic_roi * loss
        if self.weights.panoptic:
            loss = self._panoptic_loss(model, output, logits, batch, generators)
            losses['panoptic'] = self.weights.panoptic * loss
        return losses

    def _semantic_roi_loss(
        self, model: UPSNet, features: Tensor, logits: Tensor, batch: list[Sample]
    ) -> Tensor:
        size = model.mask_head.mask_size
        boxes = [sample.boxes for sample in batch]
        if self.choices.crop_features:
            crops = model.semantic().score(quarter_roi_align(features, boxes, output_size=size))
        else:
            crops = quarter_roi_align(logits, boxes, output_size=size)
        labels = torch.cat([crop_labels(s.semantic, s.boxes, size) for s in batch])
        shares = image_shares([len(own) for own in boxes], device=crops.device)
        return semantic_roi_loss(crops, labels, shares)

    def _panoptic_loss(
        self,
        model: UPSNet,
        output: PyramidOutput,
        logits: Tensor,
        batch: list[Sample],
        generators: list[torch.Generator],
    ) -> Tensor:
        kept = [
            draw_kept(len(s.boxes), keep_share=self.choices.keep_share, generator=g).to(
                s.boxes.device
            )
            for s, g in zip(batch, generators, strict=True)
        ]
        boxes = [sample.boxes[keep] for sample, keep in zip(batch, kept, strict=True)]
        masks = model.mask_outputs(output.levels, boxes).split([len(own) for own in boxes])
        terms = [
            self._panoptic_term(model, logits[index], masks[index], batch[index], kept[index])
            for index in range(len(batch))
        ]
        return torch.stack(terms).mean() + sum(mask.sum() for mask in masks) * 0.0

    def _panoptic_term(
        self, model: UPSNet, logits: Tensor, masks: Tensor, sample: Sample, keep: Tensor
    ) -> Tensor:
        # The padding that an image's own size asks for counts, that of the batch does not.
        height, width = (-(-side // SIDE_MULTIPLE) * SIDE_MULTIPLE // 4 for side in sample.size)
        classes = sample.classes[keep]
        own = masks[torch.arange(len(keep), device=classes.device), classes]
        z = build_panoptic_logits(
            logits[:, :height, :width].float(),
            own.float(),
            sample.boxes[keep] / 4,
            classes,
            num_stuff=model.num_stuff,
            predict_unknown=self.choices.predict_unknown,
        )
        targets = panoptic_targets(
            quarter(sample.semantic)[:height, :width],
            sample.masks_of(keep, step=4)[:, :height, :width],
            num_stuff=model.num_stuff,
            predict_unknown=self.choices.predict_unknown,
        )
        return panoptic_loss(z, targets)


def stack_images(normalise: PixelNormalisation, batch: list[Sample]) -> Tensor:
    """The batch's images for a backbone: ``[B, 3, H, W]`` float, padding exactly zero."""
    images = normalise(torch.stack([sample.image for sample in batch]))
    for image, sample in zip(images, batch, strict=True):
        height, width = sample.size
        image[:, height:] = 0
        image[:, :, width:] = 0
    return images.contiguous(memory_format=torch.channels_last)
