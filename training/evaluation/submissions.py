# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""The predictions of an evaluation in the formats of a data set's official tools."""

import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from training.data.frames import Frame
from training.evaluation.cityscapes_precision import cityscapes_precision
from training.evaluation.cityscapes_submission import NAME, CityscapesSubmission
from training.evaluation.coco_precision import IOU_TYPES, coco_results
from training.evaluation.frame_record import FrameRecord
from training.evaluation.panoptic_submission import PanopticSubmission, SubmittedImage
from training.inference.labeller import Labelled
from upsnet_ros.core.labels import LabelSet

LOGGER = logging.getLogger(__name__)


class Submissions:
    """Panoptic labels for both data sets, and what each has beside them.

    ``panoptic.json`` with ``panoptic/``; for Cityscapes ``semantic/`` and ``instances/``; for COCO
    ``detections_bbox.json`` and ``detections_segm.json``. Processes that share the frames must
    share the folder, too.

    Args:
        folder: Receives the files.
        label_set: The classes.
        layout: Format of the data set.
        names: Of all frames. The tools of Cityscapes find names like its own alone; for others
            their files are left out.
    """

    def __init__(
        self, folder: Path, label_set: LabelSet, *, layout: str, names: Iterable[str]
    ) -> None:
        self._folder = folder
        self._label_set = label_set
        self._panoptic = PanopticSubmission(folder, label_set)
        # Its tools know the label ids of Cityscapes only.
        is_cityscapes = layout == 'cityscapes' and label_set.name == 'cityscapes'
        own = next((name for name in names if not NAME.fullmatch(name)), None)
        if is_cityscapes and own is not None:
            is_cityscapes = False
            LOGGER.info(
                'no files for the tools of Cityscapes, which find no frame of the name %r: '
                'expected CITY_SEQUENCE_FRAME, such as ulm_000012_000019', own,
            )  # fmt: skip
        self._cityscapes = CityscapesSubmission(folder, label_set) if is_cityscapes else None

    def keep(self, frame: Frame, labelled: Labelled, record: FrameRecord) -> None:
        """Write the files of one frame; threads may do so at the same time.

        Raises:
            UpsnetError: If the frame's name cannot be the name of a file.
            OSError: If a file cannot be written.
        """
        self._panoptic.write(frame.name, labelled.panoptic.label_image)
        if self._cityscapes is None:
            return
        if labelled.semantic is not None:
            self._cityscapes.write_semantic(frame.name, labelled.semantic)
        if record.detections is not None:
            self._cityscapes.write_instances(frame.name, record.detections)

    def finish(self, frames: Sequence[Frame], records: Sequence[FrameRecord]) -> None:
        """Write the files of all frames together.

        Args:
            frames: Those that were written, now or by an earlier run.
            records: Of the same frames.

        Raises:
            UpsnetError: If a file of a frame is missing or damaged.
            OSError: If a file cannot be written.
        """
        images = [SubmittedImage.of(frame) for frame in frames]
        self._panoptic.finish(images)
        if self._cityscapes is None and all(entry.detections is not None for entry in records):
            identities = {image.name: image.image_id for image in images}
            for kind, name in IOU_TYPES.items():
                results = coco_results(records, self._label_set, identities, kind=kind)
                path = self._folder / f'detections_{name}.json'
                path.write_text(json.dumps(results) + '\n')

    def cityscapes_metrics(
        self, frames: Sequence[Frame], records: Sequence[FrameRecord]
    ) -> dict[str, Any] | None:
        """Average precision by Cityscapes' own evaluation of the files.

        Args:
            frames: Those that were written.
            records: Of the same frames.

        Returns:
            None for other data, and without detections.

        Raises:
            DataError: If the official tool cannot evaluate a file.
        """
        if self._cityscapes is None or any(entry.detections is None for entry in records):
            return None
        files = [self._cityscapes.instances / f'{frame.name}.txt' for frame in frames]
        truth = [frame.instances for frame in frames if frame.instances]
        return cityscapes_precision(truth, files, progress=True).to_dict()
