# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the frames with the lowest quality, and in words what is wrong with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from training.data.errors import DataError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.core.overlay import draw_difference, draw_overlay
from upsnet_ros.core.panoptic_quality import ClassQuality, PanopticQuality
from upsnet_ros.report.document import one_line

PANEL_SIDE = 960  # pixels, the longer one
CELL_WIDTH = 320  # pixels, the least, so that the captions fit
STRIP = 34  # pixels, height of a caption
FONT = cv2.FONT_HERSHEY_SIMPLEX
JPEG_QUALITY = 85
NAME_LENGTH = 80


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class WorstFrame:
    """A frame to be shown.

    Attributes:
        name: Of the frame.
        pq: Its own panoptic quality [%].
        unknown_share: Share of its pixels that are unknown, 0 to 1.
        image: BGR uint8 ``[H, W, 3]``.
        label_image: The answer, uint16 ``[H, W]``.
        truth: uint16 ``[H, W]``.
    """

    name: str
    pq: float
    unknown_share: float
    image: np.ndarray
    label_image: np.ndarray
    truth: np.ndarray


def frame_panels(frame: WorstFrame, label_set: LabelSet) -> dict[str, np.ndarray]:
    """Image, labels, truth and difference, BGR uint8 ``[H, W, 3]`` each, by name."""
    return {
        'image': frame.image,
        'labels': draw_overlay(frame.image, frame.label_image, label_set),
        'truth': draw_overlay(frame.image, frame.truth, label_set),
        'difference': draw_difference(frame.image, frame.label_image, frame.truth),
    }


def fit_side(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture with `side` pixels along its longer side, its proportions kept."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    return cv2.resize(picture, size, interpolation=method)


def encode_jpeg(picture: np.ndarray) -> bytes:
    """A picture as the bytes of a JPEG file.

    Raises:
        DataError: If it cannot be packed.
    """
    done, data = cv2.imencode('.jpg', picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise DataError(f'a picture of shape {picture.shape} could not be packed as JPEG')
    return data.tobytes()


def what_is_worst(frame: WorstFrame, label_set: LabelSet) -> str:
    """What costs the frame its quality: classes missed, invented, and found in part."""
    quality = PanopticQuality(label_set)
    quality.update(frame.label_image, frame.truth)
    classes = quality.summary().per_class
    missed = [c for c in classes if c.false_negatives and not c.true_positives]
    invented = [c for c in classes if c.false_positives and not _true_segments(c)]
    partly = [c for c in classes if c.false_negatives and c.true_positives]
    parts = []
    if missed:
        parts.append(f'missed: {", ".join(map(_with_count, missed))}')
    if partly:
        found = (f'{c.name} ({c.true_positives} of {_true_segments(c)})' for c in partly)
        parts.append(f'found in part: {", ".join(found)}')
    if invented:
        parts.append(f'not there at all: {", ".join(c.name for c in invented)}')
    return '; '.join(parts) or 'every true segment was found'


def _true_segments(quality: ClassQuality) -> int:
    return quality.true_positives + quality.false_negatives


def _with_count(quality: ClassQuality) -> str:
    several = quality.is_thing and quality.false_negatives > 1
    return f'{quality.name} ({quality.false_negatives})' if several else quality.name


def write_worst_frames(
    folder: Path, worst: Sequence[WorstFrame], label_set: LabelSet
) -> list[Path]:
    """Write ``NN_name.jpg`` for each frame, and remove those of an earlier evaluation.

    Args:
        folder: Where to; it is made only if there is something to write.
        worst: The worst first.
        label_set: Names and colours of the classes.

    Returns:
        The files.

    Raises:
        OSError: If a file cannot be written.
    """
    for stale in folder.glob('[0-9][0-9]_*.jpg'):
        stale.unlink()
    if worst:
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index, frame in enumerate(worst, start=1):
        path = folder / f'{index:02d}_{_file_stem(frame.name)}.jpg'
        path.write_bytes(encode_jpeg(contact_picture(frame, label_set)))
        paths.append(path)
    return paths


def _file_stem(name: str) -> str:
    """A name that cannot leave its folder and that every file system takes."""
    return re.sub(r'[^A-Za-z0-9._-]', '_', name)[:NAME_LENGTH]


def contact_picture(frame: WorstFrame, label_set: LabelSet) -> np.ndarray:
    """The four panels of a frame, two by two under their names, BGR."""
    cells = [
        np.vstack((_strip(name, cell.shape[1]), cell))
        for name, cell in (
            (name, _cell(panel)) for name, panel in frame_panels(frame, label_set).items()
        )
    ]
    grid = np.vstack((np.hstack(cells[:2]), np.hstack(cells[2:])))
    unknown = f'{100 * frame.unknown_share:.1f} % unknown'
    lines = (f'PQ {frame.pq:.1f}, {unknown}, {frame.name}', what_is_worst(frame, label_set))
    return np.vstack((*(_strip(line, grid.shape[1]) for line in lines), grid))


def _cell(panel: np.ndarray) -> np.ndarray:
    fitted = fit_side(panel, PANEL_SIDE)
    missing = max(0, CELL_WIDTH - fitted.shape[1])
    return cv2.copyMakeBorder(fitted, 0, 0, 0, missing, cv2.BORDER_CONSTANT)


def _strip(text: str, width: int) -> np.ndarray:
    """Text on a dark strip; the font knows only ASCII."""
    strip = np.full((STRIP, width, 3), 30, dtype=np.uint8)
    text = one_line(text).encode('ascii', 'replace').decode('ascii')
    return cv2.putText(strip, text, (8, STRIP - 11), FONT, 0.6, (255,) * 3, 1, cv2.LINE_AA)
