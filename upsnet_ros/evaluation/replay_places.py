# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Where the report of each model goes when several are evaluated in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from upsnet_ros.core.errors import EvaluationError
from upsnet_ros.evaluation.frame_record import FRAMES_FILE, REPORT_FILE
from upsnet_ros.manifest import ModelManifest

PAGE_FILE = 'report.html'


@dataclass(frozen=True)
class ModelPlace:
    """A model and where what is found out about it goes.

    Attributes:
        model: its file.
        name: what tells it from the others; empty for the only one.
        output: folder of its report.
        write_bag: where its labels are written as a bag; None for nowhere.
    """

    model: Path
    name: str
    output: Path
    write_bag: Path | None = None


def model_places(
    models: Sequence[Path], *, output: Path, write_bag: Path | None
) -> tuple[ModelPlace, ...]:
    """The place of each model: the folder itself for the only one, else one below it for each.

    Args:
        models: one or more files.
        output: folder of all reports.
        write_bag: where labels are written as bags; None for nowhere.

    Raises:
        EvaluationError: a model is given twice, or the folder holds the report of a single one.
    """
    if len(models) == 1:
        return (ModelPlace(models[0], '', output, write_bag),)
    for name in (REPORT_FILE, FRAMES_FILE):
        if (output / name).exists():
            raise EvaluationError(
                f'{output} holds {name} of a single model, expected a folder for the reports of '
                f'{len(models)}; give another --output'
            )
    return tuple(
        ModelPlace(model, name, output / name, None if write_bag is None else write_bag / name)
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


def refuse_unlike_models(places: Sequence[ModelPlace]) -> None:
    """Refuse models that cannot be compared, before any of them is evaluated.

    Raises:
        EvaluationError: their classes differ, or a bag of labels lies there already.
        ModelError: a model or its manifest is missing or unfit.
    """
    first = ModelManifest.load(places[0].model).label_set
    for place in places[1:]:
        if ModelManifest.load(place.model).label_set != first:
            raise EvaluationError(
                f'the classes of {place.model} are others than those of {places[0].model}; only '
                'models with the same label set can be compared'
            )
    for place in places:
        if place.write_bag is not None and place.write_bag.exists():
            raise EvaluationError(
                f'{place.write_bag} exists already; give another --write-bag, or remove it'
            )
