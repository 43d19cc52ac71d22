# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of frames that lie in the folder of a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.core.errors import LabelError
from upsnet_ros.core.overlay import colour_label_image
from upsnet_ros.evaluation.label_files import label_path
from upsnet_ros.evaluation.replay_report import ReplayReport


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
