# Copyright 2026 The upsnet_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Average precision of masks by Cityscapes' own evaluation of its own files."""

import contextlib
import copy
import io
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from cityscapesscripts.evaluation import evalInstanceLevelSemanticLabeling as instance_level
from tqdm import tqdm

from training.data.errors import DataError
from training.evaluation.average_precision import AveragePrecision


def cityscapes_precision(
    truth: Sequence[Path], predictions: Sequence[Path], *, progress: bool = False
) -> AveragePrecision:
    """Measure average precision with ``cityscapesScripts``.

    It knows Cityscapes' classes only, leaves out objects below 100 pixels, and has no figures for
    an overlap of 0.75 and for sizes.

    Args:
        truth: ``*_gtFine_instanceIds.png``.
        predictions: For each the text file that names its masks, all in one folder.
        progress: Whether to show a bar; a frame takes the tool a second and more.

    Raises:
        DataError: If the tool cannot evaluate the files.
    """
    settings = copy.copy(instance_level.args)
    settings.predictionPath = str(predictions[0].parent.resolve())
    settings.quiet, settings.JSONOutput = True, False
    said = io.StringIO()
    bar = tqdm(
        [str(path.resolve()) for path in predictions],
        desc='average precision',
        unit='frame',
        disable=not progress,
    )
    with tempfile.TemporaryDirectory() as folder, _as_the_tool_expects(), bar:
        # Objects found in the truth are kept in this file, and files of other splits trusted.
        settings.gtInstancesFile = str(Path(folder) / 'objects.json')
        try:
            with contextlib.redirect_stdout(said):
                found = instance_level.evaluateImgLists(
                    bar, [str(path.resolve()) for path in truth], settings
                )
        except (SystemExit, OSError, ValueError, KeyError) as error:
            reason = said.getvalue().strip() or f'{type(error).__name__}: {error}'
            raise DataError(
                f'{settings.predictionPath}: cityscapesScripts cannot evaluate it: {reason}'
            ) from error
    averages = found['averages']
    return AveragePrecision(
        _percent(averages['allAp']),
        _percent(averages['allAp50%']),
        ap75=None,
        small=None,
        medium=None,
        large=None,
        per_class={name: _percent(row['ap']) for name, row in averages['classes'].items()},
    )


@contextlib.contextmanager
def _as_the_tool_expects() -> Iterator[None]:
    """Give the tool what it needs of an older NumPy, and keep it from writing to this folder.

    Release 2.3.0 calls ``np.in1d``, which NumPy 2.4 has no more, and writes a log of all matches
    as JSON, whose counts are plain integers before NumPy 2 only.
    """
    write, instance_level.writeDict2JSON = instance_level.writeDict2JSON, lambda *values: None
    lacks_in1d = not hasattr(np, 'in1d')
    if lacks_in1d:
        setattr(np, 'in1d', np.isin)  # noqa: B010 - NumPy's own types do not know it
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', 'Mean of empty slice')  # no objects: no figure
            yield
    finally:
        instance_level.writeDict2JSON = write
        if lacks_in1d:
            delattr(np, 'in1d')


def _percent(share: float) -> float | None:
    return None if np.isnan(share) else 100 * float(share)
