# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Models evaluated on a bag without ROS, from the command line to the reports."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from upsnet_ros.bags.cameras import CameraTopics, find_cameras
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.image_view import ImageView, describe_region
from upsnet_ros.evaluation.figures import OF_FRAMES
from upsnet_ros.evaluation.replay_report import Json, ModelFacts, ReplayReport, rounded
from upsnet_ros.evaluation.run import UNTOLD, Run, RunOptions
from upsnet_ros.evaluation.stages import Stages, stage_workers
from upsnet_ros.pipeline import PanopticPipeline

WARM_UP_RUNS = 2
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class OfflineOptions(RunOptions):
    """What to evaluate offline, and what to write.

    Attributes:
        regions_of_interest: what is looked at of the images, see `bags.cameras.find_views`.
        rotations: how they are turned, likewise.
        write_panoptic: whether labels are written in COCO panoptic format.
        write_bag: where labels are written as a bag; None for nowhere.
        backend: inference library.
        device: where the network runs.
        precision: of its products.
        threads: CPU threads of the network, 0 for one per core.
        reduce_jpeg: the node's parameter of that name.
    """

    regions_of_interest: tuple[str, ...] = ()
    rotations: tuple[str, ...] = ()
    write_panoptic: bool = False
    write_bag: Path | None = None
    reduce_jpeg: bool = False
    backend: str = field(default='auto', metadata=UNTOLD)
    device: str = field(default='auto', metadata=UNTOLD)
    precision: str = field(default='auto', metadata=UNTOLD)
    threads: int = field(default=0, metadata=UNTOLD)

    def __post_init__(self) -> None:
        """Refuse what cannot be required of an offline evaluation.

        Raises:
            EvaluationError: it is so, or nothing can be compared with `against`.
        """
        super().__post_init__()
        for requirement in self.require:
            if requirement.name not in OF_FRAMES:
                raise EvaluationError(
                    f'the requirement of {requirement.name} is for live evaluations only; '
                    f'expected one of {", ".join(OF_FRAMES)}'
                )

    def find_cameras(self, bag: BagReader) -> tuple[CameraTopics, ...]:
        """The cameras of a bag that are asked for, and what is looked at of their images.

        Raises:
            BagError: there is no such topic, or none at all.
            ParameterError: there is no such region or rotation.
        """
        return find_cameras(
            bag,
            names=self.cameras,
            truths=self.truths,
            regions=self.regions_of_interest,
            rotations=self.rotations,
        )


def evaluate_offline(
    options: OfflineOptions, pipeline: PanopticPipeline, progress: Progress
) -> ReplayReport:
    """Evaluate a model on a bag and write `report.json`.

    Args:
        options: what to do.
        pipeline: the loaded model.
        progress: called with the number of frames done and about how many there will be.

    Raises:
        BagError: the bag cannot be read or lacks a topic.
        ParameterError: there is no such region or rotation.
        EvaluationError: the output belongs to something else, or no image could be labelled.
        ModelError: the network failed.
    """
    with BagReader(options.bag) as bag:
        run = Run(options, bag, pipeline.label_set)
        speed = _label_all(run, options, pipeline, progress)
        totals = run.totals()
        if not totals.total.decoded:
            skipped = totals.total.skipped
            told = f'; the first: {skipped[0].problem}' if skipped else ''
            raise EvaluationError(
                f'none of {totals.total.frames} images of {", ".join(run.cameras)} could be '
                f'labelled in the part of {options.bag} that was asked for{told}'
            )
        manifest, backend = pipeline.manifest, pipeline.backend
        facts = ModelFacts(
            path=str(options.model),
            sha256=manifest.sha256,
            name=manifest.name,
            backend=backend.name,
            device=backend.device,
            precision=backend.precision,
        )
        return run.write_report('offline', totals, model=facts, speed=speed)


def _label_all(
    run: Run, options: OfflineOptions, pipeline: PanopticPipeline, progress: Progress
) -> Json:
    """Label what is not done yet; returns how fast it went, None where there was nothing to do."""
    identity = run.identity(
        model={
            'sha256': pipeline.manifest.sha256,
            'backend': pipeline.backend.name,
            'device': pipeline.backend.device,
            'precision': pipeline.backend.precision,
            'thresholds': pipeline.thresholds,
        },
        views={name: _describe_view(camera.view) for name, camera in run.cameras.items()},
        write_png=options.write_png,
        write_panoptic=options.write_panoptic,
        reduce_jpeg=options.reduce_jpeg,
    )
    stages = Stages(
        run.source,
        pipeline,
        run.judge,
        workers=stage_workers(),
        reduce_jpeg=options.reduce_jpeg,
    )
    total = run.stream.expected_frames()
    with run.open_outputs(
        identity,
        # A bag of labels is whole or worthless: it is written from its beginning.
        restart=options.restart or options.write_bag is not None,
        write_panoptic=options.write_panoptic,
        write_bag=options.write_bag,
        model=pipeline.manifest.name,
    ) as journal:
        pipeline.warm_up(WARM_UP_RUNS)
        progress(len(journal), total)
        start = time.perf_counter()
        for done in stages.label(run.stream, lambda f: journal.outcome(f.camera, f.index)):
            if not done.is_known:
                run.keep(done)
                progress(len(journal), total)
        wall_s = time.perf_counter() - start
    has_run = stages.network_frames > 0
    return {
        'frames': stages.network_frames,
        'wall_s': rounded(wall_s),
        'network_s': rounded(stages.network_s) if has_run else None,
        'network_share': rounded(stages.network_s / wall_s) if has_run else None,
        'frames_per_second': rounded(stages.network_frames / wall_s) if has_run else None,
    }


def _describe_view(view: ImageView) -> Json:
    region = None if view.region is None else describe_region(view.region)
    return {'region': region, 'rotation': view.rotation}
