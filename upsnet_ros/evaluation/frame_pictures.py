# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of frames that lie in the folder of a report or of a comparison."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.errors import EvaluationError, LabelError
from upsnet_ros.core.overlay import colour_label_image
from upsnet_ros.evaluation.comparison import Comparison
from upsnet_ros.evaluation.label_files import label_path
from upsnet_ros.evaluation.replay_report import ReplayReport, read_report
from upsnet_ros.report.document import Picture


def picture_file(folder: Path, name: str) -> Path | None:
    """A picture that a report names; None where it is missing or lies outside the folder."""
    path = (folder / name).resolve()
    return path if path.is_relative_to(folder.resolve()) and path.is_file() else None


def compared_picture(folder: Path, camera: str, stamp_ns: int, kind: str) -> Path:
    """Where a comparison keeps a picture: `image`, `this` or `against` (labels), or `truth`."""
    return folder / 'compared' / f'{camera.replace("/", "_")}_{stamp_ns}_{kind}.jpg'


@dataclass(frozen=True)
class ReportFolder:
    """A report and the folder it lies in."""

    folder: Path
    report: ReplayReport

    def pictures(self, camera: str, stamp_ns: int) -> dict[str, Path | np.ndarray]:
        """What the folder has of a frame: pictures, or the colours of a written label image."""
        for frame in self.report.worst:
            if (frame.camera, frame.stamp_ns) == (camera, stamp_ns):
                files = {kind: picture_file(self.folder, n) for kind, n in frame.pictures.items()}
                return {kind: path for kind, path in files.items() if path is not None}
        path = label_path(self.folder, camera, stamp_ns)
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
        try:
            return {} if labels is None else {
                'labels': colour_label_image(labels, self.report.label_set)
            }  # fmt: skip
        except LabelError:
            return {}  # not one of ours


def first_stamp(report: ReplayReport) -> int | None:
    """Stamp of the first frame of all cameras [ns], None without frames."""
    stamps = [figures.series[0].stamp_ns for figures in report.cameras.values() if figures.series]
    return min(stamps, default=None)


@dataclass(frozen=True)
class ComparedPictures:
    """Pictures of frames in two reports; either may be gone since they were compared.

    Attributes:
        this, against: the reports, None where a folder is no longer there.
        folder: of the comparison, where pictures of its frames may lie.
    """

    this: ReportFolder | None
    against: ReportFolder | None
    folder: Path

    @classmethod
    def open(cls, comparison: Comparison, folder: Path) -> ComparedPictures:
        """The folders of both reports, as far as they still are where they were, and its own."""

        def opened(path: str) -> ReportFolder | None:
            try:
                return ReportFolder(Path(path), read_report(Path(path)))
            except EvaluationError:
                return None

        return cls(opened(comparison.this.folder), opened(comparison.against.folder), folder)

    @property
    def start_ns(self) -> int | None:
        """Stamp of the first frame [ns], which the page counts seconds from."""
        return None if self.this is None else first_stamp(self.this.report)

    def of(self, camera: str, stamp_ns: int) -> tuple[Picture, ...]:
        """Pictures of a frame: camera, the other's labels, these, the truth."""
        this, against = (
            {} if one is None else one.pictures(camera, stamp_ns)
            for one in (self.this, self.against)
        )
        either = against | this
        wanted = (
            ('camera', 'image', either.get('image')),
            ('labels of the other', 'against', against.get('labels')),
            ('labels of this', 'this', this.get('labels')),
            ('ground truth', 'truth', either.get('truth')),
        )
        pictures = []
        for caption, kind, of_report in wanted:
            own = compared_picture(self.folder, camera, stamp_ns, kind)
            picture = own if own.is_file() else of_report
            if picture is not None:
                pictures.append(Picture(caption, picture))
        return tuple(pictures)
