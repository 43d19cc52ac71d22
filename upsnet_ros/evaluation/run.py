# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""What evaluations of a bag have in common, offline and live: options, outputs, report.

Each command adds its own options to `RunOptions` and has its own way to the labels of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from upsnet_ros.bags.cameras import CameraTopics, find_cameras
from upsnet_ros.bags.joining import BagPart, ReplayStream
from upsnet_ros.bags.label_writer import LabelBag
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.bags.truth import PANOPTIC
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.labels import LabelSet
from upsnet_ros.evaluation.figures import Requirement
from upsnet_ros.evaluation.frame_record import (
    FRAMES_FILE,
    FrameJournal,
    FrameRecord,
    read_frames,
)
from upsnet_ros.evaluation.judge import FrameJudge, LabelledFrame
from upsnet_ros.evaluation.label_files import PanopticFiles, frame_name, write_label
from upsnet_ros.evaluation.pictures import WorstPictures
from upsnet_ros.evaluation.replay_report import (
    Json,
    ModelFacts,
    ReplayReport,
    describe_machine,
    read_report,
    write_report,
)
from upsnet_ros.evaluation.stages import FrameSource
from upsnet_ros.evaluation.totals import Totals, add_up

# An option that a report does not tell of: it does not decide what the report says.
UNTOLD: dict[str, Any] = {'untold': True}


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What to evaluate, and what to write.

    Attributes:
        bag: folder or file of a rosbag2.
        model: file of the model.
        output: folder of the report.
        cameras: names or image topics; all that are there when empty.
        truths: topics of ground truth, see `bags.cameras.find_cameras`.
        truth_format: one of `bags.truth.TRUTH_FORMATS`.
        part: which images.
        write_png: whether label images are written as PNGs.
        restart: whether what an earlier run left is thrown away.
        require: what must hold of the figures.
        against: folder of a report to compare with.
        command: the command line.
    """

    bag: Path
    model: Path
    output: Path
    cameras: tuple[str, ...] = ()
    truths: tuple[str, ...] = ()
    truth_format: str = PANOPTIC
    part: BagPart = field(default_factory=BagPart)
    write_png: bool = False
    restart: bool = False
    require: tuple[Requirement, ...] = field(default=(), metadata=UNTOLD)
    against: Path | None = field(default=None, metadata=UNTOLD)
    command: str = field(default='', metadata=UNTOLD)

    def __post_init__(self) -> None:
        """Refuse what nothing can be compared with, before the work begins.

        Raises:
            EvaluationError: `against` holds no report, or this run would replace it.
        """
        if self.against is not None:
            read_report(self.against)
            if self.against.resolve() == self.output.resolve():
                raise EvaluationError(
                    f'--against {self.against} is the output of this run, which replaces it; give '
                    'another --output'
                )

    def to_dict(self) -> Json:
        """Plain JSON values of what decides the report."""
        told = {f.name: getattr(self, f.name) for f in fields(self) if 'untold' not in f.metadata}
        return {name: _plain(value) for name, value in told.items()}

    def find_cameras(self, bag: BagReader) -> tuple[CameraTopics, ...]:
        """The cameras of a bag that are asked for.

        Raises:
            BagError: there is no such topic, or none at all.
        """
        return find_cameras(bag, names=self.cameras, truths=self.truths)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return asdict(value) if isinstance(value, BagPart) else value


class Run:
    """One run over a bag: its frames, what is kept of them, and the report.

    Args:
        options: what to do.
        bag: the opened bag.
        label_set: the classes of the model.

    Attributes:
        source: decodes images and ground truth.
        stream: the frames.
        judge: measures labels.

    Raises:
        BagError: the bag lacks a topic.
    """

    def __init__(self, options: RunOptions, bag: BagReader, label_set: LabelSet) -> None:
        cameras = options.find_cameras(bag)
        self.options = options
        self.bag = bag
        self.label_set = label_set
        self.source = FrameSource(
            bag, cameras, truth_format=options.truth_format, label_set=label_set, part=options.part
        )
        self.stream = ReplayStream(bag, cameras, part=options.part)
        self.judge = FrameJudge(label_set)
        self._worst = WorstPictures(options.output, label_set)
        self._panoptic: PanopticFiles | None = None
        self._label_bag: LabelBag | None = None

    @property
    def cameras(self) -> dict[str, CameraTopics]:
        """The topics of each camera by its name."""
        return self.source.cameras

    def identity(self, **more: Any) -> Json:
        """What decides the figures: what an output must be of, for a run to go on in it."""
        return {
            'bag': self.bag.fingerprint(),
            'cameras': {name: [c.images, c.truth] for name, c in self.cameras.items()},
            'truth_format': self.options.truth_format,
            'part': asdict(self.options.part),
            **more,
        }

    @contextmanager
    def open_outputs(
        self,
        identity: Json,
        *,
        restart: bool,
        write_panoptic: bool = False,
        write_bag: Path | None = None,
        model: str = '',
    ) -> Iterator[FrameJournal]:
        """The journal of the frames, opened with everything else that `keep` writes.

        Args:
            identity: what decides the figures.
            restart: whether what an earlier run left is thrown away.
            write_panoptic: whether labels are written in COCO panoptic format.
            write_bag: where labels are written as a bag; None for nowhere.
            model: its name, for the bag.

        Raises:
            EvaluationError: the output belongs to something else, or the bag exists already.
        """
        folder = self.options.output
        with ExitStack() as stack:
            if write_bag is not None:
                # Made first: a bag that exists already must not cost an earlier report.
                self._label_bag = stack.enter_context(
                    LabelBag(write_bag, label_set=self.label_set, model=model)
                )
            journal = stack.enter_context(FrameJournal(folder, identity, restart=restart))
            if write_panoptic:
                self._panoptic = stack.enter_context(
                    PanopticFiles(folder, self.label_set, restart=not len(journal))
                )
            for line in read_frames(folder / FRAMES_FILE):
                if isinstance(line, FrameRecord):
                    self._worst.remember(line)
            self._journal = journal
            yield journal
            if self._panoptic is not None:
                self._panoptic.finish()

    def keep(self, done: LabelledFrame) -> None:
        """Write what is asked for of a judged frame, and keep its line last: it is done then.

        Args:
            done: the frame with its line; without an image it is shown black.

        Raises:
            EvaluationError: a file cannot be written.
        """
        frame, line, result = done.frame, done.line, done.result
        assert line is not None, 'a frame is judged before it is kept'
        if result is not None and isinstance(line, FrameRecord):
            labels = result.label_image
            if self.options.write_png:
                write_label(self.options.output, frame.camera, frame.stamp_ns, labels)
            if self._panoptic is not None:
                self._panoptic.add(frame_name(frame.camera, frame.stamp_ns), labels)
            if self._label_bag is not None:
                self._label_bag.add(
                    frame.camera,
                    result,
                    stamp_ns=frame.stamp_ns,
                    recorded_ns=frame.recorded_ns,
                    frame_id=done.frame_id,
                )
            self._worst.offer(line, done)
        self._journal.add(line)

    def totals(self) -> Totals:
        """Everything that was kept, added up."""
        unmatched = {name: self.stream.truth_unmatched(name) for name in self.cameras}
        return add_up(self.options.output, self.label_set, truth_unmatched=unmatched)

    def write_report(
        self, kind: str, totals: Totals, *, model: ModelFacts, speed: Json
    ) -> ReplayReport:
        """Write `report.json`.

        Args:
            kind: `offline` or `live`.
            totals: of everything that was kept.
            model: what labelled the frames.
            speed: how fast it was; see docs/replay_evaluation.md.
        """
        report = ReplayReport(
            kind=kind,
            command=self.options.command,
            bag=self.bag.facts(),
            model=model,
            label_set=self.label_set,
            cameras=totals.cameras,
            total=totals.total,
            speed=speed,
            environment=dict(describe_machine()),
            options=self.options.to_dict(),
            worst=self._worst.ranked(),
        )
        write_report(report, self.options.output)
        return report
