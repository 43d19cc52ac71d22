# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The list of objects that goes with a label image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from upsnet_ros.core.geometry import InputGeometry
from upsnet_ros.core.label_assignment import LabelAssignment
from upsnet_ros.core.labels import INSTANCE_BITS, LabelSet
from upsnet_ros.core.structures import Instance, NetworkOutput


def describe_instances(
    output: NetworkOutput,
    *,
    rows: Sequence[int],
    assignment: LabelAssignment,
    geometry: InputGeometry,
    label_set: LabelSet,
) -> tuple[Instance, ...]:
    """Return the instances that have pixels, in the order given.

    Args:
        output: the network's answer.
        rows: the row of each of the k instance channels in it.
        assignment: what became of the channels.
        geometry: how the image lies in the network's input.
        label_set: the classes.
    """
    labels = assignment.table[label_set.num_stuff : -1].tolist()
    corner = np.array([geometry.image_width - 1, geometry.image_height - 1] * 2)
    areas = assignment.instance_areas.tolist()
    described = []
    for row, label, area in zip(rows, labels, areas, strict=True):
        if area == 0:
            continue
        class_id = label >> INSTANCE_BITS
        box = np.clip(output.boxes[row] / geometry.scale, 0, corner)
        described.append(
            Instance(
                label=label,
                class_id=class_id,
                class_name=label_set.classes[class_id].name,
                score=float(output.scores[row]),
                box=tuple(box.tolist()),
                area=area,
            )
        )
    return tuple(described)
