# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Names of the published checkpoints' tensors, and of ours: one to one.

Source: facts of the published models (names and shapes of the four released checkpoints).
"""

import re

WRAPPER_PREFIX = 'module.'  # of a model that was trained on several devices
COUNTER = 'num_batches_tracked'  # of batch normalisation; never used where statistics are frozen

# Ours, from the start of the name up to the last part that differs; the rest is the same in both.
_RULES = (
    (r'backbone\.stem\.0', r'resnet_backbone.conv1.conv1'),
    (r'backbone\.stem\.1', r'resnet_backbone.conv1.bn1'),
    (r'backbone\.stages\.(\d+)\.(\d+)\.conv2\.offset', r'{stage}.layers.\2.conv2_offset'),
    (r'backbone\.stages\.(\d+)\.(\d+)\.shortcut', r'{stage}.layers.\2.downsample'),
    (r'backbone\.stages\.(\d+)\.(\d+)', r'{stage}.layers.\2'),
    (r'pyramid\.lateral\.(\d+)', r'fpn.fpn_p{level}_1x1'),
    (r'pyramid\.output\.(\d+)', r'fpn.fpn_p{level}'),
    (r'pyramid\.global_average', r'fpn.fpn_gap'),
    (r'rpn\.conv', r'rpn.conv_proposal.0'),
    (r'rpn\.objectness', r'rpn.cls_score'),
    (r'rpn\.deltas', r'rpn.bbox_pred'),
    (r'box_head\.(fc6|fc7)', r'rcnn.\1.0'),
    (r'box_head\.class_logits', r'rcnn.cls_score'),
    (r'box_head\.box_deltas', r'rcnn.bbox_pred'),
    (r'mask_head\.convs\.(\d+)', r'mask_branch.mask_conv{layer}.0'),
    (r'mask_head\.deconv', r'mask_branch.mask_deconv1.0'),
    (r'mask_head\.logits', r'mask_branch.mask_score'),
    (r'semantic_head\.convs\.(\d+)\.offset', r'fcn_head.fcn_subnet.conv.\1.0.conv_offset'),
    (r'semantic_head\.convs\.(\d+)', r'fcn_head.fcn_subnet.conv.\1.0.conv'),
    (r'semantic_head\.score', r'fcn_head.score'),
)


def official_name(name: str) -> str:
    """The published name of one of our tensors.

    Args:
        name: A key of ``UPSNet.state_dict()``.

    Raises:
        ValueError: If the published models have no such tensor.
    """
    for pattern, replacement in _RULES:
        match = re.match(rf'{pattern}\.', name)
        if match:
            number = int(match[1]) if match.re.groups and match[1].isdigit() else 0
            # Stages and levels count from 2, as in res2 and P2; mask layers count from 1.
            places = {'stage': f'resnet_backbone.res{number + 2}', 'level': number + 2}
            start = match.expand(replacement).format(layer=number + 1, **places)
            return f'{start}.{name[match.end() :]}'
    raise ValueError(f'{name!r} is no tensor of a published model')
