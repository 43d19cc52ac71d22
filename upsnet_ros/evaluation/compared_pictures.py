# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Pictures of the frames that a comparison shows: labelled anew by both models, or found.

A report keeps pictures of few frames, and the frames that changed most are others. An evaluation
is deterministic, so the same model gives their labels again: from the bag, in seconds. Where that
cannot be done, what the folders of the reports have of a frame is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from upsnet_ros.bags.cameras import find_cameras
from upsnet_ros.bags.joining import BagPart, ReplayStream, StreamedFrame
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError, LabelError, UpsnetError
from upsnet_ros.core.overlay import colour_label_image
from upsnet_ros.evaluation.comparison import ComparedFrame, ComparedReport, Comparison
from upsnet_ros.evaluation.frame_record import FrameRecord
from upsnet_ros.evaluation.judge import FrameJudge, LabelledFrame
from upsnet_ros.evaluation.label_files import camera_in_a_file_name, label_path
from upsnet_ros.evaluation.pictures import frame_pictures, write_picture
from upsnet_ros.evaluation.replay_report import ReplayReport, read_report
from upsnet_ros.evaluation.stages import FrameSource, Stages
from upsnet_ros.pipeline import PanopticPipeline
from upsnet_ros.report.document import Picture

PICTURE_WIDTH = 720
# A frame whose quality comes out otherwise was labelled otherwise [percentage points].
SAME_PQ = 0.01
# The pictures of a frame by kind, in their order on the page.
CAPTIONS = {
    'image': 'camera',
    'against': 'labels of the other',
    'this': 'labels of this',
    'truth': 'ground truth',
}


def compared_picture(folder: Path, camera: str, stamp_ns: int, kind: str) -> Path:
    """Where a comparison keeps a picture: `image`, `this` or `against` (labels), or `truth`."""
    return folder / 'compared' / f'{camera_in_a_file_name(camera)}_{stamp_ns}_{kind}.jpg'


def compared_pictures(folder: Path, camera: str, stamp_ns: int) -> tuple[Picture, ...]:
    """Those of the pictures of a frame that a comparison has."""
    files = {kind: compared_picture(folder, camera, stamp_ns, kind) for kind in CAPTIONS}
    return tuple(Picture(CAPTIONS[kind], file) for kind, file in files.items() if file.is_file())


def write_compared_pictures(
    comparison: Comparison, folder: Path, *, again: bool = True
) -> list[str]:
    """Write camera, both labels and truth of the frames that got better and worse most.

    Args:
        comparison: What was compared; its reports must still be where they were.
        folder: Where to; the pictures come to `compared/` in it.
        again: Whether frames are labelled again; else only what the reports have is shown.

    Returns:
        Why pictures are missing, a line for each reason; none where all were written.
    """
    frames = (*comparison.better, *comparison.worse)
    for stale in (folder / 'compared').glob('*.jpg'):
        stale.unlink()
    sides = (('this', comparison.this), ('against', comparison.against)) if frames else ()
    problems = []
    for side, facts in sides if again else ():
        try:
            problems += _write_side(side, facts, frames, folder)
        except (UpsnetError, KeyError, TypeError) as error:
            problems.append(f'no labels of {facts.folder} in pictures: {error}')
    for side, facts in sides:
        _write_what_is_there(side, Path(facts.folder), frames, folder)
    return problems


def _write_side(
    side: str, facts: ComparedReport, frames: tuple[ComparedFrame, ...], folder: Path
) -> list[str]:
    """Label the frames by the model of one report and write their pictures."""
    report = read_report(Path(facts.folder))
    measured = {(f.camera, f.stamp_ns): getattr(f, side) for f in frames}
    changed = 0
    with _load_model(report) as pipeline:
        for done in _label_again(report, set(measured), pipeline):
            pq = done.line.pq if isinstance(done.line, FrameRecord) else None
            if pq is None or abs(pq - measured[done.frame.camera, done.frame.stamp_ns]) >= SAME_PQ:
                changed += 1
            else:
                _write(done, side, report, folder)
    if not changed:
        return []
    return [
        f'{changed} frames of {facts.folder} come out otherwise than when they were evaluated and '
        'are not shown; evaluate it again'
    ]


