# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A picture of every stage of an inspection, drawn from its arrays alone.

So the arrays of another model, or of another implementation under the same names, give pictures
that can be laid beside these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from training.inspection.arrays import LEVELS
from training.inspection.sheet import Box, Colour, Panel, draw_sheet
from upsnet_ros.core.labels import (
    INSTANCE_BITS,
    MAX_INSTANCE,
    UNKNOWN_LABEL,
    LabelSet,
    encode_label,
)
from upsnet_ros.core.overlay import colour_label_image, draw_overlay

Arrays = Mapping[str, np.ndarray]

BEST_PROPOSALS = 100  # drawn as boxes
NAMED_BOXES = 30  # more names than these cover the picture
MASK_SHARE = 0.55  # of the colour where a mask lies on the image
GREY: Colour = (150, 150, 150)
UNKNOWN: tuple[str, Colour] = ('unknown', (0, 0, 0))


class Pictures:
    """Draws the sheets of one inspection.

    Args:
        arrays: See :mod:`training.inspection.arrays`.
        label_set: Names and colours of the classes.
    """

    def __init__(self, arrays: Arrays, label_set: LabelSet) -> None:
        self._arrays = arrays
        self._labels = label_set
        height, width = (int(side) for side in arrays['content_size'])
        self._content = cv2.resize(
            arrays['image'], (width, height), interpolation=cv2.INTER_AREA
        )  # for show: not exactly the pixels the network gets

    def draw(self, folder: Path) -> list[Path]:
        """Write all sheets into a folder, numbered in the order of the stages."""
        sheets: dict[str, Callable[[Path], None]] = {
            'input': self._input,
            'pyramid': self._pyramid,
            'rpn': self._rpn,
            'proposals': self._proposals,
            'detections': self._detections,
            'candidates': self._candidates,
            'semantic': self._semantic,
            'panoptic': self._panoptic,
            'result': self._result,
        }
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for number, (name, draw) in enumerate(sheets.items(), start=1):
            paths.append(folder / f'{number:02}_{name}.png')
            draw(paths[-1])
        return paths

    def _input(self, path: Path) -> None:
        image, pixels = self._arrays['image'], self._arrays['pixels']
        size, content = image.shape[:2], self._arrays['content_size']
        low, high = float(pixels.min()), float(pixels.max())
        shown = (pixels.transpose(1, 2, 0) - low) * (255 / max(high - low, 1e-6))
        title = (
            f'Input: {size[1]} x {size[0]} on disk, times {float(self._arrays["scale"]):.4f} is '
            f'{content[1]} x {content[0]}, padded to {pixels.shape[2]} x {pixels.shape[1]}'
        )
        panels = [
            Panel('image on disk', image),
            Panel(
                f'what the backbone gets, {low:.1f} (black) to {high:.1f} (white)',
                shown.astype(np.uint8),
            ),
        ]
        draw_sheet(path, title, panels)

    def _pyramid(self, path: Path) -> None:
        panels = [Panel('image on disk', self._arrays['image'])]
        for level in LEVELS:
            features = self._arrays[f'p{level}']
            strength = np.sqrt(np.mean(np.square(features), axis=0))
            title = f'P{level}, stride {2**level}: {features.shape[2]} x {features.shape[1]} cells'
            panels.append(Panel(title, strength))
        channels = len(self._arrays['p2'])
        title = f'Feature pyramid: root mean square of the {channels} channels'
        draw_sheet(path, title, panels, columns=3)

    def _rpn(self, path: Path) -> None:
        panels = [Panel('image on disk', self._arrays['image'])]
        for level in LEVELS:
            logits = self._arrays[f'rpn_logits_p{level}'].max(axis=2)
            title = f'P{level}, stride {2**level}'
            panels.append(Panel(title, 1 / (1 + np.exp(-logits)), limits=(0.0, 1.0)))
        title = 'Region proposal network: objectness, the best of three anchors of each cell'
        draw_sheet(path, title, panels, columns=3)

    def _proposals(self, path: Path) -> None:
        boxes = self._arrays['proposals']
        best = [Box(box, _rank_colour(i, BEST_PROPOSALS)) for i, box in enumerate(boxes[:100])]
        coverage = np.zeros(self._content.shape[:2], np.float32)
        for x1, y1, x2, y2 in boxes.astype(int):
            coverage[y1 : y2 + 1, x1 : x2 + 1] += 1
        panels = [
            Panel(f'the best {len(best)}, the surest in yellow', self._content, tuple(best[::-1])),
            Panel('how many of all cover a pixel', coverage),
        ]
        draw_sheet(path, f'Proposals: {len(boxes)}', panels)

    def _detections(self, path: Path) -> None:
        image, classes = self._arrays['image'], self._arrays['detection_classes']
        boxes, scores = self._arrays['detection_boxes'], self._arrays['detection_scores']
        masked = image.copy()
        for mask, class_id in zip(
            self._arrays['detection_masks'][::-1], classes[::-1], strict=True
        ):
            _tint(masked, mask, self._colour(class_id))
        title = f'Detections, suppressed class by class: {len(boxes)}, as average precision counts'
        panels = [
            Panel('boxes, names of the surest', image, self._boxes(boxes, classes, scores)),
            Panel('masks, the surest on top', masked),
        ]
        draw_sheet(path, title, panels, legend=self._legend(classes))

    def _candidates(self, path: Path) -> None:
        boxes, scores = self._arrays['candidate_boxes'], self._arrays['candidate_scores']
        classes, kept = self._arrays['candidate_classes'], self._arrays['kept_rows']
        masked = self._content.copy()
        for row in kept[::-1]:
            _tint_box(
                masked,
                boxes[row],
                self._arrays['candidate_mask_logits'][row],
                self._colour(classes[row]),
            )
        dropped = np.setdiff1d(np.arange(len(boxes)), kept)
        pruned = tuple(Box(boxes[row], GREY, is_faint=True) for row in dropped)
        title = (
            f'Panoptic candidates, suppressed over all classes: {len(boxes)}; '
            f'{len(kept)} are kept by mask pruning'
        )
        marked = self._boxes(boxes[kept], classes[kept], scores[kept])
        panels = [
            Panel('kept in colour, pruned dashed', self._content, pruned + marked),
            Panel('masks (logit above 0) of the kept, the surest on top', masked),
        ]
        draw_sheet(path, title, panels, legend=self._legend(classes))

    def _semantic(self, path: Path) -> None:
        labels, logits = self._arrays['semantic_labels'], self._arrays['semantic_logits']
        best = np.partition(logits, -2, axis=0)[-2:] if len(logits) > 1 else logits[[0, 0]]
        picture = self._under(labels.astype(np.uint16) << INSTANCE_BITS)
        panels = [
            Panel('class with the largest logit', picture),
            Panel('largest minus second largest logit, at 1/4', best[1] - best[0]),
        ]
        title = f'Semantic head: {len(logits)} classes'
        draw_sheet(path, title, panels, legend=self._legend(labels))

    def _panoptic(self, path: Path) -> None:
        before, after = self._before_assignment(), self._arrays['panoptic_labels']
        changed = (before >> INSTANCE_BITS) != (after >> INSTANCE_BITS)
        grey = cv2.cvtColor(self._at_size(after.shape), cv2.COLOR_BGR2GRAY)
        picture = np.where(changed[..., None], self._under(after), grey[..., None])
        panels = [
            Panel('image', self._at_size(after.shape)),
            Panel('winning logit, instances with the class of their box', self._under(before)),
            Panel('after class assignment and the area limit of stuff', self._under(after)),
            Panel('where the class changed, in its new colour', picture),
        ]
        title = f'Panoptic labels: {changed.mean():.1%} of the pixels change class'
        legend = self._legend(np.concatenate((before, after)) >> INSTANCE_BITS)
        draw_sheet(path, title, panels, legend=legend)

    def _result(self, path: Path) -> None:
        classes, instances = (self._arrays['result'][..., plane] for plane in (0, 1))
        labels = classes.astype(np.uint16) << INSTANCE_BITS | instances
        count = len(np.unique(labels[(instances > 0) & (labels != UNKNOWN_LABEL)]))
        unknown = float((labels == UNKNOWN_LABEL).mean())
        panels = [
            Panel('image on disk', self._arrays['image']),
            Panel('labels', draw_overlay(self._arrays['image'], labels, self._labels)),
            Panel('labels alone', colour_label_image(labels, self._labels)),
            Panel('instances', self._arrays['image'], self._instance_boxes(labels)),
        ]
        title = f'Result: {count} instances, {unknown:.1%} unknown'
        draw_sheet(path, title, panels, legend=self._legend(classes))

    def _instance_boxes(self, labels: np.ndarray) -> tuple[Box, ...]:
        """Names of the result's instances on boxes around their pixels."""
        boxes = []
        for label in np.unique(labels[(labels & MAX_INSTANCE > 0) & (labels != UNKNOWN_LABEL)]):
            left, top, width, height = cv2.boundingRect((labels == label).astype(np.uint8))
            class_id, number = divmod(int(label), 1 << INSTANCE_BITS)
            text = f'{self._labels.classes[class_id].name} {number}'
            corners = (left, top, left + width - 1, top + height - 1)
            boxes.append(Box(corners, self._colour(class_id), text))
        return tuple(boxes)

    def _before_assignment(self) -> np.ndarray:
        """The winning channels as a label image: uint16 [h, w]."""
        num_stuff = int(self._arrays['num_stuff'])
        classes = self._arrays['candidate_classes'][self._arrays['kept_rows']]
        table = [encode_label(stuff, 0) for stuff in range(num_stuff)]
        for index, class_id in enumerate(classes):
            number = int((classes[: index + 1] == class_id).sum())
            table.append(encode_label(int(class_id), number))
        table.append(UNKNOWN_LABEL)
        return np.array(table, dtype=np.uint16)[self._arrays['panoptic_channels']]

    def _under(self, labels: np.ndarray) -> np.ndarray:
        """The image under labels of either size: uint8 [h, w, 3]."""
        return draw_overlay(self._at_size(labels.shape), labels, self._labels, alpha=0.7)

    def _at_size(self, size: tuple[int, int]) -> np.ndarray:
        """The image at the size of a label map: the resized one's, or that on disk."""
        same = self._content.shape[:2] == tuple(size)
        return self._content if same else self._arrays['image']

    def _colour(self, class_id: int) -> Colour:
        return self._labels.classes[int(class_id)].colour

    def _boxes(
        self, boxes: np.ndarray, classes: np.ndarray, scores: np.ndarray
    ) -> tuple[Box, ...]:
        """Boxes in the colours of their classes, the surest with their names and on top."""
        marked = []
        for row, (box, class_id, score) in enumerate(zip(boxes, classes, scores, strict=True)):
            name = f'{self._labels.classes[int(class_id)].name} {score:.2f}'
            text = name if row < NAMED_BOXES else ''
            marked.append(Box(box, self._colour(class_id), text))
        return tuple(marked[::-1])

    def _legend(self, classes: np.ndarray) -> list[tuple[str, Colour]]:
        """Name and colour of the classes that occur, and of unknown where it does."""
        present = [int(class_id) for class_id in np.unique(classes)]
        known = [self._labels.classes[i] for i in present if i < self._labels.num_classes]
        entries = [(entry.name, entry.colour) for entry in known]
        return entries + ([UNKNOWN] if len(known) < len(present) else [])


def _rank_colour(rank: int, count: int) -> Colour:
    """From yellow for the first to dark violet for the last."""
    share = np.uint8(255 * (1 - rank / max(count, 1)))
    blue, green, red = cv2.applyColorMap(share.reshape(1, 1), cv2.COLORMAP_VIRIDIS)[0, 0].tolist()
    return red, green, blue


def _tint(picture: np.ndarray, mask: np.ndarray, colour: Colour) -> None:
    """Mix a colour into the masked pixels of a BGR picture, in place."""
    mixed = picture[mask] * (1 - MASK_SHARE) + np.array(colour[::-1]) * MASK_SHARE
    picture[mask] = mixed.astype(np.uint8)


def _tint_box(picture: np.ndarray, box: np.ndarray, logits: np.ndarray, colour: Colour) -> None:
    """Mix a colour into the pixels of a box whose mask logit is above 0, in place."""
    left, top, right, bottom = (int(value) for value in box)
    size = (max(right - left + 1, 1), max(bottom - top + 1, 1))
    patch = cv2.resize(logits, size, interpolation=cv2.INTER_LINEAR)
    window = picture[top : bottom + 1, left : right + 1]
    _tint(window, patch[: window.shape[0], : window.shape[1]] > 0, colour)
