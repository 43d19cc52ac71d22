# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The rows of the study: what is trained, how it is evaluated, and the paper's figures.

Source: paper tables 6 (COCO) and 8 (Cityscapes). The paper's weights "without loss balance" are
0.1 for both the semantic and the panoptic loss; with balance we take the base recipe's.
"""

from dataclasses import dataclass

NO_UNKNOWN = ('losses.predict_unknown=false', 'losses.keep_share=1.0')
NO_ROI_LOSS = ('losses.semantic_roi=0.0',)
UNBALANCED = ('losses.semantic=0.1', 'losses.panoptic=0.1')
NO_PANOPTIC_LOSS = ('losses.panoptic=0.0',)

# Name of a training: what it changes in the base recipe.
TRAININGS: dict[str, tuple[str, ...]] = {
    'upsnet': (),
    'without_unknown': NO_UNKNOWN,
    'without_roi_loss': (*NO_UNKNOWN, *NO_ROI_LOSS),
    'without_balance': (*NO_UNKNOWN, *NO_ROI_LOSS, *UNBALANCED),
    'without_panoptic_loss': (*NO_UNKNOWN, *NO_ROI_LOSS, *UNBALANCED, *NO_PANOPTIC_LOSS),
    'upsnet_c': (*NO_UNKNOWN, *NO_PANOPTIC_LOSS),
    'mask_rcnn': (
        'model.network=mask_rcnn',
        'model.semantic_channels=[]',
        'losses.semantic=0.0',
        'panoptic_head.kind=heuristic',
        *NO_UNKNOWN,
        *NO_ROI_LOSS,
        *NO_PANOPTIC_LOSS,
    ),
}
PSPNET = 'pspnet'  # trained from a recipe of its own

PLAIN = ('--no-unknown', '--instance-class', 'detection')
HEURISTIC = ('--head', 'heuristic')


@dataclass(frozen=True)
class Row:
    """One row of a table.

    Attributes:
        key: Name of its files.
        title: What it is, in the paper's words.
        training: What is evaluated.
        options: How, as arguments of ``training.evaluate``.
        paper: PQ, PQ of things and PQ of stuff in the paper [%].
    """

    key: str
    title: str
    training: str
    options: tuple[str, ...]
    paper: tuple[float, float, float]


NO_UNKNOWN_CHANNEL = ('--no-unknown',)
TRUE_BOXES = ('--oracle', 'boxes')

ABLATION = (
    Row(
        'two_heads',
        'two heads, joined at inference',
        'without_panoptic_loss',
        PLAIN,
        (41.2, 47.6, 31.6),
    ),
    Row('panoptic_loss', '+ panoptic loss', 'without_balance', PLAIN, (41.6, 47.6, 32.5)),
    Row(
        'class_assignment',
        '+ instance class assignment',
        'without_balance',
        NO_UNKNOWN_CHANNEL,
        (41.7, 47.7, 32.8),
    ),
    Row(
        'loss_balance',
        '+ loss balance',
        'without_roi_loss',
        NO_UNKNOWN_CHANNEL,
        (42.3, 48.4, 33.1),
    ),
    Row('roi_loss', '+ RoI loss', 'without_unknown', NO_UNKNOWN_CHANNEL, (42.3, 48.3, 33.2)),
    Row('unknown', '+ unknown prediction (UPSNet)', 'upsnet', (), (42.5, 48.5, 33.4)),
    Row('true_boxes', 'UPSNet, true boxes', 'upsnet', TRUE_BOXES, (46.7, 55.3, 33.6)),
    Row(
        'true_classes',
        'UPSNet, true boxes and classes',
        'upsnet',
        (*TRUE_BOXES, '--oracle', 'classes'),
        (53.0, 64.6, 35.5),
    ),
    Row(
        'true_segmentation',
        'UPSNet, true semantic segmentation',
        'upsnet',
        ('--oracle', 'segmentation'),
        (72.0, 58.6, 92.3),
    ),
)
COMPARISON = (
    Row('mr_cnn_psp', 'MR-CNN-PSP', 'mask_rcnn', HEURISTIC, (58.0, 52.3, 62.2)),
    Row('upsnet_c', 'UPSNet-C', 'upsnet_c', HEURISTIC, (58.1, 52.2, 62.3)),
    Row('upsnet_cp', 'UPSNet-CP', 'upsnet', HEURISTIC, (58.7, 53.1, 62.7)),
    Row('unknown', 'UPSNet', 'upsnet', (), (59.3, 54.6, 62.7)),
)
