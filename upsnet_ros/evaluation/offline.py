# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Models evaluated on a bag without ROS, from the command line to the reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tqdm import tqdm

from upsnet_ros.bags.cameras import CameraTopics, find_cameras
from upsnet_ros.bags.joining import BagPart
from upsnet_ros.bags.reader import BagReader
from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.core.image_view import ImageView, describe_region
from upsnet_ros.evaluation.comparison_sections import write_models_page
from upsnet_ros.evaluation.figures import FIGURES, Json, rounded
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, PAGE_FILE, REPORT_FILE
from upsnet_ros.evaluation.replay_report import ModelFacts, ReplayReport
from upsnet_ros.evaluation.run import (
    UNTOLD,
    Run,
    RunOptions,
    argument_parser,
    common_options,
    present,
)
from upsnet_ros.evaluation.stages import Stages, stage_workers
from upsnet_ros.installed_files import default_model_path
from upsnet_ros.manifest import ModelManifest
from upsnet_ros.pipeline import PanopticPipeline

WARM_UP_RUNS = 2
REQUIRABLE = tuple(figure.key for figure in FIGURES if not figure.of_run)
EXAMPLES = """\
examples:
  replay_evaluation drive --model model.onnx --output out/drive
  replay_evaluation drive --output out/drive --require "pq>=50" --require "latency_p95_ms<=80"
  replay_evaluation drive --model old.onnx --model new.onnx --output out/both
"""

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
        threads: CPU threads of the network, 0 for one per core.
    """

    regions_of_interest: tuple[str, ...] = ()
    rotations: tuple[str, ...] = ()
    write_panoptic: bool = False
    write_bag: Path | None = None
    backend: str = field(default='auto', metadata=UNTOLD)
    threads: int = field(default=0, metadata=UNTOLD)

    def __post_init__(self) -> None:
        """Refuse what cannot be required of an offline evaluation.

        Raises:
            EvaluationError: it is so, or nothing can be compared with `against`.
        """
        super().__post_init__()
        for requirement in self.require:
            if requirement.name not in REQUIRABLE:
                raise EvaluationError(
                    f'the requirement of {requirement.name} is for live evaluations only; '
                    f'expected one of {", ".join(REQUIRABLE)}'
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


def read_options(words: Sequence[str], *, command: str) -> tuple[OfflineOptions, ...]:
    """The evaluations that a command line asks for, one for each model.

    Args:
        words: the command line without the program.
        command: what the report says that it was.

    Raises:
        EvaluationError: a value is impossible, or the outputs are those of something else.
        ModelError: no model is named, and the package's own is missing.
    """
    parser = argument_parser(
        'replay_evaluation',
        'Evaluate a model on a rosbag2: how good, how fast, how steady.',
        examples=EXAMPLES,
        figures=REQUIRABLE,
    )
    add = parser.add_argument
    add(
        '--model',
        action='append',
        type=Path,
        help='model.onnx or .engine (default: the demo model); given again, each is evaluated in '
        'a folder of its own below OUTPUT and compared with the first',
    )
    add(
        '--regions-of-interest',
        action='append',
        default=[],
        metavar='X,Y,W,H',
        help='part of the images that is looked at [px], for all cameras or as CAMERA=X,Y,W,H',
    )
    add(
        '--rotations',
        action='append',
        default=[],
        metavar='DEGREES',
        help='turn them clockwise before, for all cameras or as CAMERA=DEGREES',
    )
    add('--stride', type=int, default=1, metavar='N', help='every N-th image of each camera')
    add('--limit', type=int, metavar='N', help='at most N images of each camera')
    add('--write-png', action='store_true', help='write label images to OUTPUT/labels')
    add('--write-panoptic', action='store_true', help='write labels in COCO panoptic format')
    add('--write-bag', type=Path, metavar='BAG', help='write labels and instances as a rosbag2')
    given = parser.parse_args(words)
    models = given.model or [default_model_path()]
    first = OfflineOptions(
        **common_options(given),
        model=models[0],
        part=BagPart(given.start, given.duration, given.stride, given.limit),
        write_png=given.write_png,
        regions_of_interest=tuple(given.regions_of_interest),
        rotations=tuple(given.rotations),
        write_panoptic=given.write_panoptic,
        write_bag=given.write_bag,
        backend=given.backend,
        threads=given.threads,
        command=command,
    )
    return (first,) if len(models) == 1 else _for_each_model(first, models)


def _for_each_model(options: OfflineOptions, models: Sequence[Path]) -> tuple[OfflineOptions, ...]:
    """The options of each model, with a folder below that of all reports as its output.

    Raises:
        EvaluationError: a model is given twice, or the folder holds the report of a single one.
    """
    output, bag = options.output, options.write_bag
    for name in (REPORT_FILE, FRAMES_FILE):
        if (output / name).exists():
            raise EvaluationError(
                f'{output} holds {name} of a single model, expected a folder for the reports of '
                f'{len(models)}; give another --output'
            )
    return tuple(
        replace(
            options,
            model=model,
            output=output / name,
            write_bag=None if bag is None else bag / name,
        )
        for model, name in zip(models, model_names(models), strict=True)
    )


def model_names(models: Sequence[Path]) -> list[str]:
    """A name for each of several files, all different, also where letter case does not count.

    It is the last parts of the path, as few as tell the files apart: `a/model.onnx` and
    `b/model.onnx` are `a_model` and `b_model`; the suffix stays where only it differs.

    Raises:
        EvaluationError: the same file is given twice, or no names tell the files apart.
    """
    paths = [model.resolve() for model in models]
    if len(set(paths)) < len(paths):
        raise EvaluationError(
            f'--model names the same file twice: {", ".join(map(str, models))}; expected '
            'different ones'
        )
    for depth in range(1, max(len(path.parts) for path in paths)):
        for keep_suffix in (False, True):
            names = [_last_parts(path, depth, keep_suffix=keep_suffix) for path in paths]
            lowered = {name.casefold() for name in names}
            if len(lowered) == len(names) and PAGE_FILE not in lowered:
                return names
    raise EvaluationError(
        f'no names tell the models {", ".join(map(str, models))} apart; rename one of them'
    )


def _last_parts(path: Path, depth: int, *, keep_suffix: bool) -> str:
    last = path.name if keep_suffix else path.stem
    return '_'.join([*path.parts[1:-1], last][-depth:])


def evaluate(runs: Sequence[OfflineOptions]) -> list[str]:
    """Evaluate each model and print; returns why they miss what is required of them.

    Raises:
        UpsnetError: whatever kept it from being done, with what to do about it.
    """
    if len(runs) == 1:
        return evaluate_model(runs[0])
    _refuse_unlike_models(runs)
    missed = []
    for options in runs:
        name = options.output.name
        print(f'\n{name} ({options.model})')
        if options is not runs[0] and options.against is None:
            options = replace(options, against=runs[0].output)
        missed += [f'{name}: {reason}' for reason in evaluate_model(options, name=name)]
    names = [options.output.name for options in runs]
    page = write_models_page(
        runs[0].output.parent,
        names,
        baseline=str(runs[0].against or names[0]),
        command=runs[0].command,
    )
    print(f'\n  all models: {page}')
    return missed


def _refuse_unlike_models(runs: Sequence[OfflineOptions]) -> None:
    """Refuse models that cannot be compared, before any of them is evaluated.

    Raises:
        EvaluationError: their classes differ, or a bag of labels lies there already.
        ModelError: a model or its manifest is missing or unfit.
    """
    first = ModelManifest.load(runs[0].model).label_set
    for options in runs[1:]:
        if ModelManifest.load(options.model).label_set != first:
            raise EvaluationError(
                f'the classes of {options.model} are others than those of {runs[0].model}; only '
                'models with the same label set can be compared'
            )
    for options in runs:
        if options.write_bag is not None and options.write_bag.exists():
            raise EvaluationError(
                f'{options.write_bag} exists already; give another --write-bag, or remove it'
            )


def evaluate_model(options: OfflineOptions, *, name: str = '') -> list[str]:
    """Evaluate one model, write its pages and print; returns why it misses what is required.

    Raises:
        UpsnetError: whatever kept it from being done.
    """
    with PanopticPipeline.load(
        options.model, backend=options.backend, num_threads=options.threads
    ) as pipeline:
        with _progress_bar(name) as progress:
            report = evaluate_offline(options, pipeline, progress)
    return present(report, options)


@contextmanager
def _progress_bar(name: str) -> Iterator[Progress]:
    """A bar on the terminal with the time that is left, and the function that moves it."""
    with tqdm(unit='frame', desc=f'Evaluating {name}'.strip(), disable=None) as bar:
        is_first = True

        def move(done: int, total: int) -> None:
            nonlocal is_first
            bar.total = max(total, done)
            if is_first:  # what an earlier run did is no part of this one's pace
                bar.initial, is_first = done, False
            bar.update(done - bar.n)

        yield move


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
            told = f'; the first: {totals.first_problem}' if totals.first_problem else ''
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
            'thresholds': pipeline.thresholds,
        },
        views={name: _describe_view(camera.view) for name, camera in run.cameras.items()},
        write_png=options.write_png,
        write_panoptic=options.write_panoptic,
    )
    stages = Stages(run.source, pipeline, run.judge, workers=stage_workers())
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
            if not done.is_known and done.line is not None:
                run.keep(
                    done.frame,
                    done.line,
                    result=done.result,
                    image=done.image,
                    truth=done.truth,
                    frame_id=done.frame_id,
                )
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
