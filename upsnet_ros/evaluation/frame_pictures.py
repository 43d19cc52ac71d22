# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of frames that lie in the folder of a report, packed into its page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.overlay import colour_label_image
from upsnet_ros.evaluation.label_files import label_path
from upsnet_ros.evaluation.panels import fit_width
from upsnet_ros.evaluation.replay_report import ReplayReport, WorstFrame
from upsnet_ros.evaluation.report_html import data_uri

PICTURE_WIDTH = 720
JPEG_QUALITY = 80

Picture = tuple[str, int, int]  # data address, width and height [px]


def packed(picture: np.ndarray) -> Picture | None:
    """A BGR picture for a page, never wider than needed; None where it cannot be packed."""
    small = fit_width(picture, PICTURE_WIDTH) if picture.shape[1] > PICTURE_WIDTH else picture
    done, data = cv2.imencode('.jpg', small, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        return None
    height, width = small.shape[:2]
    return data_uri(data.tobytes(), 'image/jpeg'), width, height


def read_picture(folder: Path, name: str) -> np.ndarray | None:
    """A picture that a report names, BGR; None where it is missing or lies outside the folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    return cv2.imread(str(path), cv2.IMREAD_COLOR)


def packed_pictures(folder: Path, frame: WorstFrame) -> dict[str, Picture]:
    """The pictures of a frame by what they show, those that are there."""
    read = {kind: read_picture(folder, name) for kind, name in frame.pictures.items()}
    ready = {kind: packed(picture) for kind, picture in read.items() if picture is not None}
    return {kind: picture for kind, picture in ready.items() if picture is not None}


def compared_picture(folder: Path, camera: str, stamp_ns: int, kind: str) -> Path:
    """Where a comparison keeps a picture: `image`, `this` or `against` (labels), or `truth`."""
    return folder / 'compared' / f'{camera.replace("/", "_")}_{stamp_ns}_{kind}.jpg'


@dataclass(frozen=True)
class ReportFolder:
    """A report and the folder it lies in."""

    folder: Path
    report: ReplayReport

    def pictures(self, camera: str, stamp_ns: int) -> dict[str, Picture]:
        """What the folder has of a frame: pictures, or the colours of a written label image."""
        for frame in self.report.worst:
            if (frame.camera, frame.stamp_ns) == (camera, stamp_ns):
                return packed_pictures(self.folder, frame)
        labels = self._coloured_labels(label_path(self.folder, camera, stamp_ns))
        picture = None if labels is None else packed(labels)
        return {} if picture is None else {'labels': picture}

    def _coloured_labels(self, path: Path) -> np.ndarray | None:
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
        try:
            return None if labels is None else colour_label_image(labels, self.report.label_set)
        except LabelError:
            return None  # not one of ours


@dataclass(frozen=True)
class ComparedPictures:
    """Pictures of frames in two reports; either may be gone since they were compared.

    Attributes:
        this, against: The reports, None where a folder is no longer there.
        folder: Of the comparison, where pictures of its frames may lie.
    """

    this: ReportFolder | None
    against: ReportFolder | None
    folder: Path

    @property
    def start_ns(self) -> int | None:
        """Stamp of the first frame [ns], which the page counts seconds from."""
        return None if self.this is None else first_stamp(self.this.report)

    def of(self, camera: str, stamp_ns: int) -> dict[str, Picture]:
        """Pictures of a frame by caption: camera, the other's labels, these, the truth."""
        found = [
            {} if one is None else one.pictures(camera, stamp_ns)
            for one in (self.this, self.against)
        ]
        either = found[1] | found[0]
        wanted = (
            ('camera', 'image', either.get('image')),
            ('labels of the other', 'against', found[1].get('labels')),
            ('labels of this', 'this', found[0].get('labels')),
            ('ground truth', 'truth', either.get('truth')),
        )
        shown = (
            (caption, self._own(camera, stamp_ns, kind) or other)
            for caption, kind, other in wanted
        )
        return {caption: picture for caption, picture in shown if picture is not None}

    def _own(self, camera: str, stamp_ns: int, kind: str) -> Picture | None:
        path = compared_picture(self.folder, camera, stamp_ns, kind)
        picture = cv2.imread(str(path), cv2.IMREAD_COLOR) if path.is_file() else None
        return None if picture is None else packed(picture)


def first_stamp(report: ReplayReport) -> int | None:
    """Stamp of the first frame of all cameras [ns], None without frames."""
    stamps = [figures.series[0].stamp_ns for figures in report.cameras.values() if figures.series]
    return min(stamps, default=None)