def _load_model(report: ReplayReport) -> PanopticPipeline:
    """The model that a report is about, as long as it is the same."""
    if report.kind != 'offline':
        raise EvaluationError('it was played live, and its labels were not kept')
    pipeline = PanopticPipeline.load(
        report.model.path,
        backend=report.model.backend,
        device=report.model.device.split(':')[0],
        precision=report.model.precision,
    )
    if pipeline.manifest.sha256 != report.model.sha256:
        pipeline.close()
        raise EvaluationError(f'{report.model.path} is another model now')
    return pipeline


def _label_again(
    report: ReplayReport, wanted: set[tuple[str, int]], pipeline: PanopticPipeline
) -> Iterator[LabelledFrame]:
    """The frames that are wanted, labelled as the report's evaluation did."""
    options = report.options
    with BagReader(Path(report.bag.path)) as bag:
        cameras = find_cameras(
            bag,
            names=options['cameras'],
            truths=options['truths'],
            regions=options['regions_of_interest'],
            rotations=options['rotations'],
        )
        part = BagPart(**options['part'])
        stream = ReplayStream(bag, cameras, part=part)
        source = FrameSource(
            bag,
            cameras,
            truth_format=options['truth_format'],
            label_set=pipeline.label_set,
            part=part,
        )
        stages = Stages(
            source,
            pipeline,
            FrameJudge(pipeline.label_set),
            reduce_jpeg=options['reduce_jpeg'],
        )
        yield from stages.label(_only(stream, wanted))


def _only(stream: ReplayStream, wanted: set[tuple[str, int]]) -> Iterator[StreamedFrame]:
    """The frames that are wanted; the bag is read no further than the last of them."""
    left = set(wanted)
    for frame in stream:
        name = frame.camera, frame.stamp_ns
        if name in left:
            left.remove(name)
            yield frame
        if not left:
            return


def _write(done: LabelledFrame, side: str, report: ReplayReport, folder: Path) -> None:
    """Write the pictures of a frame that one report has; both have the same image and truth."""
    if done.image is None or done.result is None:
        return
    labels = {side: done.result.label_image, 'truth': done.truth}
    for kind, picture in frame_pictures(done.image, labels, report.label_set).items():
        path = compared_picture(folder, done.frame.camera, done.frame.stamp_ns, kind)
        write_picture(path, picture, widest=PICTURE_WIDTH)


def _write_what_is_there(
    side: str, source: Path, frames: tuple[ComparedFrame, ...], folder: Path
) -> None:
    """Write what the folder of a report has of the frames, where there is no picture yet."""
    try:
        report = read_report(source)
    except EvaluationError:
        return  # it is gone since
    for frame in frames:
        for kind, picture in _pictures(report, source, frame.camera, frame.stamp_ns).items():
            name = side if kind == 'labels' else kind
            path = compared_picture(folder, frame.camera, frame.stamp_ns, name)
            image = cv2.imread(str(picture)) if isinstance(picture, Path) else picture
            if name in CAPTIONS and not path.is_file() and image is not None:
                write_picture(path, image, widest=PICTURE_WIDTH)


def _pictures(
    report: ReplayReport, folder: Path, camera: str, stamp_ns: int
) -> dict[str, Path | np.ndarray]:
    """What a folder has of a frame: pictures, or the colours of a written label image."""
    for frame in report.worst:
        if (frame.camera, frame.stamp_ns) == (camera, stamp_ns):
            return dict(frame.files(folder))
    path = label_path(folder, camera, stamp_ns)
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.is_file() else None
    try:
        return {} if labels is None else {'labels': colour_label_image(labels, report.label_set)}
    except LabelError:
        return {}  # not one of ours
