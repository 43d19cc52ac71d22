# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""A tiny data set in COCO panoptic format."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np

WALL, PERSON, CAR, UNTRAINED = 199, 1, 3, 254  # category ids; the last is in no label set


def write_data_set(
    root: Path,
    images: dict[str, tuple[list[dict[str, Any]], np.ndarray]],
    *,
    name: str = 'train2017',
) -> Path:
    """Write a split.

    Args:
        root: Folder of the data set.
        images: By file stem, the segments_info and the segment ids ``[H, W]``.
        name: Of the split.

    Returns:
        The JSON file.
    """
    annotations = root / 'annotations'
    (annotations / f'panoptic_{name}').mkdir(parents=True, exist_ok=True)
    (root / name).mkdir(exist_ok=True)
    content: dict[str, Any] = {'images': [], 'annotations': [], 'categories': []}
    for category in (WALL, PERSON, CAR, UNTRAINED):
        content['categories'].append({'id': category, 'name': str(category), 'isthing': 1})
    for number, (stem, (segments, ids)) in enumerate(images.items()):
        height, width = ids.shape
        pixels = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
        cv2.imwrite(str(root / name / f'{stem}.jpg'), pixels)
        write_ids(annotations / f'panoptic_{name}' / f'{stem}.png', ids)
        content['images'].append(
            {'id': number, 'file_name': f'{stem}.jpg', 'height': height, 'width': width}
        )
        content['annotations'].append(
            {'image_id': number, 'file_name': f'{stem}.png', 'segments_info': segments}
        )
    path = annotations / f'panoptic_{name}.json'
    path.write_text(json.dumps(content))
    return path


def write_ids(path: Path, ids: np.ndarray) -> None:
    """Write segment ids ``[H, W]`` as colours R + 256 G + 65536 B."""
    blue_green_red = np.stack([ids >> 16 & 255, ids >> 8 & 255, ids & 255], axis=-1)
    cv2.imwrite(str(path), blue_green_red.astype(np.uint8))


def segment(identity: int, category: int, *, crowd: bool = False) -> dict[str, Any]:
    """One entry of segments_info."""
    return {'id': identity, 'category_id': category, 'iscrowd': int(crowd), 'area': 0, 'bbox': []}
