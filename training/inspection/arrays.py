# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The names of an inspection's arrays, and what each holds.

Letters: H0 x W0 is the image on disk, H x W the padded input, h x w a pyramid level, r x c the
grid on which labels are decided (the unpadded input, or the image on disk where the recipe's
panoptic_head.label_resolution is 'image'), S the semantic classes (N stuff, then T things), P
proposals, D detections, K panoptic candidates, M kept instances. Boxes are x1, y1, x2, y2 with
both corners inside. Classes are train ids, stuff first.
"""

import textwrap
from dataclasses import dataclass

LEVELS = (2, 3, 4, 5, 6)  # P2..P6, strides 4 to 64


@dataclass(frozen=True)
class ArrayNote:
    """What one array is.

    Attributes:
        name: Its name in the file.
        form: Type and shape.
        meaning: What it holds, in one sentence.
    """

    name: str
    form: str
    meaning: str


def _note(name: str, form: str, meaning: str) -> ArrayNote:
    return ArrayNote(name, form, meaning)


_LEVEL_NOTES = tuple(
    note
    for level in LEVELS
    for note in (
        _note(f'p{level}', 'float32 [C, h, w]', f'pyramid level P{level}, stride {2**level}'),
        _note(
            f'rpn_logits_p{level}',
            'float32 [h, w, 3]',
            f'objectness on P{level} before the sigmoid, anchors of ratio 0.5, 1, 2',
        ),
        _note(
            f'rpn_deltas_p{level}',
            'float32 [h, w, 3, 4]',
            f'dx, dy, dw, dh of the anchors on P{level}',
        ),
    )
)

ARRAYS = (
    _note('image', 'uint8 [H0, W0, 3]', 'the image on disk, BGR'),
    _note('pixels', 'float32 [3, H, W]', 'what the backbone gets: resized, normalised, padded'),
    _note(
        'content_size', 'int64 [2]', 'rows and columns of pixels that show the image, not padding'
    ),
    _note('scale', 'float64', 'input pixels per pixel of the image on disk'),
    _note('class_names', 'text [S]', 'names of the classes by train id'),
    _note('num_stuff', 'int64', 'N: classes from N on are things'),
    *_LEVEL_NOTES,
    _note('proposals', 'float32 [P, 4]', 'boxes in input pixels, by descending objectness'),
    _note('proposal_class_logits', 'float32 [P, T + 1]', 'box head: background, then things'),
    _note('proposal_box_deltas', 'float32 [P, T + 1, 4]', 'box head: deltas for every class'),
    _note(
        'detection_boxes',
        'float32 [D, 4]',
        'instances as counted for average precision (suppression per class, score above 0.05, the '
        'best 100), boxes in pixels of the image on disk',
    ),
    _note('detection_scores', 'float32 [D]', 'their scores, descending'),
    _note('detection_classes', 'int64 [D]', 'their classes'),
    _note('detection_masks', 'bool [D, H0, W0]', 'their masks on the image on disk'),
    _note(
        'candidate_boxes',
        'float32 [K, 4]',
        "candidates of the panoptic head (suppression over all classes, score above the recipe's "
        'threshold), boxes in input pixels',
    ),
    _note('candidate_scores', 'float32 [K]', 'their scores, descending'),
    _note('candidate_classes', 'int64 [K]', 'their classes'),
    _note('candidate_mask_logits', 'float32 [K, 28, 28]', 'masks of their class, no sigmoid'),
    _note('semantic_logits', 'float32 [S, H/4, W/4]', 'semantic head at 1/4 of the padded input'),
    _note(
        'kept_rows', 'int64 [M]', 'candidates that mask pruning keeps, as rows of candidate_boxes'
    ),
    _note(
        'semantic_labels', 'uint8 [r, c]', 'class with the largest semantic logit, interpolated'
    ),
    _note(
        'panoptic_channels',
        'uint16 [r, c]',
        'before class assignment: the winning panoptic logit, 0 to N - 1 stuff, N + i for '
        'instance i of kept_rows, N + M unknown',
    ),
    _note(
        'panoptic_labels',
        'uint16 [r, c]',
        'after class assignment and the area limit of stuff: class * 256 + instance; 65535 is '
        'unknown',
    ),
    _note(
        'result',
        'uint8 [H0, W0, 2]',
        'the final answer on the image on disk: class (255 unknown), and instance from 1 in each '
        "class (0 stuff, 255 unknown); where the recipe's panoptic_head.kind is 'heuristic' it is "
        'made of the detections, and the four arrays above show what the unified head would do',
    ),
)


def describe_arrays() -> str:
    """All names with form and meaning, as text for a terminal."""
    lines = []
    for note in ARRAYS:
        lines.append(f'  {note.name:<22}{note.form}')
        lines += textwrap.wrap(note.meaning, 92, initial_indent=' ' * 6, subsequent_indent=' ' * 6)
    return '\n'.join(lines)
