# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Images on which an engine is compared with the model that it was made from."""

from pathlib import Path

import cv2
import numpy as np

from training.synthetic.drive import visit_world
from upsnet_ros.core.errors import ImageError

ENDINGS = ('.jpg', '.jpeg', '.png')
SEED = 2026
RENDERED_SIZE = (1024, 512)  # width, height


def read_images(folder: Path, count: int) -> list[np.ndarray]:
    """Read images spread over a folder and the folders in it.

    Args:
        folder: With JPEG or PNG files.
        count: How many, at most.

    Returns:
        uint8 ``[H, W, 3]`` BGR each.

    Raises:
        ImageError: If there is none, or one cannot be decoded.
    """
    paths = sorted(path for path in folder.rglob('*') if path.suffix.lower() in ENDINGS)
    if not paths:
        raise ImageError(f'{folder}: no image files; expected JPEG or PNG images of the camera')
    chosen = [paths[index * len(paths) // count] for index in range(min(count, len(paths)))]
    images = []
    for path in chosen:
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise ImageError(f'{path}: cannot be decoded; expected a JPEG or PNG image')
        images.append(image)
    return images


def render_images(count: int) -> list[np.ndarray]:
    """Render synthetic streets, for computers on which no image of the camera lies.

    Args:
        count: How many, each of a street of its own.

    Returns:
        uint8 ``[512, 1024, 3]`` BGR each.
    """
    return [
        visit_world(SEED, 'val', index, size=RENDERED_SIZE, count=1)[0].image
        for index in range(count)
    ]
